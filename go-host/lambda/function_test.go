package lambda_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"rootbridge"
	"rootbridge/lambda"
)

const seen = `
import { currentCall } from 'rootbridge';
export const seen = async (event, context) => ({ id: context.awsRequestId, arn: context.invokedFunctionArn, custom: context.clientContext?.custom, traceId: currentCall().traceId });
export const print = async () => { for (let i = 0; i < 20; i++) console.log('line', i); };
export const hang = () => new Promise((resolve) => setTimeout(resolve, 600000));
`

func onLambda(ctx context.Context) context.Context {
	return lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{
		AwsRequestID: "r-1", InvokedFunctionArn: "arn:aws:lambda:eu-west-1:123456789012:function:orders",
		ClientContext: lambdacontext.ClientContext{Custom: map[string]string{"tenant": "a"}},
	})
}

func TestACallOfAGoFunctionCarriesItsInvocation(t *testing.T) {
	t.Parallel()
	host := start(t, seen, func(o *rootbridge.Options) { o.CallTimeout = time.Nanosecond })
	got, err := lambda.Function(host, "seen").Invoke(onLambda(t.Context()), []byte(`{}`))
	const all = `{"id":"r-1","arn":"arn:aws:lambda:eu-west-1:123456789012:function:orders","custom":{"tenant":"a"},"traceId":"r-1"}`
	if string(got) != all || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	traced := rootbridge.ContextWithTraceID(onLambda(t.Context()), "t-1")
	own, err := lambda.Invoke[map[string]any](traced, host, "seen", nil, rootbridge.WithInvocation(rootbridge.Invocation{RequestID: "r-2"}))
	if err != nil || own["id"] != "r-2" || own["traceId"] != "t-1" || own["custom"] != nil {
		t.Errorf("what the caller says does not win: %v, %v", own, err)
	}
}

// slowLogger takes its time for each line.
type slowLogger struct {
	slog.Handler
	lines *atomic.Int32
}

func (l slowLogger) Handle(context.Context, slog.Record) error {
	time.Sleep(time.Millisecond)
	l.lines.Add(1)
	return nil
}

func TestWhatAHandlerPrintsIsLoggedBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	logger := slowLogger{jsonLogger(io.Discard).Handler(), new(atomic.Int32)}
	host := start(t, seen, func(o *rootbridge.Options) { o.Logger = slog.New(logger) })
	before := logger.lines.Load()
	if _, err := lambda.Function(host, "print").Invoke(t.Context(), []byte(`{}`)); err != nil {
		t.Error(err)
	}
	if lines := logger.lines.Load() - before; lines < 20 {
		t.Errorf("only %d of 20 lines are logged", lines)
	}
}

func TestATimeoutOfTheProgramsOwnIsAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	host := start(t, seen)
	_, err := lambda.Function(host, "hang", rootbridge.WithTimeout(time.Millisecond)).Invoke(onLambda(t.Context()), []byte(`{}`))
	if e := (messages.InvokeResponse_Error{}); !errors.As(err, &e) || e.Type != "Sandbox.Timedout" {
		t.Errorf("%v", err)
	}
}

func TestErrorsOfTheBridgeHaveTheirCodeAsType(t *testing.T) {
	t.Parallel()
	host := start(t, seen)
	_, err := lambda.Function(host, "absent").Invoke(t.Context(), []byte(`{}`))
	e := messages.InvokeResponse_Error{}
	if !errors.As(err, &e) || e.Type != "Rootbridge.method_not_found" || !strings.Contains(e.Message, "absent") {
		t.Errorf("%v", err)
	}
	_, err = lambda.Function(host, "seen").Invoke(t.Context(), []byte(`{`))
	if !errors.As(err, &e) || e.Type != "Rootbridge.invalid_argument" {
		t.Errorf("%v", err)
	}
}
