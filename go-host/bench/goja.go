package main

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/dop251/goja"
)

// gojaPeer runs the functions in this process, in an interpreter for each processor: one is no good for two goroutines.
type gojaPeer struct {
	program *goja.Program
	idle    sync.Pool // of *gojaVM
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
	return &gojaPeer{program: program}, err
}

func (p *gojaPeer) Call(_ context.Context, _ int, method string, in, out any) error {
	vm, err := p.take()
	if err != nil {
		return err
	}
	defer p.idle.Put(vm)
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

func (p *gojaPeer) take() (*gojaVM, error) {
	if vm, ok := p.idle.Get().(*gojaVM); ok {
		return vm, nil
	}
	vm := goja.New()
	vm.SetFieldNameMapper(goja.TagFieldNameMapper("json", true))
	silent := func() {}
	if err := vm.Set("console", map[string]any{"log": silent, "warn": silent, "error": silent}); err != nil {
		return nil, err
	}
	if _, err := vm.RunProgram(p.program); err != nil {
		return nil, err
	}
	return &gojaVM{vm, vm.Get("work").ToObject(vm)}, nil
}

func (p *gojaPeer) PIDs() []int { return nil }

func (p *gojaPeer) Close() error { return nil }
