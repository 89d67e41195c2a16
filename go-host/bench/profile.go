package main

import (
	"os"
	"path/filepath"
	"runtime/pprof"
)

// profile writes where this process's time goes to a file of the folder, until stop is called. Node writes its own there when
// it ends. Without a folder nothing happens.
func profile(folder, name string) (stop func(), err error) {
	if folder == "" {
		return func() {}, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(folder, name+".pprof"))
	if err != nil {
		return nil, err
	}
	if err := os.Setenv("NODE_OPTIONS", "--cpu-prof --cpu-prof-dir="+folder+" --cpu-prof-name="+name+".cpuprofile"); err != nil {
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); _ = f.Close() }, pprof.StartCPUProfile(f)
}
