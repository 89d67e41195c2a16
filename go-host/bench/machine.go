package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// machine is where figures come from.
type machine struct {
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	Memory   uint64            `json:"memory"` // in bytes
	Kernel   string            `json:"kernel"`
	Go       string            `json:"go"`
	Node     string            `json:"node"`
	Versions map[string]string `json:"versions"` // of what contenders are made of, by module or package
	Revision string            `json:"revision"` // of this repository, with a + for changes
	Time     time.Time         `json:"time"`
}

// The modules and packages whose versions are told.
var (
	modules  = []string{"github.com/aws/jsii-runtime-go", "github.com/bytedance/sonic", "github.com/dop251/goja", "github.com/go-json-experiment/json", "github.com/roadrunner-server/goridge/v3", "github.com/roadrunner-server/pool", "google.golang.org/grpc"}
	packages = []string{"@grpc/grpc-js", "ajv", "handlebars"}
)

// revision is "" where git can't tell, as in an archive of the sources.
func revision(ctx context.Context) string {
	text, err := command(ctx, "git", "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty=+").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func versions() (map[string]string, error) {
	found := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if slices.Contains(modules, dep.Path) {
				found[dep.Path] = dep.Version
			}
		}
	}
	for _, name := range packages {
		text, err := os.ReadFile(filepath.Join("node_modules", name, "package.json"))
		if err != nil {
			return nil, err
		}
		var manifest struct{ Version string }
		if err := json.Unmarshal(text, &manifest); err != nil {
			return nil, err
		}
		found[name] = manifest.Version
	}
	return found, nil
}
