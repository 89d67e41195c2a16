package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

func (t *tour) queue(ctx context.Context) {
	t.step("A queue", "legacy/orders: a batch of four orders, two of which can't be done; batchItemFailures")
	coffee, tea := t.stock(ctx, "coffee-house-500"), t.stock(ctx, "tea-earl-100")
	sent := t.ask(ctx, "POST /orders", `[
		{"orderId": "1", "productId": "coffee-house-500", "quantity": 2},
		{"orderId": "2", "productId": "no-such-product", "quantity": 1},
		{"orderId": "3", "productId": "tea-earl-100", "quantity": 1},
		"not an order"]`)
	var ids struct{ MessageIDs []string }
	sent.into(&ids)
	t.check(sent.status == http.StatusAccepted && len(ids.MessageIDs) == 4, "Go takes them: %s", sent)

	var queue struct {
		Waiting, InFlight int
		DeadLetters       []struct {
			MessageID string
			Receives  int
			Body      json.RawMessage
		}
	}
	t.await(ctx, "the queue is empty", func() bool {
		t.ask(ctx, "GET /queue", "").into(&queue)
		return queue.Waiting+queue.InFlight == 0 && len(queue.DeadLetters) == 2
	})
	dead := make([]string, 0, len(queue.DeadLetters))
	for _, letter := range queue.DeadLetters {
		dead = append(dead, letter.MessageID)
		t.line("  dead letter after %d deliveries: %s", letter.Receives, letter.Body)
	}
	batches := t.batches(ctx, 3)
	t.check(slices.Equal(batches, []string{"2 of 4 failed", "2 of 2 failed", "2 of 2 failed"}), "only what failed came again: %s", strings.Join(batches, ", "))
	slices.Sort(dead)
	failing := slices.Sorted(slices.Values([]string{ids.MessageIDs[1], ids.MessageIDs[3]}))
	t.check(slices.Equal(dead, failing), "it is with the dead letters after its third delivery")
	t.check(t.stock(ctx, "coffee-house-500") == coffee-2 && t.stock(ctx, "tea-earl-100") == tea-1, "the others were done exactly once: the stock says so")
}

// batches says of so many batches how they ended.
func (t *tour) batches(ctx context.Context, most int) []string {
	done := func() []record { return t.server.logged(func(r record) bool { return r.text("msg") == "batch" }) }
	t.await(ctx, "the batches are logged", func() bool { return len(done()) >= most })
	ends := make([]string, 0, most)
	for _, r := range done() {
		ends = append(ends, fmt.Sprintf("%v of %v failed", r["failed"], r["messages"]))
	}
	return ends
}

func (t *tour) stock(ctx context.Context, id string) int {
	var p product
	t.ask(ctx, "GET /products/"+id, "").into(&p)
	return p.Stock
}
