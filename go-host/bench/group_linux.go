package main

import "syscall"

// ownGroup is for processes that a terminal's Ctrl-C shall not reach.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
