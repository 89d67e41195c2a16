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

// clientContext writes what aws-lambda-go has kept of it, in the names that callers send; nil for none. What is empty was most
// likely not sent.
func clientContext(c *lambdacontext.ClientContext) json.RawMessage {
	type client struct {
		InstallationID string `json:"installation_id,omitempty"`
		AppTitle       string `json:"app_title,omitempty"`
		AppVersionCode string `json:"app_version_code,omitempty"`
		AppPackageName string `json:"app_package_name,omitempty"`
	}
	return orNone(struct {
		Client client            `json:"client,omitzero"`
		Custom map[string]string `json:"custom,omitempty"`
		Env    map[string]string `json:"env,omitempty"`
	}{client(c.Client), c.Custom, c.Env})
}

func identity(i lambdacontext.CognitoIdentity) json.RawMessage {
	return orNone(struct {
		ID     string `json:"cognitoIdentityId,omitempty"`
		PoolID string `json:"cognitoIdentityPoolId,omitempty"`
	}{i.CognitoIdentityID, i.CognitoIdentityPoolID})
}

// orNone returns nil for an object without keys.
func orNone(object any) json.RawMessage {
	text, _ := json.Marshal(object) // texts always can
	if string(text) == "{}" {
		return nil
	}
	return text
}
