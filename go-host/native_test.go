package rootbridge_test

import (
	"bytes"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

const nativeFixtures = "../test/fixtures/native"

func TestSharpMakesImagesInAWorker(t *testing.T) {
	t.Parallel()
	host := start(t, installed(t, "sharp", "make test"))
	var done sync.WaitGroup
	for _, width := range []int{1, 8, 64} {
		done.Go(func() {
			image, err := png.Decode(bytes.NewReader(call[[]byte](t, host, "thumbnail", width)))
			if err != nil || image.Bounds().Dx() != width {
				t.Errorf("%d pixels: %v, %v", width, image, err)
			}
		})
	}
	done.Wait()
}

func TestBetterSqlite3KeepsItsDatabaseInAWorker(t *testing.T) {
	t.Parallel()
	host := start(t, installed(t, "sqlite", "make native"))
	for _, amount := range []int{10, 20, 12} {
		if got := call[int](t, host, "add", amount); got != 1 {
			t.Errorf("%d rows were added", got)
		}
	}
	if got := call[struct{ Total int }](t, host, "total", nil); got.Total != 42 {
		t.Errorf("the total is %d", got.Total)
	}
}

// installed returns a fixture whose native addon is there. A machine without the registry or a compiler has none.
func installed(t *testing.T, name, by string) string {
	t.Helper()
	dir := filepath.Join(nativeFixtures, name)
	if _, err := os.Stat(filepath.Join(dir, "node_modules", ".stamp")); err != nil {
		t.Skipf("the addon of %s is not installed; %s installs it", dir, by)
	}
	skipOtherNode(t, dir)
	return dir
}

// skipOtherNode skips an addon that was compiled for another Node than the one under test.
func skipOtherNode(t *testing.T, dir string) {
	t.Helper()
	node := os.Getenv("ROOTBRIDGE_TEST_NODE")
	if node == "" {
		node = "node"
	}
	output, err := exec.CommandContext(t.Context(), node, dir).CombinedOutput()
	if err != nil && bytes.Contains(output, []byte("NODE_MODULE_VERSION")) {
		t.Skipf("the addon of %s was compiled for another version of Node", dir)
	}
}
