package main

import (
	"context"
	"fmt"
	"strings"
)

// contender is one way in which a Go program can have JavaScript run.
type contender interface {
	// Call runs a function: in is encoded, out decoded into. caller, from 0, is whose call it is: each makes one at a time.
	Call(ctx context.Context, caller int, method string, in, out any) error
	// PIDs are the processes that run JavaScript.
	PIDs() []int
	Close() error
}

// maker starts a contender for so many callers.
type maker struct {
	name  string
	start func(ctx context.Context, callers int) (contender, error)
	// can tells whether it does a work at all with so many callers.
	can func(w *work, callers int) bool
	// starts tells whether its start is worth a comparison with others.
	starts bool
}

// makers are all contenders, in the order of tables and charts.
var makers = []maker{
	{"rootbridge", startRootbridge(defaults), all, true},
	{"rootbridge-waits", startRootbridge(withoutPolling), echoOnly, false},
	{"rootbridge-traced", startTracedRootbridge, movesData, false},
	{"rootbridge-serial", startRootbridge(oneAtATime), manyEchoes, false},
	{"rootbridge-fresh", startFreshRootbridge, bytesOnly, false},
	{"rootbridge-sonic", startRootbridge(withSonic), typedOnly, false},
	{"rootbridge-msgpack", startRootbridge(withMsgPack), typedOnly, true},
	{"rootbridge-2-workers", startRootbridge(withWorkers(2)), all, true},
	{"rootbridge-4-workers", startRootbridge(withWorkers(4)), scales, false},
	{"rootbridge-8-workers", startRootbridge(withWorkers(8)), scales, false},
	{"bare", startBare("bare.cjs", 0, roomFor), bytesOnly, true},
	{"bare-polls", startBare("bare.cjs", defaultPoll, roomFor), bytesOnly, false},
	{"bare-fresh", startBare("bare.cjs", 0, freshRoom), bytesOnly, false},
	{"bare-call", startBare("bare-call.cjs", 0, roomFor), bytesOnly, false},
	{"bare-json", startBareJSON("bare-json.cjs", standardJSON, 0), echoOnly, true},
	{"bare-json-polls", startBareJSON("bare-json.cjs", standardJSON, defaultPoll), echoOnly, false},
	{"bare-json-steps", startBareJSON("bare-json-steps.cjs", standardJSON, 0), echoOnly, false},
	{"bare-json-traced", startTracedJSON, echoOnly, false},
	{"bare-json-v1", startBareJSON("bare-json.cjs", v1JSON, 0), echoOnly, false},
	{"bare-json-sonic", startBareJSON("bare-json.cjs", sonicJSON, 0), echoOnly, false},
	{"ndjson", startNDJSON(standardJSON), typedOnly, true},
	{"ndjson-v1", startNDJSON(v1JSON), echoOnly, false},
	{"ndjson-sonic", startNDJSON(sonicJSON), typedOnly, false},
	{"node-http", startHTTP(standardJSON), all, true},
	{"node-http-v1", startHTTP(v1JSON), echoOnly, false},
	{"node-http-sonic", startHTTP(sonicJSON), typedOnly, false},
	{"grpc", startGRPC(standardJSON), all, true},
	{"grpc-v1", startGRPC(v1JSON), echoOnly, false},
	{"grpc-sonic", startGRPC(sonicJSON), typedOnly, false},
	{"roadrunner", startRoadRunner, all, true},
	{"jsii", startJSII, textOnly, true},
	{"goja", startGoja, computing, false},
	{"exec", startExec, rarely, true},
}

func makerOf(name string) (maker, error) {
	names := make([]string, 0, len(makers))
	for _, m := range makers {
		if m.name == name {
			return m, nil
		}
		names = append(names, m.name)
	}
	return maker{}, fmt.Errorf("expected a contender, one of %s, got %q", strings.Join(names, ", "), name)
}

func all(*work, int) bool { return true }

func bytesOnly(w *work, _ int) bool { return w.kind == bytesWork }

func textOnly(w *work, _ int) bool { return w.kind != bytesWork }

func typedOnly(w *work, _ int) bool { return w.kind == typedWork }

func echoOnly(w *work, _ int) bool { return w.kind == typedWork && w.method == "echo" }

func scales(w *work, callers int) bool { return echoOnly(w, callers) || w.name == "heavy" }

func manyEchoes(w *work, callers int) bool { return callers > 1 && echoOnly(w, callers) }

func movesData(w *work, callers int) bool { return echoOnly(w, callers) || bytesOnly(w, callers) }

// computing leaves out what only moves data, which costs nothing within one process.
func computing(w *work, _ int) bool { return w.kind == typedWork && w.method != "echo" }

// rarely: a process for each call does the same whatever the call.
func rarely(w *work, callers int) bool {
	return callers <= 16 && (w.name == "echo-100B" || w.name == "check")
}
