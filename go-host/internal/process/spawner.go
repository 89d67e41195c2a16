package process

import (
	"errors"
	"runtime"
)

// ErrSpawnerClosed is returned by Start after Close.
var ErrSpawnerClosed = errors.New("spawner is closed")

// Spawner starts processes from one goroutine that keeps its thread: on Linux a process's parent-death signal is sent when
// the thread that started it ends, which for any other goroutine's thread can be long before the program does.
type Spawner struct {
	requests chan request
	closed   chan struct{}
}

type request struct {
	command  Command
	onStderr func(int, []byte)
	answer   chan answer
}

type answer struct {
	process *Process
	err     error
}

// NewSpawner starts the goroutine. Close ends it, and must come after the last process has ended.
func NewSpawner() *Spawner {
	s := &Spawner{requests: make(chan request), closed: make(chan struct{})}
	go s.run()
	return s
}

func (s *Spawner) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		select {
		case r := <-s.requests:
			process, err := start(r.command, r.onStderr)
			r.answer <- answer{process, err}
		case <-s.closed:
			return
		}
	}
}

// Start starts a process. onStderr is called for each line of its stderr, without the line end, from one goroutine.
func (s *Spawner) Start(command Command, onStderr func(pid int, line []byte)) (*Process, error) {
	r := request{command, onStderr, make(chan answer, 1)}
	select {
	case s.requests <- r:
		a := <-r.answer
		return a.process, a.err
	case <-s.closed:
		return nil, ErrSpawnerClosed
	}
}

// Close ends the goroutine. It may be called once.
func (s *Spawner) Close() { close(s.closed) }
