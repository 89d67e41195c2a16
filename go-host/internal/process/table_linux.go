package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// entry is what the system's process table says of one process.
type entry struct {
	pid, parent, group, session int

	state   byte
	threads int
	kernel  bool  // a thread of the kernel
	start   int64 // in ticks since the machine's start: with the pid, it is never given again
}

// dead tells whether only its parent's wait is missing. A process whose first thread has ended looks alike, but has others.
func (e *entry) dead() bool { return (e.state == 'Z' || e.state == 'X') && e.threads <= 1 }

// stopped tells whether a signal or a debugger has stopped it.
func (e *entry) stopped() bool { return e.state == 'T' || e.state == 't' }

// sleeps tells whether a process was and is waiting for something, or stopped.
func (e *entry) sleeps() bool {
	now, err := readEntry(e.pid)
	return err == nil && now.state == e.state && (now.state == 'S' || now.stopped())
}

// signal sends a signal to the process of the entry, and to none that has got its pid since.
func (e *entry) signal(signal syscall.Signal) {
	process, err := os.FindProcess(e.pid) // holds on to the process, where the kernel has pidfds
	if err != nil {
		return
	}
	defer func() { _ = process.Release() }()
	if now, err := readEntry(e.pid); err == nil && now.start == e.start {
		_ = process.Signal(signal)
	}
}

// doubt says how much a look at the process table may have missed.
type doubt int

const (
	sure doubt = iota
	// ended: a process has ended, perhaps just now. What it started before that may not be in the table.
	ended
	// starting: a process had no environment, as for a moment while it is being given another program.
	starting
	// short: there were no descriptors, or no memory, to look with.
	short
	// blind: /proc is missing, or is that of another PID namespace.
	blind
)

func doubtOf(err error) doubt {
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOMEM):
		return short
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ESRCH):
		return ended
	default: // nil, or that this program may not see the process: then it is another user's
		return sure
	}
}

// readTable lists the processes that started no earlier than since, but the caller and those that may not be seen. There is
// no table when it is short or blind.
func readTable(since int64) (table []entry, missed doubt) {
	if !hasProc() {
		return nil, blind
	}
	self := os.Getpid()
	names, err := readNames()
	if err != nil {
		return nil, max(short, doubtOf(err))
	}
	table = make([]entry, 0, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == self {
			continue
		}
		e, err := readEntry(pid)
		if missed = max(missed, doubtOf(err)); missed >= short {
			return nil, missed
		}
		if err != nil || e.start < since || e.kernel {
			continue
		}
		table = append(table, e)
		if e.dead() {
			missed = max(missed, ended)
		}
	}
	return table, missed
}

// hasProc tells whether /proc is there and has the numbers that this program's processes have here.
func hasProc() bool {
	name, err := os.Readlink("/proc/self")
	return err == nil && name == strconv.Itoa(os.Getpid())
}

func readNames() ([]string, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	return dir.Readdirnames(-1)
}

// readEntry reads /proc/PID/stat, which everybody may who sees the process at all.
func readEntry(pid int) (entry, error) {
	var room [1024]byte
	stat, err := readProc(pid, "stat", room[:])
	if err != nil {
		return entry{}, err
	}
	return parseEntry(pid, stat)
}

const kernelThread = 0x00200000 // PF_KTHREAD

// parseEntry takes the fields after the program's name, which may contain anything.
func parseEntry(pid int, stat []byte) (entry, error) {
	e := entry{pid: pid}
	fields := 0
	for field := range bytes.FieldsSeq(stat[bytes.LastIndexByte(stat, ')')+1:]) {
		switch fields {
		case 0:
			e.state = field[0]
		case 1:
			e.parent = int(number(field))
		case 2:
			e.group = int(number(field))
		case 3:
			e.session = int(number(field))
		case 6:
			e.kernel = number(field)&kernelThread != 0
		case 17:
			e.threads = int(number(field))
		case 19:
			e.start = number(field)
			return e, nil
		}
		fields++
	}
	return e, fmt.Errorf("expected 20 fields after the name in /proc/%d/stat, found %d", pid, fields)
}

// number reads what the kernel has written; a sign is skipped.
func number(digits []byte) (n int64) {
	for _, digit := range digits {
		if digit >= '0' && digit <= '9' {
			n = 10*n + int64(digit-'0')
		}
	}
	return n
}

// readProc reads one of a process's short files. It is cheaper than os.ReadFile, and called for every process there is.
func readProc(pid int, file string, room []byte) ([]byte, error) {
	fd, err := openProc(pid, file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = syscall.Close(fd) }()
	n, err := syscall.Read(fd, room)
	if err != nil {
		return nil, err
	}
	return room[:n], nil
}

func openProc(pid int, file string) (int, error) {
	return syscall.Open("/proc/"+strconv.Itoa(pid)+"/"+file, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
}

// hasMark looks for a mark in the environment that a process's program was started with. room is for reading, and longer
// than the mark.
func (e *entry) hasMark(mark, room []byte) (bool, doubt) {
	fd, err := openProc(e.pid, "environ")
	if err != nil {
		return false, doubtOf(err)
	}
	defer func() { _ = syscall.Close(fd) }()
	kept := 0 // bytes of the last piece, in which the mark may have begun
	for first := true; ; first = false {
		n, err := syscall.Read(fd, room[kept:])
		switch {
		case err == nil && n > 0:
		case first && !e.sleeps():
			return false, starting
		default:
			return false, sure
		}
		piece := room[:kept+n]
		if bytes.Contains(piece, mark) {
			return true, sure
		}
		kept = copy(room, piece[max(0, len(piece)-len(mark)):])
	}
}
