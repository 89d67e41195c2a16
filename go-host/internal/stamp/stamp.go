// Package stamp tells whether the files of a package have changed.
package stamp

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// mostFiles bounds a Stamp. What is beyond, in the order of names, does not count.
const mostFiles = 20_000

// extensions are those of files that make a package's behaviour: true for code; false for data that may be loaded as code, and
// templates.
var extensions = map[string]bool{
	".js": true, ".cjs": true, ".mjs": true, ".jsx": true, ".ts": true, ".cts": true, ".mts": true, ".tsx": true,
	".node": true, ".wasm": true,
	".json": false, ".yaml": false, ".yml": false, ".toml": false, ".graphql": false, ".sql": false,
	".hbs": false, ".handlebars": false, ".mustache": false, ".ejs": false, ".pug": false, ".njk": false, ".html": false, ".css": false,
}

func isCode(path string) bool {
	return extensions[filepath.Ext(path)] || filepath.Base(path) == "package.json"
}

// Stamp is what a folder's files looked like at one time. The zero Stamp is that of no files.
type Stamp struct {
	files map[string]file
}

// file is what shows that a file was written, as far as the file system tells.
type file struct {
	size     int64
	modified time.Time
}

// Of looks at the files below a folder that has a package.json, but for those in node_modules and in folders whose names
// begin with a dot; in a folder without a package.json, only at its own files. What can't be read counts as absent.
func Of(dir string) Stamp {
	s := Stamp{make(map[string]file)}
	if _, err := os.Stat(filepath.Join(dir, "package.json")); err != nil {
		s.addFolder(dir)
		return s
	}
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, unreadable error) error {
		switch {
		case unreadable != nil:
			return fs.SkipDir
		case entry.IsDir() && path != dir && isLeftOut(entry.Name()):
			return fs.SkipDir
		case len(s.files) >= mostFiles:
			return fs.SkipAll
		}
		s.add(path, entry)
		return nil
	})
	return s
}

func isLeftOut(folder string) bool {
	return folder == "node_modules" || strings.HasPrefix(folder, ".")
}

func (s Stamp) addFolder(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries[:min(len(entries), mostFiles)] {
		s.add(filepath.Join(dir, entry.Name()), entry)
	}
}

func (s Stamp) add(path string, entry fs.DirEntry) {
	if _, counts := extensions[filepath.Ext(entry.Name())]; entry.IsDir() || !counts {
		return
	}
	if info, err := os.Stat(path); err == nil { // not entry.Info: a link may lead elsewhere
		s.files[path] = file{info.Size(), info.ModTime()}
	}
}

// Differs returns a file that is not as it was in an earlier Stamp, or "".
func (s Stamp) Differs(earlier Stamp) string {
	return s.differs(earlier, func(string) bool { return true })
}

// DiffersInCode is Differs for files of code, which no code writes, in place of all.
func (s Stamp) DiffersInCode(earlier Stamp) string { return s.differs(earlier, isCode) }

func (s Stamp) differs(earlier Stamp, counts func(path string) bool) string {
	for path, is := range s.files {
		if was, ok := earlier.files[path]; (!ok || was != is) && counts(path) {
			return path
		}
	}
	for path := range earlier.files {
		if _, ok := s.files[path]; !ok && counts(path) {
			return path
		}
	}
	return ""
}
