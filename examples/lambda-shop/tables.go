package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// tables is DynamoDB, or what stands in for it.
type tables struct {
	env   []string      // by which the AWS SDK finds it
	ended chan struct{} // closed when a stand-in has ended; nil where there is none
	stdin io.Closer     // the stand-in's: it ends when this is closed
}

// openTables starts a stand-in if there is no url.
func openTables(ctx context.Context, url string) (*tables, error) {
	if url != "" { // region and credentials are in the environment, or where else the SDK looks for them
		return &tables{env: []string{"AWS_ENDPOINT_URL_DYNAMODB=" + url}}, nil
	}
	process := exec.CommandContext(context.WithoutCancel(ctx), "node", "dynamodb/server.js")
	process.Stderr = os.Stderr
	stdin, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	t := &tables{ended: make(chan struct{}), stdin: stdin}
	go func() {
		_ = process.Wait() // how it ended is on stderr
		close(t.ended)
	}()
	if err != nil {
		t.close()
		return nil, fmt.Errorf("the stand-in for DynamoDB did not start; run npm ci in dynamodb/: %w", err)
	}
	t.env = []string{
		"AWS_ENDPOINT_URL_DYNAMODB=" + strings.TrimSpace(line),
		"AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local",
	}
	return t, nil
}

// close returns when a stand-in has ended.
func (t *tables) close() {
	if t.stdin != nil {
		_ = t.stdin.Close()
		<-t.ended
	}
}
