package main

import "net/http"

// checkCommand is a probe for where there is no curl.
type checkCommand struct {
	adminFlags

	What string `arg:"" optional:"" default:"ready" enum:"ready,live" help:"ready (default): calls can be expected to succeed; live: a restart would not help."`
}

// Help is what --help shows below the flags.
func (*checkCommand) Help() string {
	return "Example: rootbridged check ready --listen unix:/run/app.sock"
}

// Run fails where a probe is to fail.
func (c *checkCommand) Run() error {
	path := "/readyz"
	if c.What == "live" {
		path = "/healthz"
	}
	reply, err := c.ask(http.MethodGet, path)
	if err == nil && string(reply.body) != healthy {
		return reply.notOurs()
	}
	return err
}
