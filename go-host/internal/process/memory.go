package process

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// MemoryLimit returns how much memory, in bytes, this program and its workers may use together where a control group
// limits it: that of their container, their systemd unit, or one around it. It is the lowest memory.max or memory.high
// (beyond which the kernel makes them crawl) of the program's own group and those above, or the limit of version 1, but no
// more than the machine has. ok is false without a limit, where /proc or the groups can't be read, and on other systems
// than Linux.
//
// Groups above a container's namespace can't be seen: a pod's limit is unknown to a container without one of its own. The
// limit is read anew each time; it may change while the program runs.
func MemoryLimit() (bytes int64, ok bool) { return memoryLimit(os.DirFS("/")) }

// unlimited is more than any machine has. Version 1 writes the largest multiple of the page size for no limit.
const unlimited = int64(1) << 62

func memoryLimit(root fs.FS) (int64, bool) {
	groups, mounts := lines(root, "proc/self/cgroup"), lines(root, "proc/self/mountinfo")
	limit := unlimited
	for _, hierarchy := range []hierarchy{version2, version1} {
		group, ok := hierarchy.group(groups)
		if !ok {
			continue
		}
		for _, folder := range folders(group, hierarchy.mounts(mounts)) {
			limit = min(limit, hierarchy.limit(root, folder))
		}
	}
	if limit == unlimited {
		return 0, false
	}
	return min(limit, machineMemory(root)), true
}

// hierarchy says how one version of control groups is found and read. Both may be there, one of them for memory.
type hierarchy struct {
	controller string // in /proc/self/cgroup and in the mount's options
	filesystem string
	files      []string
	stat       string // the line of memory.stat with the lowest limit of all groups above, visible or not
}

var (
	version2 = hierarchy{filesystem: "cgroup2", files: []string{"memory.max", "memory.high"}}
	version1 = hierarchy{
		controller: "memory", filesystem: "cgroup", files: []string{"memory.limit_in_bytes"},
		stat: "hierarchical_memory_limit",
	}
)

// group finds the program's group among lines such as "4:cpu,memory:/docker/1f", for version 2 "0::/docker/1f".
func (h hierarchy) group(lines []string) (string, bool) {
	for _, line := range lines {
		fields := strings.SplitN(line, ":", 3) // a group's name may have colons
		if len(fields) == 3 && slices.Contains(strings.Split(fields[1], ","), h.controller) {
			return fields[2], true
		}
	}
	return "", false
}

// mount is where a hierarchy, from the group root downwards, is visible.
type mount struct{ root, point string }

// mounts picks from lines such as "36 35 0:31 /docker/1f /sys/fs/cgroup/memory ro shared:9 - cgroup cgroup rw,memory".
func (h hierarchy) mounts(lines []string) []mount {
	var mounts []mount
	for _, line := range lines {
		left, right, _ := strings.Cut(line, " - ")
		place, system := strings.Fields(left), strings.Fields(right)
		if len(place) < 5 || len(system) < 3 || system[0] != h.filesystem {
			continue
		}
		if h.controller == "" || slices.Contains(strings.Split(system[2], ","), h.controller) {
			mounts = append(mounts, mount{unescape(place[3]), unescape(place[4])})
		}
	}
	return mounts
}

// limit reads what a group itself is allowed.
func (h hierarchy) limit(root fs.FS, folder string) int64 {
	limit := unlimited
	for _, file := range h.files {
		for _, line := range lines(root, path.Join(folder, file)) {
			limit = min(limit, parseLimit(line))
		}
	}
	if h.stat == "" {
		return limit
	}
	for _, line := range lines(root, path.Join(folder, "memory.stat")) {
		if name, value, _ := strings.Cut(line, " "); name == h.stat {
			limit = min(limit, parseLimit(value))
		}
	}
	return limit
}

// folders lists where a group and those above it are visible. A mount that does not hold the group is one of another
// container, or of the whole machine; only if there is no better one, it is this container's, and the program was moved
// out of its group: then what the container has is closest to the truth.
func folders(group string, mounts []mount) []string {
	var found, fallback []string
	for _, mount := range mounts {
		below, ok := within(group, mount.root)
		if !ok {
			fallback = append(fallback, mount.point)
			continue
		}
		for ; below != "."; below = path.Dir(below) {
			found = append(found, path.Join(mount.point, below))
		}
		found = append(found, mount.point)
	}
	if found == nil {
		return fallback
	}
	return found
}

// within returns the group's path below a mount's root. A path that leads out of a namespace begins with "..".
func within(group, root string) (string, bool) {
	if group == root {
		return ".", true
	}
	below, ok := strings.CutPrefix(group, strings.TrimSuffix(root, "/")+"/")
	below = path.Clean(strings.TrimLeft(below, "/")) // relative, so that its parents end with "."
	return below, ok && !strings.HasPrefix(below+"/", "../")
}

func machineMemory(root fs.FS) int64 {
	for _, line := range lines(root, "proc/meminfo") {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "MemTotal:" {
			if kilobytes, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				return kilobytes << 10
			}
		}
	}
	return unlimited
}

// lines reads a file that may not be there.
func lines(root fs.FS, name string) []string {
	content, err := fs.ReadFile(root, strings.TrimPrefix(name, "/"))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
}

// parseLimit takes "max" and what it can't read for no limit.
func parseLimit(text string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n <= 0 {
		return unlimited
	}
	return n
}

// unescape undoes how mountinfo writes what would break its lines.
func unescape(text string) string { return escapes.Replace(text) }

var escapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
