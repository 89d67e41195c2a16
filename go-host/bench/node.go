package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
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

// startNode starts Node as the contenders other than Rootbridge use it.
func startNode(ctx context.Context, file string, args ...string) (*node, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	growPipe(in)
	growPipe(out)
	cmd := exec.CommandContext(ctx, "node", append([]string{built(file)}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirIn, theirOut, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	_ = theirIn.Close()
	_ = theirOut.Close()
	return &node{cmd, in, out, ""}, nil
}

// startServer starts a server on a unix socket and waits until it listens.
func startServer(ctx context.Context, file string) (*node, string, error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, "", err
	}
	socket := filepath.Join(folder, "socket")
	n, err := startNode(ctx, file, socket)
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

// variantVariable names the folder of build/ whose files run: none, or trivial, whose functions load nothing.
const variantVariable = "BENCH_VARIANT"
