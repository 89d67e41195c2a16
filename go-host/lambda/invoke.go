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
// What a handler has streamed without a status is its bytes for an Out of []byte or json.RawMessage, and is read as JSON for
// any other.
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
	result := rootbridge.Encoded{Codec: rootbridge.JSON}
	options = slices.Concat([]rootbridge.CallOption{rootbridge.WithConvention(rootbridge.Lambda)}, carried(ctx), options)
	if err := host.Call(ctx, method, text, &result, options...); err != nil {
		return out, err
	}
	if err := decode(result, &out); err != nil {
		return *new(Out), &rootbridge.Error{Code: rootbridge.CodeUnencodableResult, Method: method, Message: err.Error()}
	}
	return out, nil
}

// jsonOf has null for no value, which a call of another convention may answer.
func jsonOf(result rootbridge.Encoded) []byte {
	if len(result.Bytes) == 0 {
		return []byte("null")
	}
	return result.Bytes
}

// decode stores a result in out. What was streamed may be anything, and is no more than bytes to those who ask for bytes.
func decode(result rootbridge.Encoded, out any) error {
	if result.Codec != rootbridge.Raw {
		if err := json.Unmarshal(jsonOf(result), out); err != nil {
			return fmt.Errorf("the result does not fit %T: %w", out, err)
		}
		return nil
	}
	switch target := out.(type) {
	case *json.RawMessage:
		*target = result.Bytes
	case *[]byte:
		*target = result.Bytes
	default:
		if err := json.Unmarshal(result.Bytes, out); err != nil {
			return fmt.Errorf("the handler has streamed %d bytes, which are no JSON that fits %T; take them as []byte: %w", len(result.Bytes), out, err)
		}
	}
	return nil
}
