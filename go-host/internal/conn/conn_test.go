package conn_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rootbridge/internal/conn"
	"rootbridge/internal/frame"
)

func TestAnswersReachTheirOwnCallsInAnyOrder(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	const n = 300
	var callers sync.WaitGroup
	for i := range n {
		callers.Go(func() {
			want := fmt.Sprintf("payload %d", i)
			call := conn.NewCall()
			if err := p.conn.Send(call, frame.JSON, []byte(`{}`), []byte(want)); err != nil {
				t.Error(err)
				return
			}
			<-call.Done
			if call.Err != nil || string(call.Payload) != want {
				t.Errorf("got %q, %v, expected %q", call.Payload, call.Err, want)
			}
		})
	}
	var received []frame.Frame
	for range n {
		received = append(received, p.next())
	}
	for i := len(received) - 1; i >= 0; i-- {
		p.send(frame.Reply, received[i].ID, received[i].Payload)
	}
	callers.Wait()
	if got := p.settled(); got != n {
		t.Errorf("%d calls settled, expected %d", got, n)
	}
}

// Many callers at once make the writer's turn long: it must be handed on without a frame being left behind.
func TestNoCallIsForgottenUnderManyCallers(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	const callers, each = 64, 300
	go func() {
		for range callers * each {
			f, err := p.reader.Next()
			if err != nil {
				return
			}
			p.send(frame.Reply, f.ID, f.Payload)
		}
	}()
	var done sync.WaitGroup
	for i := range callers {
		done.Go(func() {
			for j := range each {
				want := fmt.Sprintf("%d of %d", j, i)
				call := conn.NewCall()
				if err := p.conn.Send(call, frame.JSON, []byte(`{}`), []byte(want)); err != nil {
					t.Error(err)
					return
				}
				<-call.Done
				if string(call.Payload) != want {
					t.Errorf("got %q, expected %q", call.Payload, want)
				}
				frame.Recycle(call.Payload)
				call.Recycle()
			}
		})
	}
	done.Wait()
}

func TestIDsAscendOnTheWire(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	const n = 500
	var callers sync.WaitGroup
	for range n {
		callers.Go(func() {
			if err := p.conn.Send(conn.NewCall(), frame.JSON, nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	for want := range uint32(n) {
		if f := p.next(); f.ID != want+1 {
			t.Fatalf("frame %d has id %d", want, f.ID)
		}
	}
	callers.Wait()
}

func TestALateAnswerIsDroppedAndCounted(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	late, next := conn.NewCall(), conn.NewCall()
	p.mustSend(late)
	id := p.next().ID
	if !p.conn.Abandon(late, "deadline_exceeded") {
		t.Fatal("the call had settled before its answer")
	}
	if f := p.next(); f.Kind != frame.Cancel || f.ID != id || string(f.Meta) != `{"reason":"deadline_exceeded"}` {
		t.Errorf("expected a cancel, got %+v", f)
	}
	p.mustSend(next)
	nextID := p.next().ID
	p.send(frame.Reply, id, []byte(`"late"`))
	p.send(frame.Reply, nextID, []byte(`"next"`))
	<-next.Done
	if string(next.Payload) != `"next"` {
		t.Errorf("the next call got %s", next.Payload)
	}
	if p.conn.Late() != 1 || p.settled() != 2 {
		t.Errorf("late %d, settled %d", p.conn.Late(), p.settled())
	}
}

func TestAnAnswerThatComesWhileItsCallIsAbandonedIsDelivered(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	call := conn.NewCall()
	p.mustSend(call)
	p.send(frame.Reply, p.next().ID, []byte("1"))
	<-call.Done
	if p.conn.Abandon(call, "canceled") {
		t.Error("a settled call was abandoned")
	}
}

func TestAnswersToNothingAreSkippedAndCounted(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	call := conn.NewCall()
	p.mustSend(call)
	id := p.next().ID
	p.send(frame.Reply, id+1, []byte("1"))
	p.send(frame.Chunk, id, []byte("2"))
	p.send(frame.Kind(200), id, nil)
	p.send(frame.Reply, id, []byte("3"))
	p.send(frame.Reply, id, []byte("4"))
	<-call.Done
	if string(call.Payload) != "3" {
		t.Errorf("got %s", call.Payload)
	}
	p.end()
	if p.conn.Strays() != 4 {
		t.Errorf("%d strays, expected 4", p.conn.Strays())
	}
}

func TestTheEndOfTheConnectionFailsEveryCallOnceAndAllLaterOnes(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	calls := []*conn.Call{conn.NewCall(), conn.NewCall(), conn.NewCall()}
	for _, call := range calls {
		p.mustSend(call)
		p.next()
	}
	p.conn.Abandon(calls[2], "canceled")
	p.end()
	for _, call := range calls[:2] {
		<-call.Done
		if !errors.Is(call.Err, errEnded) {
			t.Errorf("got %v", call.Err)
		}
	}
	if p.settled() != 3 {
		t.Errorf("%d settled", p.settled())
	}
	late := conn.NewCall()
	if err := p.conn.Send(late, frame.JSON, nil, nil); !errors.Is(err, errEnded) || late.Sent() {
		t.Errorf("a call after the end: %v", err)
	}
}

func TestAGoawayGivesBackTheCallsThatTheWorkerDidNotStart(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	first, second := conn.NewCall(), conn.NewCall()
	p.mustSend(first)
	p.mustSend(second)
	id := p.next().ID
	p.next()
	p.sendMeta(frame.Goaway, fmt.Sprintf(`{"reason":"tired","last_id":%d}`, id))
	<-second.Done
	if !errors.Is(second.Err, conn.ErrNotStarted) {
		t.Errorf("the second call: %v", second.Err)
	}
	if err := p.conn.Send(conn.NewCall(), frame.JSON, nil, nil); !errors.Is(err, conn.ErrNotStarted) {
		t.Errorf("a call after goaway: %v", err)
	}
	quiet := p.conn.Quiet()
	p.send(frame.Reply, id, []byte("1"))
	<-first.Done
	<-quiet
}

func TestAWorkerThatGoesOnServingKeepsItsCallsAndGetsMore(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	before, after := conn.NewCall(), conn.NewCall()
	p.mustSend(before)
	id := p.next().ID
	for range 2 {
		p.sendMeta(frame.Goaway, `{"reason":"SIGUSR2","last_id":0,"serving":true}`)
	}
	p.mustSend(after)
	afterID := p.next().ID
	p.send(frame.Reply, afterID, []byte("2"))
	p.send(frame.Reply, id, []byte("1"))
	<-before.Done
	<-after.Done
	if string(before.Payload) != "1" || string(after.Payload) != "2" {
		t.Errorf("got %q, %v and %q, %v", before.Payload, before.Err, after.Payload, after.Err)
	}
	want := frame.GoawayMeta{Reason: "SIGUSR2", LastID: new(uint32), Serving: true}
	if got := p.seenGoaways(); !reflect.DeepEqual(got, []frame.GoawayMeta{want, want}) {
		t.Errorf("the handler got %+v", got)
	}
	p.conn.Goaway()
	if err := p.conn.Send(conn.NewCall(), frame.JSON, nil, nil); !errors.Is(err, conn.ErrNotStarted) {
		t.Errorf("a call after the host's goaway: %v", err)
	}
}

func TestAWorkersInputEndsBehindTheGoaway(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	p.conn.Goaway()
	p.conn.Ping()
	p.expectLast(frame.Goaway)
}

func TestAWorkerThatIsToEndGetsTheRestOfACallAndNoneThatWaitsBehindIt(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	calls := make([]*conn.Call, 4)
	for i := range calls {
		calls[i] = conn.NewCall()
		size := 100_000 // more than a pipe holds
		if i == 2 {
			size = 10
		}
		if err := p.conn.Send(calls[i], frame.Raw, nil, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(calls[i].Reclaim)
	}
	p.conn.Goaway()
	for i, call := range calls[1:] {
		<-call.Done
		if !errors.Is(call.Err, conn.ErrNotStarted) {
			t.Errorf("call %d, of which nothing was sent: %v", i+1, call.Err)
		}
	}
	p.expectLast(frame.Call, frame.Goaway)
	if waiting, _ := p.conn.InFlight(); waiting != 1 {
		t.Errorf("%d calls are in flight, expected the one that was sent", waiting)
	}
}

func TestNoCallIsSentWhileItsConnectionRefusesThem(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	call := conn.NewCall()
	p.mustSend(call)
	p.conn.Refuse()
	if err := p.conn.Send(conn.NewCall(), frame.JSON, nil, nil); !errors.Is(err, conn.ErrNotStarted) {
		t.Errorf("a later call: %v", err)
	}
	p.send(frame.Reply, p.next().ID, []byte("1"))
	<-p.conn.Quiet()
	<-call.Done
	if string(call.Payload) != "1" {
		t.Errorf("the call that was sent before got %q, %v", call.Payload, call.Err)
	}
}

func TestAnOrdinaryGoawayCountsAfterOneThatGoesOnServing(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	call := conn.NewCall()
	p.mustSend(call)
	p.sendMeta(frame.Goaway, `{"reason":"SIGUSR2","serving":true}`)
	p.sendMeta(frame.Goaway, `{"reason":"boom","last_id":0}`)
	<-call.Done
	if !errors.Is(call.Err, conn.ErrNotStarted) {
		t.Errorf("got %v", call.Err)
	}
	if err := p.conn.Send(conn.NewCall(), frame.JSON, nil, nil); !errors.Is(err, conn.ErrNotStarted) {
		t.Errorf("a later call: %v", err)
	}
}

func TestStatsAreAskedForAndHandedOn(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	p.conn.AskStats()
	if f := p.next(); f.Kind != frame.Stats || f.ID != 0 || len(f.Meta) != 0 || len(f.Payload) != 0 {
		t.Errorf("asked with %+v", f)
	}
	p.send(frame.Stats, 0, []byte(`{"elu":0.25,"rss":62914560,"heap_used":"none"}`))
	p.send(frame.Stats, 0, []byte(`[]`)) // not readable: a stray
	p.end()
	elu := 0.25
	if got := p.seenStats(); !reflect.DeepEqual(got, []frame.StatsMessage{{ELU: &elu, RSS: 62_914_560}}) {
		t.Errorf("the handler got %+v", got)
	}
	if p.conn.Strays() != 1 {
		t.Errorf("%d strays, expected 1", p.conn.Strays())
	}
}

func TestAPayloadOverThePeersLimitIsNotSent(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	call := conn.NewCall()
	if err := p.conn.Send(call, frame.Raw, nil, make([]byte, peerLimit+1)); !errors.Is(err, conn.ErrTooLarge) || call.Sent() {
		t.Errorf("one past the limit: %v", err)
	}
	if err := p.conn.Send(call, frame.Raw, nil, make([]byte, peerLimit)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if f := p.next(); len(f.Payload) != peerLimit {
		t.Errorf("received %d bytes", len(f.Payload))
	}
}

// A worker that does not read must not stop callers, and must get everything in order once it reads.
func TestCallersDoNotWaitForAWorkerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	sizes := []int{10, 300_000, 20, 70_000, 5, 1_000_000, 64 << 10, 64<<10 - 1, 3}
	const rounds = 5
	for i := range rounds * len(sizes) {
		payload := bytes.Repeat([]byte{byte(i)}, sizes[i%len(sizes)])
		call := conn.NewCall()
		if err := p.conn.Send(call, frame.Raw, nil, payload); err != nil {
			t.Fatal(err)
		}
		call.Reclaim()
		clear(payload) // nobody has a claim on it any more
	}
	for i := range rounds * len(sizes) {
		f := p.next()
		if want := bytes.Repeat([]byte{byte(i)}, sizes[i%len(sizes)]); f.ID != uint32(i+1) || !bytes.Equal(f.Payload, want) {
			t.Fatalf("frame %d: id %d, %d bytes", i, f.ID, len(f.Payload))
		}
	}
}

func TestABrokenPipeIsReportedOnce(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	_ = p.input.Close()
	for range 3 {
		_ = p.conn.Send(conn.NewCall(), frame.JSON, nil, nil)
	}
	if got := p.unwritable(); got != 1 {
		t.Errorf("reported %d times", got)
	}
}

func TestAPingIsAnsweredWithItsPayload(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	p.send(frame.Ping, 0, []byte("are you there"))
	if f := p.next(); f.Kind != frame.Pong || string(f.Payload) != "are you there" {
		t.Errorf("got %+v", f)
	}
}

func TestAWorkerThatPingsAndDoesNotReadBreaksTheProtocol(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	full := bytes.Repeat([]byte("x"), 1<<20) // more than a pipe holds
	if err := p.conn.Send(conn.NewCall(), frame.Raw, nil, full); err != nil {
		t.Fatal(err)
	}
	ping := frame.Append(nil, frame.Ping, frame.Raw, 0, nil, bytes.Repeat([]byte("y"), frame.MaxPing))
	for range 1_000 {
		p.write(ping)
	}
	p.write(frame.Append(nil, frame.Ping, frame.Raw, 0, nil, bytes.Repeat([]byte("y"), frame.MaxPing+1))) // skipped
	p.next()
	for range 1_000 {
		if f := p.next(); f.Kind != frame.Pong || len(f.Payload) != frame.MaxPing {
			t.Fatalf("got %v with %d bytes", f.Kind, len(f.Payload))
		}
	}
	if err := p.conn.Send(conn.NewCall(), frame.Raw, nil, full); err != nil {
		t.Fatal(err)
	}
	for range 1_025 {
		p.write(ping)
	}
	<-p.served
	if reason := p.reason(); !strings.Contains(fmt.Sprint(reason), "pings") {
		t.Errorf("it ended with %v", reason)
	}
}

func TestAWorkerThatReadsMayPingHoweverMuchWaitsForIt(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	large := make([]byte, 1<<20) // more than a pipe holds
	send := func() {
		if err := p.conn.Send(conn.NewCall(), frame.Raw, nil, large); err != nil {
			t.Fatal(err)
		}
	}
	ping := frame.Append(nil, frame.Ping, frame.Raw, 0, nil, nil)
	send()
	send()
	for pongs := 0; pongs < 1_500; { // more than may wait
		send()
		for range 100 {
			p.write(ping)
		}
		for f := p.next(); f.Kind != frame.Call; f = p.next() {
			pongs++
		}
	}
}

func TestCallsOfWhichNothingWasSentAreNotStarted(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	sent, half, unsent := conn.NewCall(), conn.NewCall(), conn.NewCall()
	p.mustSend(sent)
	p.next()
	if err := p.conn.Send(half, frame.Raw, nil, make([]byte, 1<<20)); err != nil { // more than a pipe holds
		t.Fatal(err)
	}
	p.mustSend(unsent)
	p.end()
	for name, c := range map[string]struct {
		call *conn.Call
		want error
	}{"sent": {sent, errEnded}, "half": {half, errEnded}, "unsent": {unsent, conn.ErrNotStarted}} {
		<-c.call.Done
		if !errors.Is(c.call.Err, c.want) {
			t.Errorf("%s: %v", name, c.call.Err)
		}
	}
}

// Large frames wait in pieces of their own, small ones together before and behind them.
func TestFramesOfAllSizesArriveWholeAndInTheirOrder(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	sizes := []int{1 << 20, 10, 64 << 10, 64<<10 - 1, 0, 300 << 10, 5, 2 << 20, 70 << 10}
	for round := range 4 {
		for i, size := range sizes {
			payload := bytes.Repeat([]byte{byte(round*len(sizes) + i)}, size)
			call := conn.NewCall()
			if err := p.conn.Send(call, frame.Raw, []byte(`{}`), payload); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 { // the others are lent until they are written
				call.Reclaim()
				clear(payload)
			}
		}
	}
	for i := range 4 * len(sizes) {
		f := p.next()
		if want := sizes[i%len(sizes)]; int(f.ID) != i+1 || string(f.Meta) != "{}" || len(f.Payload) != want || len(bytes.Trim(f.Payload, string([]byte{byte(i)}))) > 0 {
			t.Fatalf("frame %d: id %d, meta %q, %d bytes, want %d", i, f.ID, f.Meta, len(f.Payload), want)
		}
	}
}

const peerLimit = 4 << 20

var errEnded = errors.New("ended")

// unclosed is a writer that need not be closed.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// peer plays the worker over real pipes, and is the connection's handler.
type peer struct {
	t      *testing.T
	conn   *conn.Conn
	input  *os.File // what the connection writes
	reader *frame.Reader
	output *os.File
	served chan struct{}

	mu        sync.Mutex
	settledN  int
	brokenN   int
	goaways   []frame.GoawayMeta
	stats     []frame.StatsMessage
	fatalText string
	ended     error
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	input, ours := pipe(t)
	theirs, output := pipe(t)
	p := &peer{t: t, input: input, output: output, reader: frame.NewReader(input, peerLimit), served: make(chan struct{})}
	p.conn = conn.New(ours, peerLimit, p)
	go func() {
		defer close(p.served)
		p.conn.Serve(frame.NewReader(theirs, peerLimit), p.over)
	}()
	t.Cleanup(func() {
		p.end()
		_ = input.Close()
		_ = ours.Close()
		_ = theirs.Close()
	})
	return p
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

func (p *peer) mustSend(call *conn.Call) {
	p.t.Helper()
	if err := p.conn.Send(call, frame.JSON, nil, nil); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) next() frame.Frame {
	p.t.Helper()
	f, err := p.reader.Next()
	if err != nil {
		p.t.Fatal(err)
	}
	return f
}

func (p *peer) send(kind frame.Kind, id uint32, payload []byte) {
	p.t.Helper()
	p.write(frame.Append(nil, kind, frame.JSON, id, nil, payload))
}

func (p *peer) sendMeta(kind frame.Kind, meta string) {
	p.t.Helper()
	p.write(frame.Append(nil, kind, frame.JSON, 0, []byte(meta), nil))
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.output.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// end closes the worker's side and waits until the connection has noticed.
func (p *peer) end() {
	_ = p.output.Close()
	<-p.served
}

// over takes the reason for which the connection has ended.
func (p *peer) over(reason error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = reason
	return errEnded
}

func (p *peer) reason() error { p.mu.Lock(); defer p.mu.Unlock(); return p.ended }

func (p *peer) settled() int { p.mu.Lock(); defer p.mu.Unlock(); return p.settledN }

func (p *peer) unwritable() int { p.mu.Lock(); defer p.mu.Unlock(); return p.brokenN }

func (p *peer) Settled(*conn.Call) { p.mu.Lock(); defer p.mu.Unlock(); p.settledN++ }

func (p *peer) Unwritable(error) { p.mu.Lock(); defer p.mu.Unlock(); p.brokenN++ }

func (p *peer) Goaway(meta frame.GoawayMeta) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.goaways = append(p.goaways, meta)
}

func (p *peer) seenGoaways() []frame.GoawayMeta { p.mu.Lock(); defer p.mu.Unlock(); return p.goaways }

func (p *peer) Stats(message frame.StatsMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats = append(p.stats, message)
}

func (p *peer) seenStats() []frame.StatsMessage { p.mu.Lock(); defer p.mu.Unlock(); return p.stats }

func (p *peer) Fatal(payload []byte) { p.mu.Lock(); defer p.mu.Unlock(); p.fatalText = string(payload) }

// expectLast expects these frames, and then the end.
func (p *peer) expectLast(kinds ...frame.Kind) {
	p.t.Helper()
	for _, want := range kinds {
		if got := p.next().Kind; got != want {
			p.t.Errorf("the worker got a frame of kind %v, expected %v", got, want)
		}
	}
	if f, err := p.reader.Next(); !errors.Is(err, io.EOF) {
		p.t.Errorf("behind the last one came %v, %v", f, err)
	}
}

func (p *peer) Pong() {}

func (p *peer) Log(frame.LogMeta, uint32, frame.Encoding, []byte) {}

func TestCallsExpireAtTheirDeadlinesInWhateverOrderTheyWereSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &counter{settled: make(map[*conn.Call]int)}
		c := conn.New(unclosed{io.Discard}, peerLimit, h)
		begin := time.Now()
		var waits sync.WaitGroup
		for _, ms := range []int{50, 20, 70, 20, 10, 0} {
			call := &conn.Call{Done: make(chan conn.Signal, 1)} // one of the pool may have its channel from outside of the bubble
			if ms > 0 {
				call.Deadline = begin.Add(time.Duration(ms) * time.Millisecond)
			}
			if err := c.Send(call, frame.JSON, nil, nil); err != nil {
				t.Fatal(err)
			}
			waits.Go(func() {
				signal := <-call.Done
				after := time.Since(begin)
				if ms > 0 && (signal != conn.Expired || after != time.Duration(ms)*time.Millisecond) {
					t.Errorf("the call with %d ms got %d after %v", ms, signal, after)
				}
				if ms == 0 && (signal != conn.Settled || after != time.Second) {
					t.Errorf("the call without a deadline got %d after %v", signal, after)
				}
			})
		}
		time.Sleep(time.Second)
		if waiting, abandoned := c.InFlight(); waiting != 1 || abandoned != 5 {
			t.Errorf("%d waiting, %d abandoned", waiting, abandoned)
		}
		c.Fail(errEnded)
		waits.Wait()
	})
}
