package main

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/aws/jsii-runtime-go"
	kernel "github.com/aws/jsii-runtime-go/runtime"
)

// jsiiKernel is AWS's library that has a Node run class libraries, called as the code is that its generator makes of one.
// The library has one Node for the whole program, and another one after its end: have no two of these at a time.
type jsiiKernel struct {
	turn sync.Mutex // the library writes requests and reads answers without one
	pids []int
}

// The class that node/library.ts makes.
const (
	jsiiPackage = "bench-work"
	jsiiVersion = "1.0.0"
	jsiiClass   = jsiiPackage + ".Work"
)

func startJSII(context.Context, int) (_ contender, err error) {
	tarball, err := os.ReadFile(built("jsii.tgz"))
	if err != nil {
		return nil, err
	}
	if err := setUpJSII(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			jsii.Close()
		}
	}()
	if err := recovered(func() { kernel.Load(jsiiPackage, jsiiVersion, tarball) }); err != nil {
		return nil, err
	}
	pids, err := jsiiProcesses()
	return &jsiiKernel{pids: pids}, err
}

// setUpJSII has the library run the same Node as the others do, and keep what it unpacks in build/ rather than at home.
func setUpJSII() error {
	for name, value := range map[string]string{
		"JSII_NODE":                       "node",
		"JSII_RUNTIME":                    "",
		"JSII_RUNTIME_PACKAGE_CACHE_ROOT": built("jsii-cache"),
		"JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// Call has JSON go as text, for which see node/jsii.ts.
func (j *jsiiKernel) Call(_ context.Context, _ int, method string, in, out any) error {
	text, err := standardJSON.encode(in)
	if err != nil {
		return err
	}
	answer, err := j.invoke(method, string(text))
	if err != nil {
		return err
	}
	return standardJSON.decode([]byte(answer), out)
}

func (j *jsiiKernel) invoke(method, text string) (answer string, err error) {
	j.turn.Lock()
	defer j.turn.Unlock()
	err = recovered(func() { kernel.StaticInvoke(jsiiClass, method, []any{text}, &answer) })
	return answer, err
}

// recovered makes an error of a panic, which is how the library tells of any.
func recovered(do func()) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("jsii: %v", cause)
		}
	}()
	do()
	return nil
}

// PIDs are the Node that the library starts, which hands on what is said, and the one that it starts in turn.
func (j *jsiiKernel) PIDs() []int { return j.pids }

func (j *jsiiKernel) Close() error {
	jsii.Close()
	return nil
}
