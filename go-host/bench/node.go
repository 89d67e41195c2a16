package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// node is a Node process that runs one file of build/.
type node struct {
	cmd    *exec.Cmd
	in     *os.File // its stdin
	out    *os.File // its stdout
	folder string   // of its socket, or ""
}

// startNode starts Node as the contenders other than Rootbridge use it. env is added to this process's.
func startNode(ctx context.Context, env []string, file string, args ...string) (*node, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirIn.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	defer theirOut.Close()
	growPipe(in)
	growPipe(out)
	cmd := exec.CommandContext(ctx, "node", append([]string{built(file)}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirIn, theirOut, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	return &node{cmd, in, out, ""}, nil
}

// codeCache has Node keep what V8 has compiled until the next start, which spares grpc's a seventh of it. The small files of the
// others would not start sooner.
var codeCache = []string{"NODE_COMPILE_CACHE=" + filepath.Join("build", "compile-cache")}

// startServer starts a server on a unix socket and waits until it listens.
func startServer(ctx context.Context, file string) (*node, string, error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, "", err
	}
	socket := filepath.Join(folder, "socket")
	n, err := startNode(ctx, codeCache, file, socket)
	if err != nil {
		return nil, "", errors.Join(err, os.RemoveAll(folder))
	}
	n.folder = folder
	line, err := bufio.NewReader(n.out).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "listening" {
		return nil, "", errors.Join(fmt.Errorf("%s did not start: expected it to say that it is listening, got %q", file, line), err, n.Close())
	}
	return n, socket, nil
}

// dialUnix asks for as much room as the pipes have. The system may give less, and Node has no way to ask for its answers.
func dialUnix(ctx context.Context, socket string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if unix, ok := c.(*net.UnixConn); ok {
		err = unix.SetWriteBuffer(1 << 20)
	}
	return c, err
}

func (n *node) PIDs() []int { return []int{n.cmd.Process.Pid} }

// Close ends the process by the end of its stdin.
func (n *node) Close() error {
	_ = n.in.Close()
	err := n.cmd.Wait()
	_ = n.out.Close()
	return errors.Join(err, os.RemoveAll(n.folder))
}

// built is the path of a file that node/build.ts made.
func built(file string) string { return filepath.Join("build", os.Getenv(variantVariable), file) }

const (
	// variantVariable names the folder of build/ whose files run: none, or trivial.
	variantVariable = "BENCH_VARIANT"
	// trivial has functions that load nothing.
	trivial = "trivial"
)
