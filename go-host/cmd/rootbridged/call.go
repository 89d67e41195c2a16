package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"
)

// callCommand calls a function of one that runs.
type callCommand struct {
	clientFlags

	Method     string  `arg:"" help:"Exported function; dots lead to nested names."`
	JSON       *string `arg:"" optional:"" name:"json" help:"Its argument; - reads it from stdin. Without it there is no argument."`
	Convention string  `placeholder:"NAME" help:"How the function is called, if not as --convention of serve says."`
	TraceID    string  `name:"trace-id" placeholder:"ID" help:"Comes back on the call's log lines."`
	Compact    bool    `help:"Write the result on one line."`
}

// Help is what --help shows below the flags.
func (*callCommand) Help() string {
	return `Example: rootbridged call validate '{"email":"a@b.c"}' --listen unix:/run/app.sock` + "\n\n" +
		"A negative number goes behind two dashes and all flags: rootbridged call double -- -5\n\n" +
		"A result is JSON on stdout, or its bytes as they are; an error is on stderr. Exit codes: 0 a result, 1 an error, 2 wrong usage."
}

// Run prints the result.
func (c *callCommand) Run() error {
	argument, err := c.argument()
	if err != nil {
		return err
	}
	header := c.header(argument)
	if c.Timeout > 0 {
		c.Timeout += answerTime
	}
	reply, err := c.ask(http.MethodPost, c.path(), header, argument)
	if err != nil {
		return err
	}
	return c.print(reply)
}

// answerTime is how much longer than a call may take its answer is waited for, since that says more than giving up does.
const answerTime = 2 * time.Second

// argument is nil for none.
func (c *callCommand) argument() ([]byte, error) {
	if c.JSON == nil {
		return nil, nil
	}
	text := []byte(*c.JSON)
	if *c.JSON == "-" {
		var err error
		if text, err = io.ReadAll(os.Stdin); err != nil {
			return nil, err
		}
	}
	if !json.Valid(text) {
		return nil, usagef("expected the argument to be JSON, got %s; a text is in quotes of its own: '\"text\"'", somethingElse(text))
	}
	return text, nil
}

func somethingElse(text []byte) string {
	if len(bytes.TrimSpace(text)) == 0 {
		return "nothing"
	}
	return "something else"
}

func (c *callCommand) path() string {
	path := "/call/" + url.PathEscape(c.Method)
	if c.Convention != "" {
		path += "?" + url.Values{"convention": {c.Convention}}.Encode()
	}
	return path
}

func (c *callCommand) header(argument []byte) http.Header {
	header := http.Header{"Accept": {contentTypes["json"]}}
	if argument != nil {
		header.Set("Content-Type", contentTypes["json"])
	}
	if c.Timeout > 0 {
		header.Set(timeoutHeader, strconv.FormatInt(max(1, int64(c.Timeout/time.Millisecond)), 10))
	}
	if c.TraceID != "" {
		header.Set(traceIDHeader, c.TraceID)
	}
	return header
}

func (c *callCommand) print(reply *reply) error {
	if reply.status == http.StatusNoContent {
		return nil
	}
	if !strings.HasPrefix(reply.contentType, contentTypes["json"]) {
		if term.IsTerminal(int(os.Stdout.Fd())) {
			return errors.New("the call ended well, but its result is bytes, which may upset a terminal; write them to a file: > FILE")
		}
		_, err := os.Stdout.Write(reply.body)
		return err
	}
	text := new(bytes.Buffer)
	var err error
	if c.Compact {
		err = json.Compact(text, reply.body)
	} else {
		err = json.Indent(text, reply.body, "", "  ")
	}
	if err != nil {
		return err
	}
	text.WriteByte('\n')
	_, err = text.WriteTo(os.Stdout)
	return err
}
