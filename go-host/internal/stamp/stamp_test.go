package stamp_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"rootbridge/internal/stamp"
)

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAStampDiffersWhenCodeOfThePackageChanges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(t *testing.T, dir string)
		differs string
	}{
		"nothing":                {func(*testing.T, string) {}, ""},
		"an edit":                {func(t *testing.T, dir string) { t.Helper(); write(t, dir, "lib/a.js", "22") }, "lib/a.js"},
		"a new file":             {func(t *testing.T, dir string) { t.Helper(); write(t, dir, "lib/b.ts", "") }, "lib/b.ts"},
		"a template":             {func(t *testing.T, dir string) { t.Helper(); write(t, dir, "mail.hbs", "22") }, "mail.hbs"},
		"a removed file":         {func(t *testing.T, dir string) { t.Helper(); _ = os.Remove(filepath.Join(dir, "lib", "a.js")) }, "lib/a.js"},
		"another time":           {func(t *testing.T, dir string) { t.Helper(); touch(t, filepath.Join(dir, "lib", "a.js")) }, "lib/a.js"},
		"a dependency":           {func(t *testing.T, dir string) { t.Helper(); write(t, dir, "node_modules/d/index.js", "22") }, ""},
		"a log":                  {func(t *testing.T, dir string) { t.Helper(); write(t, dir, "app.log", "22") }, ""},
		"a version control":      {func(t *testing.T, dir string) { t.Helper(); write(t, dir, ".git/x.js", "22") }, ""},
		"a folder, nothing else": {func(t *testing.T, dir string) { t.Helper(); _ = os.Mkdir(filepath.Join(dir, "empty.js"), 0o750) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "package.json", "{}")
			write(t, dir, "lib/a.js", "1")
			write(t, dir, "mail.hbs", "1")
			before := stamp.Of(dir)
			c.change(t, dir)
			want := c.differs
			if want != "" {
				want = filepath.Join(dir, want)
			}
			if got := stamp.Of(dir).Differs(before); got != want {
				t.Errorf("differs in %q, expected %q", got, want)
			}
		})
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	at := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutAPackageOnlyTheFolderItselfCounts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "index.js", "1")
	before := stamp.Of(dir)
	write(t, dir, "other/deep.js", "1")
	if got := stamp.Of(dir).Differs(before); got != "" {
		t.Errorf("differs in %s", got)
	}
	path := write(t, dir, "index.js", "22")
	if got := stamp.Of(dir).Differs(before); got != path {
		t.Errorf("differs in %q", got)
	}
}

func TestAFolderThatIsMissingIsEmpty(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "package.json", "{}")
	before := stamp.Of(dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if got := stamp.Of(dir).Differs(before); got != filepath.Join(dir, "package.json") {
		t.Errorf("differs in %q", got)
	}
}
