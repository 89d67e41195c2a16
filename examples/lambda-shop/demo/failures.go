package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

func (t *tour) exception(ctx context.Context) {
	t.step("A bug", "the function forgets that a body can be null")
	got := t.ask(ctx, "PUT /products/tea-earl-100", "null")
	t.check(got.status == http.StatusBadGateway && string(got.body) == `{"message":"Internal server error"}`, "the customer sees %s %s", got, got.body)
	failed := func() []record { return t.server.logged(func(r record) bool { return r["status"] == 502.0 }) }
	t.await(ctx, "the failure is logged", func() bool { return len(failed()) > 0 })
	for _, line := range failed() {
		text := fmt.Sprint(line["error"])
		t.check(strings.Contains(text, "Cannot read properties of null") && strings.Contains(text, "update.js:"), "Go's log has the TypeError and its stack")
	}
}

func (t *tour) endless(ctx context.Context) {
	t.step("Never an answer", "a regular expression that takes years for one address")
	before := t.workerPIDs(ctx)
	stuck := t.ask(ctx, "POST /newsletter", `{"email": "`+strings.Repeat("a", 60)+`"}`)
	t.check(stuck.status == http.StatusGatewayTimeout, "the function's time ends: %s %s", stuck, stuck.body)
	next := t.ask(ctx, "POST /newsletter", `{"email": "mara@example.com"}`)
	t.check(next.status == http.StatusOK, "the next one is answered: %s", next)
	dead := func() []int { return slices.DeleteFunc(slices.Clone(before), alive) }
	t.await(ctx, "the stuck process is killed and replaced", func() bool {
		return len(dead()) > 0 && len(t.workerPIDs(ctx)) == processes
	})
	t.check(len(dead()) == 1, "process %v, stuck in it, was killed and replaced", dead())
}

func (t *tour) retired(ctx context.Context) {
	t.step("Retirement", "OPTIONS /products is Go's by now: a line in routes.go goes before the function's")
	before := t.stats(ctx)["products"].Succeeded
	got := t.ask(ctx, "OPTIONS /products", "", "Origin", "https://shop.example")
	after := t.stats(ctx)["products"].Succeeded
	t.check(got.status == http.StatusNoContent && got.header.Get("Access-Control-Allow-Origin") == "*" && before == after,
		"answered as before, and no JavaScript was called: %s", got)
}
