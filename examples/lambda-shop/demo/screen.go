package main

import (
	"fmt"
	"os"
	"time"
)

// screen prints for a person: with colours on a terminal, plain elsewhere or when NO_COLOR is set.
type screen struct {
	file   *os.File
	colour bool
	steps  int
	passed int
	failed int
}

func newScreen(file *os.File) *screen {
	info, err := file.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return &screen{file: file, colour: terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (s *screen) title(text string) { s.print(s.paint("1", text)) }

func (s *screen) step(title, detail string) {
	s.steps++
	s.print(fmt.Sprintf("\n%s  %s", s.paint("1;36", fmt.Sprintf("%d. %s", s.steps, title)), s.paint("2", detail)))
}

func (s *screen) line(format string, values ...any) { s.print("   " + fmt.Sprintf(format, values...)) }

// check shows an expectation and whether it came true.
func (s *screen) check(ok bool, format string, values ...any) { //nolint:revive // an expectation is a flag
	mark := s.paint("32", "✓")
	if ok {
		s.passed++
	} else {
		mark = s.paint("31", "✗ NOT SO:")
		s.failed++
	}
	s.print("   " + mark + " " + fmt.Sprintf(format, values...))
}

func (s *screen) summary(took time.Duration) {
	text := s.paint("1;32", fmt.Sprintf("\nAll %d checks passed", s.passed))
	if s.failed > 0 {
		text = s.paint("1;31", fmt.Sprintf("\n%d of %d checks failed", s.failed, s.passed+s.failed))
	}
	s.print(fmt.Sprintf("%s in %.1f s", text, took.Seconds()))
}

func (s *screen) print(text string) { fmt.Fprintln(s.file, text) }

func (s *screen) paint(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
