package main

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/dop251/goja"
)

// gojaPeer runs the functions in this process, in an interpreter for each processor: one is no good for two goroutines.
type gojaPeer struct {
	idle chan *gojaVM
}

type gojaVM struct {
	*goja.Runtime
	functions *goja.Object
}

func startGoja(context.Context, int) (contender, error) {
	code, err := os.ReadFile(built("work.js"))
	if err != nil {
		return nil, err
	}
	program, err := goja.Compile("work.js", string(code), false)
	if err != nil {
		return nil, err
	}
	processors := runtime.GOMAXPROCS(0)
	p := &gojaPeer{make(chan *gojaVM, processors)}
	for range processors {
		vm, err := newGojaVM(program)
		if err != nil {
			return nil, err
		}
		p.idle <- vm
	}
	return p, nil
}

func (p *gojaPeer) Call(_ context.Context, _ int, method string, in, out any) error {
	vm := <-p.idle
	defer func() { p.idle <- vm }()
	function, ok := goja.AssertFunction(vm.functions.Get(method))
	if !ok {
		return fmt.Errorf("no function %s", method)
	}
	result, err := function(goja.Undefined(), vm.ToValue(in))
	if err != nil {
		return err
	}
	return vm.ExportTo(result, out)
}

func newGojaVM(program *goja.Program) (*gojaVM, error) {
	vm := goja.New()
	vm.SetFieldNameMapper(goja.TagFieldNameMapper("json", true))
	silent := func() {}
	if err := vm.Set("console", map[string]any{"log": silent, "warn": silent, "error": silent}); err != nil {
		return nil, err
	}
	if _, err := vm.RunProgram(program); err != nil {
		return nil, err
	}
	return &gojaVM{vm, vm.Get("work").ToObject(vm)}, nil
}

func (p *gojaPeer) PIDs() []int { return nil }

func (p *gojaPeer) Close() error { return nil }
