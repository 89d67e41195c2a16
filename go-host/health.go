package rootbridge

// Ready tells whether calls can be expected to succeed, for a readiness check: nil when a worker takes calls, or when none
// need run (a negative Options.MinWorkers) and none fails to. Its errors are of type *Error: worker_unavailable, or closed
// from the beginning of Close or Shutdown on.
func (h *Host) Ready() error {
	if h.life.Err() != nil {
		return errClosed()
	}
	if h.pool.HasOpen() {
		return nil
	}
	if err := h.pool.Broken(); err != nil {
		return err
	}
	if h.options.MinWorkers == 0 {
		return nil
	}
	return &Error{Code: CodeWorkerUnavailable, Message: "no worker takes calls at the moment"}
}

// Live tells whether the host can still recover by itself, for a liveness check: nil until it is closed. Workers that crash,
// or code that does not load, are no reason to restart the program: the host tries again by itself. Its error is of type
// *Error with the code closed.
func (h *Host) Live() error {
	if h.life.Err() != nil {
		return errClosed()
	}
	return nil
}
