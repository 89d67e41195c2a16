package lambda

import (
	"context"
	"encoding/json"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"rootbridge"
)

// Function returns a Lambda handler of JavaScript as a handler of aws-lambda-go, for a Go function that answers some events
// itself and leaves the others to its old handler. method is "" for the handler that Options.Entry names.
//
// The event's and the result's bytes pass as they are, and what the handler has streamed, too; not its content type. The handler has the invocation's request id, function ARN, trace
// header, client context, identity, tenant and remaining time, as Invoke has them.
//
// Its errors are of aws-lambda-go's type messages.InvokeResponse_Error, with errorType and errorMessage as docs/lambda.md has
// them for names and messages of errors, and the frames of the JavaScript stack as stackTrace. When the invocation's time is
// over its worker is killed at once; but the error is held back for a second, because Lambda itself answers then, with
// Sandbox.Timedout. A shorter time of your own is better given by rootbridge.WithTimeout than by the context: its error is not
// held back.
//
// What the JavaScript prints is logged before the answer is given, unless the logger takes more than a second for it.
func Function(host *rootbridge.Host, method string, options ...rootbridge.CallOption) awslambda.Handler {
	return &function{host: host, method: method, options: options}
}

type function struct {
	host    *rootbridge.Host
	method  string
	options []rootbridge.CallOption
}

// Invoke calls the handler.
func (f *function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	result, err := Invoke[json.RawMessage](ctx, f.host, f.method, json.RawMessage(event), f.options...)
	f.flushLog(ctx)
	if err == nil {
		return result, nil
	}
	if ctx.Err() != nil {
		time.Sleep(lambdaAnswers)
	}
	return nil, invokeError(err)
}

// logTime is how long an answer waits for a slow logger.
const logTime = time.Second

// flushLog has the log written while the environment is not frozen yet.
func (f *function) flushLog(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, logTime)
	defer cancel()
	_ = f.host.FlushLog(ctx) // then its lines come later
}

// lambdaAnswers is for how long an answer would race with Lambda's own.
const lambdaAnswers = time.Second
