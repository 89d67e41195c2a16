package main

import (
	"context"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

func thisMachine(ctx context.Context) (machine, error) {
	node, err := command(ctx, "node", "--version").Output()
	if err != nil {
		return machine{}, err
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return machine{}, err
	}
	m := machine{
		Cores: runtime.NumCPU(), Kernel: "Linux " + strings.TrimSpace(string(kernel)), Go: runtime.Version(),
		Node: strings.TrimSpace(string(node)), Revision: revision(ctx), Time: time.Now().UTC().Truncate(time.Second),
	}
	files, err := procfs.NewDefaultFS()
	if err != nil {
		return m, err
	}
	cores, err := files.CPUInfo()
	if err != nil {
		return m, err
	}
	m.CPU = cores[0].ModelName
	memory, err := files.Meminfo()
	if err != nil {
		return m, err
	}
	m.Memory = *memory.MemTotalBytes
	m.Versions, err = versions()
	return m, err
}
