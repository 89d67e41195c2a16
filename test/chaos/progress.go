package main

import (
	"fmt"
	"os"
	"time"
)

// showProgress tells how far everything is until it is stopped: on a terminal in one line that changes, elsewhere in a line
// now and then.
func showProgress(w *os.File, sum func() report) (stop func()) {
	p := progress{w: w, every: 15 * time.Second, end: "\n", began: time.Now()}
	if info, err := w.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		p.every, p.begin, p.end = time.Second, "\r\033[K", ""
	}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		p.show(sum, done)
	}()
	return func() {
		close(done)
		<-stopped
	}
}

type progress struct {
	w          *os.File
	every      time.Duration
	begin, end string // of each line
	began      time.Time
}

func (p *progress) show(sum func() report, done chan struct{}) {
	ticker := time.NewTicker(p.every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r := sum()
			_, _ = fmt.Fprintf(p.w, "%s%v: hosts %d, faults %d, calls %d, violations %d%s",
				p.begin, time.Since(p.began).Round(time.Second), r.Lives, r.faults(), r.Calls, len(r.Violations), p.end)
		case <-done:
			_, _ = p.w.WriteString(p.begin)
			return
		}
	}
}
