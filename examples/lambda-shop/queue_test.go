package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

func TestOnlyTheFailedMessagesOfABatchAreDeliveredAgain(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	orders := startConsumer(t, time.Millisecond, slog.New(slog.NewJSONHandler(log, nil)))
	pot, cup := create(t, 10), create(t, 1)
	ids := orders.send([]json.RawMessage{
		orderOf(pot.ID, 3), orderOf("no-such-product", 1), orderOf(cup.ID, 2), json.RawMessage(`"not an order"`), orderOf(pot.ID, 2),
	})
	eventually(t, "nothing waits any more", func() bool { return isIdle(orders) })

	dead := map[string]int{}
	for _, letter := range orders.state().DeadLetters {
		dead[letter.ID] = letter.Receives
	}
	want := map[string]int{ids[1]: maxReceives, ids[2]: maxReceives, ids[3]: maxReceives}
	if !maps.Equal(dead, want) {
		t.Errorf("the dead letters and their deliveries are %v, want %v", dead, want)
	}
	batches := []string{}
	for _, line := range log.find(says("batch")) {
		batches = append(batches, fmt.Sprintf("%v/%v", line["failed"], line["messages"]))
	}
	if !slices.Equal(batches, []string{"3/5", "3/3", "3/3"}) {
		t.Errorf("the batches failed %v, want 3 of 5 and then 3 of 3", batches)
	}
	checkStock(t, pot.ID, 5)
	checkStock(t, cup.ID, 1)
}

func TestAMessageThatFailedSucceedsOnceItsCauseIsGone(t *testing.T) {
	t.Parallel()
	orders := startConsumer(t, time.Hour, slog.New(slog.DiscardHandler))
	pot := create(t, 0)
	orders.send([]json.RawMessage{orderOf(pot.ID, 2)})
	eventually(t, "it has failed", func() bool { return hasFailed(orders) })
	ask(t, "PUT /products/"+pot.ID, `{"name":"Pot","price":24.5,"stock":5}`)
	endInvisibility(orders)
	eventually(t, "nothing waits any more", func() bool { return isIdle(orders) })
	if dead := orders.state().DeadLetters; len(dead) > 0 {
		t.Errorf("it is dead after %d deliveries", dead[0].Receives)
	}
	checkStock(t, pot.ID, 3)
}

func TestAnOrderThatIsDeliveredTwiceIsDoneOnce(t *testing.T) {
	t.Parallel()
	orders := startConsumer(t, time.Millisecond, slog.New(slog.DiscardHandler))
	pot := create(t, 10)
	order := orderOf(pot.ID, 3)
	orders.send([]json.RawMessage{order, order})
	eventually(t, "nothing waits any more", func() bool { return isIdle(orders) })
	checkStock(t, pot.ID, 7)
}

func TestWhichMessagesOfABatchHaveFailed(t *testing.T) {
	t.Parallel()
	batch := []*message{{ID: "a"}, {ID: "b"}}
	for _, test := range []struct {
		name   string
		result []events.SQSBatchItemFailure
		err    error
		want   []string
	}{
		{"none", nil, nil, nil},
		{"one", []events.SQSBatchItemFailure{{ItemIdentifier: "b"}}, nil, []string{"b"}},
		{"one, named twice", []events.SQSBatchItemFailure{{ItemIdentifier: "b"}, {ItemIdentifier: "b"}}, nil, []string{"b"}},
		{"one without a name", []events.SQSBatchItemFailure{{}}, nil, []string{"a", "b"}},
		{"one of another batch", []events.SQSBatchItemFailure{{ItemIdentifier: "c"}}, nil, []string{"a", "b"}},
		{"the function", nil, errors.New("it threw"), []string{"a", "b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			failed := failedOf(batch, events.SQSEventResponse{BatchItemFailures: test.result}, test.err)
			if got := slices.Sorted(maps.Keys(failed)); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestABatchHasTenMessagesAtMostAndAFailedOneComesLast(t *testing.T) {
	t.Parallel()
	q := newQueue(time.Nanosecond)
	ids := q.send(make([]json.RawMessage, batchSize+2))
	batch := q.receive(t.Context(), batchSize)
	if len(batch) != batchSize || batch[0].ID != ids[0] {
		t.Fatalf("got %d messages, want the first %d", len(batch), batchSize)
	}
	q.settle(batch, map[string]bool{ids[0]: true})
	eventually(t, "the failed one is visible", func() bool { return !q.waiting[len(q.waiting)-1].visible.After(time.Now()) })
	rest := q.receive(t.Context(), batchSize)
	if len(rest) != 3 || rest[2].ID != ids[0] || rest[2].Receives != 2 {
		t.Errorf("got %d messages, want two new ones, and then the failed one", len(rest))
	}
}

func TestWhatIsNoListOfOrdersIsRefused(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "{}", `[{"orderId":`, `"` + string(make([]byte, maxOrders)) + `"`} {
		orders, w := newQueue(time.Second), httptest.NewRecorder()
		sendOrders(orders)(w, httptest.NewRequestWithContext(t.Context(), "POST", "/orders", strings.NewReader(body)))
		if w.Code != http.StatusBadRequest || orders.state().Waiting != 0 {
			t.Errorf("%.20q: got %d and %d messages", body, w.Code, orders.state().Waiting)
		}
	}
}

// startConsumer gives a test a queue of its own.
func startConsumer(t *testing.T, retryAfter time.Duration, logger *slog.Logger) *queue {
	t.Helper()
	orders := newQueue(retryAfter)
	ctx, stop := context.WithCancel(context.Background())
	var consuming sync.WaitGroup
	consuming.Go(func() { consume(ctx, orders, shop.functions.orders, logger) })
	t.Cleanup(func() { stop(); consuming.Wait() })
	return orders
}

// hasFailed says that a message waits that was delivered before.
func hasFailed(q *queue) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.ContainsFunc(q.waiting, func(m *message) bool { return m.Receives > 0 })
}

func endInvisibility(q *queue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.waiting {
		m.visible = time.Now()
	}
	q.wake()
}

func orderOf(product string, quantity int) json.RawMessage {
	return fmt.Appendf(nil, `{"orderId":%q,"productId":%q,"quantity":%d}`, rand.Text(), product, quantity)
}

func isIdle(q *queue) bool {
	state := q.state()
	return state.Waiting+state.InFlight == 0
}

func checkStock(t *testing.T, id string, want int) {
	t.Helper()
	if got := decode[product](t, ask(t, "GET /products/"+id, "").body).Stock; got != want {
		t.Errorf("%d of %s are left, want %d", got, id, want)
	}
}

func TestARecordHasWhatSQSSends(t *testing.T) {
	t.Parallel()
	q := newQueue(0)
	q.send([]json.RawMessage{json.RawMessage(`{"id":1}`)})
	var last events.SQSMessage
	for receives, want := range []string{"1", "2"} {
		batch, _ := q.take(time.Now(), 1)
		record := sqsEvent(batch).Records[0]
		if record.Attributes["ApproximateReceiveCount"] != want || record.Md5OfBody != "d2ce28b9a7fd7e4407e2b0fd499b7fe4" || record.ReceiptHandle == last.ReceiptHandle {
			t.Errorf("got %+v", record)
		}
		first := record.Attributes["ApproximateFirstReceiveTimestamp"]
		if receives == 1 && first != last.Attributes["ApproximateFirstReceiveTimestamp"] {
			t.Errorf("it was first received at %s, then at %s", last.Attributes["ApproximateFirstReceiveTimestamp"], first)
		}
		if text, err := json.Marshal(record); err != nil || !strings.Contains(string(text), `"messageAttributes":{}`) || record.Attributes["SenderId"] == "" {
			t.Errorf("got %s, %v", text, err)
		}
		last = record
		q.settle(batch, map[string]bool{record.MessageId: true})
	}
}
