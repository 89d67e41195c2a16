package main

import "errors"

// sendReload has no signal to send on Windows.
func sendReload() error { return errors.New("there is no SIGUSR2") }
