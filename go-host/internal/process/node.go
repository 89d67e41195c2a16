package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// MinNode is the oldest major version of Node that runs the worker.
const MinNode = 18

// distrolessNode is where images without a shell keep Node, outside the PATH.
const distrolessNode = "/nodejs/bin/node"

// FindNode returns the absolute path of the Node to run: name if not empty (looked up on the PATH if it has no
// separator), else node on the PATH, else the one that distroless images have.
func FindNode(name string) (string, error) {
	if name != "" {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", fmt.Errorf("no executable Node at %q: %w; set Options.Node to the path of a node %d or newer", name, err, MinNode)
		}
		return filepath.Abs(path)
	}
	if path, err := exec.LookPath("node"); err == nil {
		return filepath.Abs(path)
	}
	if runtime.GOOS == "linux" {
		if info, err := os.Stat(distrolessNode); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return distrolessNode, nil
		}
	}
	return "", fmt.Errorf("found no node on the PATH nor at %s; install Node %d or newer, or set Options.Node", distrolessNode, MinNode)
}

// CheckNodeVersion returns an error for a version, such as v16.20.2, that is too old for the worker.
func CheckNodeVersion(path, version string) error {
	major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	n, err := strconv.Atoi(major)
	if err != nil {
		return fmt.Errorf("%s is no Node: its version is %q", path, version)
	}
	if n < MinNode {
		return fmt.Errorf("%s is Node %s, the worker needs Node %d or newer; install one, or set Options.Node", path, version, MinNode)
	}
	return nil
}

// DiagnoseNode asks a Node that did not come up for its version. It returns nil if the version is not the reason.
func DiagnoseNode(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = withoutNodeOptions(os.Environ())
	cmd.WaitDelay = time.Second
	output, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("%s does not run: %w", path, err)
	}
	version := strings.TrimSpace(string(output))
	if len(version) > 64 {
		version = version[:64] + "…"
	}
	return CheckNodeVersion(path, version)
}

// withoutNodeOptions keeps a preload from running, or from failing once more, in a mere question.
func withoutNodeOptions(env []string) []string {
	kept := env[:0:0]
	for _, variable := range env {
		if !strings.HasPrefix(variable, "NODE_OPTIONS=") {
			kept = append(kept, variable)
		}
	}
	return kept
}
