package lambda

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
)

// encode returns an event as JSON, shaped as AWS sends it where the types differ from that.
func encode(event any) (json.RawMessage, error) {
	switch e := event.(type) {
	case *events.APIGatewayV2HTTPRequest:
		event = v2Shape(e)
	case *events.APIGatewayProxyRequest:
		event = v1Shape(e)
	case *events.ALBTargetGroupRequest:
		event = albShape(e)
	case *events.LambdaFunctionURLRequest:
		event = urlShape(e)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // this is no page, and bodies are large
	if err := encoder.Encode(event); err != nil {
		return nil, fmt.Errorf("the event (%T) can't be encoded as JSON: %w", event, err)
	}
	return text.Bytes(), nil
}

// v2Shape leaves authentication out where no client certificate is known; the type would have an empty one.
func v2Shape(e *events.APIGatewayV2HTTPRequest) any {
	type context struct {
		events.APIGatewayV2HTTPRequestContext
		Authentication *events.APIGatewayV2HTTPRequestContextAuthentication `json:"authentication,omitempty"`
	}
	shaped := struct {
		*events.APIGatewayV2HTTPRequest
		RequestContext context `json:"requestContext"`
	}{e, context{APIGatewayV2HTTPRequestContext: e.RequestContext}}
	if given := e.RequestContext.Authentication; given != (events.APIGatewayV2HTTPRequestContextAuthentication{}) {
		shaped.RequestContext.Authentication = &given
	}
	return shaped
}

// v1Shape has null for no body, and isBase64Encoded in any case.
func v1Shape(e *events.APIGatewayProxyRequest) any {
	shaped := struct {
		*events.APIGatewayProxyRequest
		Body            *string `json:"body"`
		IsBase64Encoded bool    `json:"isBase64Encoded"`
	}{APIGatewayProxyRequest: e, IsBase64Encoded: e.IsBase64Encoded}
	if e.Body != "" {
		shaped.Body = &e.Body
	}
	return shaped
}

// albShape has an empty query where the request has none, as load balancers do and the type does not: handlers read a key of
// it without asking whether it is there.
func albShape(e *events.ALBTargetGroupRequest) any {
	shaped := struct {
		*events.ALBTargetGroupRequest
		QueryStringParameters           *map[string]string   `json:"queryStringParameters,omitempty"`
		MultiValueQueryStringParameters *map[string][]string `json:"multiValueQueryStringParameters,omitempty"`
	}{ALBTargetGroupRequest: e}
	if e.Headers != nil {
		query := orEmpty(e.QueryStringParameters)
		shaped.QueryStringParameters = &query
	}
	if e.MultiValueHeaders != nil {
		query := orEmpty(e.MultiValueQueryStringParameters)
		shaped.MultiValueQueryStringParameters = &query
	}
	return shaped
}

// urlShape has the one route and stage that function URLs have (Lambda guide), and the type lacks.
func urlShape(e *events.LambdaFunctionURLRequest) any {
	type context struct {
		events.LambdaFunctionURLRequestContext
		RouteKey string `json:"routeKey"`
		Stage    string `json:"stage"`
	}
	return struct {
		*events.LambdaFunctionURLRequest
		RouteKey       string  `json:"routeKey"`
		RequestContext context `json:"requestContext"`
	}{e, defaultRoute, context{e.RequestContext, defaultRoute, defaultStage}}
}

func orEmpty[V any](values map[string]V) map[string]V {
	if values == nil {
		return map[string]V{}
	}
	return values
}
