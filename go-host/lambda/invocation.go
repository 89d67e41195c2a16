package lambda

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"rootbridge"
)

// carried returns what a call takes from the invocation that ctx is of, if it is of one. Its time is that of the context alone.
func carried(ctx context.Context) []rootbridge.CallOption {
	lc, isInvocation := lambdacontext.FromContext(ctx)
	if !isInvocation {
		return nil
	}
	traceHeader, _ := ctx.Value("x-amzn-trace-id").(string) // where aws-lambda-go has it
	options := []rootbridge.CallOption{
		rootbridge.WithTimeout(-1),
		rootbridge.WithInvocation(rootbridge.Invocation{
			RequestID: lc.AwsRequestID, FunctionARN: lc.InvokedFunctionArn, TraceHeader: traceHeader, TenantID: lc.TenantID,
			ClientContext: clientContext(&lc.ClientContext), Identity: identity(lc.Identity),
		}),
	}
	if rootbridge.TraceID(ctx) == "" {
		options = append(options, rootbridge.WithTraceID(lc.AwsRequestID))
	}
	return options
}

// clientContext writes what aws-lambda-go has kept of it, in the names that callers send; nil for none.
func clientContext(c *lambdacontext.ClientContext) json.RawMessage {
	wire := struct {
		Client *lambdacontext.ClientApplication `json:"client,omitempty"`
		Custom map[string]string                `json:"custom,omitempty"`
		Env    map[string]string                `json:"env,omitempty"`
	}{Custom: c.Custom, Env: c.Env}
	if c.Client != (lambdacontext.ClientApplication{}) {
		wire.Client = &c.Client
	}
	if wire.Client == nil && c.Custom == nil && c.Env == nil {
		return nil
	}
	text, _ := json.Marshal(wire) // texts always can
	return text
}

func identity(i lambdacontext.CognitoIdentity) json.RawMessage {
	if i == (lambdacontext.CognitoIdentity{}) {
		return nil
	}
	text, _ := json.Marshal(map[string]string{"cognitoIdentityId": i.CognitoIdentityID, "cognitoIdentityPoolId": i.CognitoIdentityPoolID})
	return text
}
