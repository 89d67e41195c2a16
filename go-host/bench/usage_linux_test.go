package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// Allocations, processor time and memory are those of this process and of all its children, so each of these tests has it for itself:
// none is parallel.

func TestWhatItCostsToReadWhatIsUsedIsNotMeasured(t *testing.T) {
	pids := slices.Repeat([]int{os.Getpid()}, 100)
	before := timeOf(rusage(unix.RUSAGE_SELF))
	if _, err := usageUntil(pids); err != nil {
		t.Fatal(err)
	}
	reading := timeOf(rusage(unix.RUSAGE_SELF)) - before
	synctest.Test(t, func(t *testing.T) {
		sleepy := &fake{func(int) error { time.Sleep(time.Millisecond); return nil }, pids}
		f := measured(t, sleepy, 1, time.Millisecond)
		if allocs := f.Allocs * float64(f.Calls); allocs >= float64(len(pids)) {
			t.Errorf("%.0f allocations in %d calls that have none, beside %d processes", allocs, f.Calls, len(pids))
		}
		if used := time.Duration(f.GoCPU*float64(f.Calls)) * time.Microsecond; used > reading/4 {
			t.Errorf("%d calls that do nothing took %v of processor time; to read once what is used takes %v", f.Calls, used, reading)
		}
	})
}

func TestAllocationsAreThoseOfEachCall(t *testing.T) {
	const each, callers = 1_000, 3
	var got [2]float64
	for i := range got {
		synctest.Test(t, func(t *testing.T) {
			kept := make([][each]*[64]byte, callers)
			c := &fake{call: func(caller int) error {
				time.Sleep(time.Millisecond)
				for j := range i * each {
					kept[caller][j] = new([64]byte)
				}
				return nil
			}}
			got[i] = measured(t, c, callers, 10*time.Millisecond).Allocs
		})
	}
	if more := got[1] - got[0]; more < each-1 || more > each+10 {
		t.Errorf("calls with %d allocations more have %.1f more", each, more)
	}
}

func TestSystemCallsAreCountedByWhatTheyDo(t *testing.T) {
	const reads, writes, callers = 30, 70, 3
	zero := open(t, "/dev/zero", os.O_RDONLY)
	null := open(t, "/dev/null", os.O_WRONLY)
	synctest.Test(t, func(t *testing.T) {
		c := &fake{call: func(int) (err error) {
			time.Sleep(time.Millisecond)
			for range reads {
				_, failed := zero.Read(make([]byte, 1))
				err = errors.Join(err, failed)
			}
			for range writes {
				_, failed := null.Write(make([]byte, 1))
				err = errors.Join(err, failed)
			}
			return err
		}}
		f := measured(t, c, callers, 10*time.Millisecond)
		if f.Reads < reads || f.Reads > reads+5 || f.Writes < writes || f.Writes > writes+5 { // others of this process are few
			t.Errorf("calls that read %d and write %d times have %.1f and %.1f", reads, writes, f.Reads, f.Writes)
		}
	})
}

func open(t *testing.T, name string, flag int) *os.File {
	t.Helper()
	file, err := os.OpenFile(name, flag, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}

func TestProcessorTimeIsThatOfEachSide(t *testing.T) {
	const here, there = 30 * time.Millisecond, 60 * time.Millisecond
	n := startScript(t)
	c := &fake{func(int) error {
		burn(here)
		return n.do(fmt.Sprintf("burn(%d)", there.Milliseconds()))
	}, []int{n.pid()}}
	f := measured(t, c, 1, 4*(here+there))
	for side, used := range map[string]struct {
		micros float64
		least  time.Duration
	}{"Go": {f.GoCPU, here}, "Node": {f.NodeCPU, there}} {
		least := used.least.Seconds() * 1e6
		if used.micros < 0.9*least || used.micros > 1.5*least { // the kernel may not have counted a last few milliseconds
			t.Errorf("%s took %.0f us a call, expected a little more than %.0f", side, used.micros, least)
		}
	}
}

func TestMemoryIsTheMostSinceTheMeasurementBegan(t *testing.T) {
	const size = 100 << 20
	n := startScript(t)
	peaks := func(size int) figures {
		c := &fake{func(int) error { return errors.Join(holdForAWhile(size), n.do(fmt.Sprintf("hold(%d)", size))) }, []int{n.pid()}}
		f := measured(t, c, 1, time.Millisecond)
		if err := n.do("hold(0)"); err != nil {
			t.Fatal(err)
		}
		return f
	}
	before, during, after := peaks(0), peaks(size), peaks(0)
	for side, of := range map[string]func(figures) uint64{
		"Go": func(f figures) uint64 { return f.GoPeak }, "Node": func(f figures) uint64 { return f.NodePeak },
	} {
		without, with, again := of(before)>>20, of(during)>>20, of(after)>>20
		if without == 0 || with < without+size*9/10>>20 || with > without+size*2>>20 || again > without+size/2>>20 {
			t.Errorf("%s: at most %d MiB, then %d, then %d; expected %d more in the middle", side, without, with, again, size>>20)
		}
	}
}

// holdForAWhile has memory that the race detector has no shadow of.
func holdForAWhile(size int) error {
	if size == 0 {
		return nil
	}
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_POPULATE)
	return errors.Join(err, unix.Munmap(memory))
}

func TestWhatTheWorkBeforeHasLeftIsNotMeasured(t *testing.T) {
	const size = 100 << 20
	if err := resetPeaks(nil); err != nil {
		t.Fatal(err)
	}
	runtime.KeepAlive(bytes.Repeat([]byte{1}, size))
	before, err := usageUntil(nil)
	if err != nil {
		t.Fatal(err)
	}
	f := measured(t, &fake{call: func(int) error { return nil }}, 1, time.Millisecond)
	if f.GoPeak > before.goPeak-size/2 {
		t.Errorf("at most %d MiB were in use, %d before, with %d that nothing refers to", f.GoPeak>>20, before.goPeak>>20, size>>20)
	}
}

func TestWhatHasEndedCountsAsTheOtherSide(t *testing.T) {
	var used time.Duration
	var largest int64
	c := &fake{call: func(int) error {
		cmd := exec.CommandContext(t.Context(), "node", "-e", scriptFunctions+"burn(40)")
		if err := cmd.Run(); err != nil {
			return err
		}
		used += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		largest = max(largest, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss<<10) //nolint:errcheck // as on all of unix
		return nil
	}}
	f := measured(t, c, 1, time.Millisecond)
	got, want := f.NodeCPU*float64(f.Calls), used.Seconds()*1e6
	if want < 40_000 || got < want*0.99 || got > want*1.01 {
		t.Errorf("got %.0f us of processor time, expected %.0f", got, want)
	}
	if f.NodePeak < uint64(largest) {
		t.Errorf("got %d bytes of memory, expected at least %d", f.NodePeak, largest)
	}
}

// burn computes until this process has used so much processor time.
func burn(d time.Duration) {
	start := timeOf(rusage(unix.RUSAGE_SELF))
	for timeOf(rusage(unix.RUSAGE_SELF))-start < d {
	}
}

// script is a Node that does what it is told, a line of JavaScript each.
type script struct {
	cmd     *exec.Cmd
	in      io.Writer
	answers *bufio.Reader
}

const scriptFunctions = `
const milliseconds = ({ user, system }) => (user + system) / 1000
function burn(time) {
  const start = process.cpuUsage()
  while (milliseconds(process.cpuUsage(start)) < time);
}
`

const scriptLoop = `
const memory = process.memoryUsage.rss
const atStart = memory()
let held
function hold(size) {
  held = Buffer.alloc(size, 1)
  do gc()
  while (memory() > atStart + size + 3e7) // until the system has back what was held before
}
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  eval(line)
  console.log('done')
})
`

func startScript(t *testing.T) *script {
	t.Helper()
	cmd := exec.Command("node", "--expose-gc", "-e", scriptFunctions+scriptLoop)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &script{cmd, in, bufio.NewReader(out)}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	if err := s.do("0"); err != nil { // it has started
		t.Fatal(err)
	}
	return s
}

func (s *script) pid() int { return s.cmd.Process.Pid }

func (s *script) do(line string) error {
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		return err
	}
	answer, err := s.answers.ReadString('\n')
	if err == nil && strings.TrimSpace(answer) != "done" {
		err = fmt.Errorf("expected Node to be done, got %s", strconv.Quote(answer))
	}
	return err
}
