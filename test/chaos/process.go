package main

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// process is what /proc tells of one.
type process struct {
	pid    int
	parent int
	zombie bool
}

// markVariable is the environment variable by which everything that a host has started is found.
const markVariable = "CHAOS_MARK"

// children lists the processes that this one has started: the first list those with the mark, the second zombies, whose
// environment can't be read.
func children(mark string) (marked, zombies []int, err error) {
	all, err := processes()
	if err != nil {
		return nil, nil, err
	}
	for _, p := range all {
		switch {
		case p.parent != os.Getpid():
		case p.zombie:
			zombies = append(zombies, p.pid)
		case hasMark(p.pid, mark):
			marked = append(marked, p.pid)
		}
	}
	return marked, zombies, nil
}

// processes reads those that are there, in the order of their ids.
func processes() ([]process, error) {
	names, err := readNames("/proc")
	if err != nil {
		return nil, err
	}
	var all []process
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, ok := readProcess(pid); ok {
				all = append(all, p)
			}
		}
	}
	return all, nil
}

// readNames lists a folder by one descriptor, which is all that there may be.
func readNames(dir string) ([]string, error) {
	file, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return file.Readdirnames(-1)
}

func readProcess(pid int) (process, bool) {
	stat, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return process{}, false
	}
	_, rest, found := bytes.Cut(stat, []byte(") ")) // behind the program's name
	fields := strings.Fields(string(rest))
	if !found || len(fields) < 2 {
		return process{}, false
	}
	parent, err := strconv.Atoi(fields[1])
	return process{pid, parent, fields[0] == "Z"}, err == nil
}

func procPath(pid int, name string) string {
	return "/proc/" + strconv.Itoa(pid) + "/" + name
}

func hasMark(pid int, mark string) bool {
	environ, err := os.ReadFile(procPath(pid, "environ"))
	return err == nil && bytes.Contains(environ, []byte(markVariable+"="+mark))
}

// markedProcesses lists whatever has inherited the mark, children or not, with its command.
func markedProcesses(mark string) (pids []int, commands []string) {
	all, err := processes()
	if err != nil {
		return nil, []string{err.Error()}
	}
	for _, p := range all {
		if !p.zombie && hasMark(p.pid, mark) {
			command, _ := os.ReadFile(procPath(p.pid, "cmdline"))
			pids = append(pids, p.pid)
			commands = append(commands, strconv.Itoa(p.pid)+" "+string(bytes.ReplaceAll(command, []byte{0}, []byte(" "))))
		}
	}
	return pids, commands
}

// isGone tells whether a process has ended.
func isGone(pid int) bool {
	p, ok := readProcess(pid)
	return !ok || p.zombie
}

// openFiles lists what this process has open, by what it is: how many of each.
func openFiles() (map[string]int, error) {
	names, err := readNames("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	open := make(map[string]int)
	for _, name := range names {
		if target, err := os.Readlink("/proc/self/fd/" + name); err == nil { // else it was the list's own
			open[target]++
		}
	}
	return open, nil
}
