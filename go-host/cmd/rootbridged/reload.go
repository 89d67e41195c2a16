package main

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// reloadCommand lets one that runs load its code anew.
type reloadCommand struct{ adminFlags }

// Help is what --help shows below the flags.
func (*reloadCommand) Help() string {
	return "Example: rootbridged reload --listen unix:/run/app.sock\n\n" +
		"It returns when no worker of the earlier code takes calls any more. Exit codes: 0 the new code serves, " +
		"1 failed, 2 wrong usage, 3 the new code did not load: the earlier goes on."
}

// Run waits for the reload's end.
func (c *reloadCommand) Run() error {
	reply, err := c.ask(http.MethodPost, "/reload")
	if err != nil {
		return err
	}
	var told struct {
		Generation int `json:"generation"`
	}
	if err := json.Unmarshal(reply.body, &told); err != nil || told.Generation == 0 {
		return reply.notOurs()
	}
	_, err = fmt.Printf("generation %d serves\n", told.Generation)
	return err
}
