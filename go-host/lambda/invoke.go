package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"rootbridge"
)

// Invoke calls a Lambda handler with an event that is no HTTP request, and returns its result: with an events.SQSEvent, for
// example, and as Out events.SQSEventResponse. method is "" for the handler that Options.Entry names. An Out of
// json.RawMessage is the result's JSON; null, which is what a handler that returns nothing answers, leaves Out at zero.
//
// Event and result are JSON, as on Lambda, whatever Options.Codec says; the convention is rootbridge.Lambda unless an option
// says otherwise. rootbridge.WithInvocation gives it a request id and a trace header. Within a Go function on Lambda, where ctx
// is that of an invocation of aws-lambda-go, the call carries what that has: request id, function ARN, trace header, client
// context, identity, tenant; its request id is the trace id; and its time is the context's, whatever Options.CallTimeout says.
// Options given win.
//
// Every error is a *rootbridge.Error: those of rootbridge.Host.Call, invalid_argument for an event that can't be encoded, and
// unencodable_result for a result that does not fit Out. What becomes of a batch whose handler failed is the caller's
// business: nothing is retried.
func Invoke[Out any](ctx context.Context, host *rootbridge.Host, method string, event any, options ...rootbridge.CallOption) (Out, error) {
	var out Out
	text, err := encode(event)
	if err != nil {
		return out, &rootbridge.Error{Code: rootbridge.CodeInvalidArgument, Method: method, Message: err.Error()}
	}
	var result json.RawMessage
	options = slices.Concat([]rootbridge.CallOption{rootbridge.WithConvention(rootbridge.Lambda)}, carried(ctx), options)
	if err := host.Call(ctx, method, text, &result, options...); err != nil {
		return out, err
	}
	if err := json.Unmarshal(result, &out); err != nil {
		return *new(Out), &rootbridge.Error{
			Code: rootbridge.CodeUnencodableResult, Method: method, Message: fmt.Sprintf("the result does not fit %T: %v", out, err),
		}
	}
	return out, nil
}
