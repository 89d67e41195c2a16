package lambda

import "fmt"

// EventFormat is what HTTP requests look like as events.
type EventFormat string

// The formats. Limits of bodies are those of AWS's quotas.
const (
	// APIGatewayV2 is payload format 2.0 of HTTP APIs: events.APIGatewayV2HTTPRequest. Bodies have at most 10 MiB.
	APIGatewayV2 EventFormat = "apigateway-v2"
	// APIGatewayV1 is the format of REST APIs, and payload format 1.0: events.APIGatewayProxyRequest. Bodies have at most
	// 10 MiB, and are text unless they are of BinaryMediaTypes.
	APIGatewayV1 EventFormat = "apigateway-v1"
	// ALB is an Application Load Balancer's: events.ALBTargetGroupRequest with single values, of which the last wins. Bodies
	// have at most 1 MiB.
	ALB EventFormat = "alb"
	// ALBMultiValue is ALB for target groups with lambda.multi_value_headers.enabled: all values of headers and query, and no
	// single ones.
	ALBMultiValue EventFormat = "alb-multi-value"
	// FunctionURL is a Lambda function URL's: events.LambdaFunctionURLRequest. Bodies have at most 6 MiB.
	FunctionURL EventFormat = "function-url"
)

// translation is what a format makes of requests, and of results.
type translation struct {
	event       func(*request) any
	bodyLimit   int64
	textByType  bool   // bodies are text by their type, in place of all
	contentType string // of responses that have none
	infers      bool   // a result without statusCode is a response, too
	idHeader    string // has the request id, in responses
}

// translation panics for a format that there is not.
func (f EventFormat) translation() translation {
	switch f {
	case APIGatewayV2: // "text/plain" is what HTTP APIs answer; the others have JSON
		return translation{event: v2Event, bodyLimit: 10 << 20, textByType: true, contentType: "text/plain;charset=UTF-8", infers: true, idHeader: "Apigw-Requestid"}
	case APIGatewayV1:
		return translation{event: v1Event, bodyLimit: 10 << 20, contentType: jsonType, idHeader: "X-Amzn-Requestid"}
	case ALB:
		return translation{event: albEvent, bodyLimit: 1 << 20, textByType: true, contentType: bytesType}
	case ALBMultiValue:
		return translation{event: albMultiValueEvent, bodyLimit: 1 << 20, textByType: true, contentType: bytesType}
	case FunctionURL:
		return translation{event: urlEvent, bodyLimit: 6 << 20, textByType: true, contentType: jsonType, infers: true, idHeader: "X-Amzn-Requestid"}
	}
	panic(fmt.Sprintf("lambda: expected a format of this package, got %q", string(f)))
}

const (
	jsonType  = "application/json"
	bytesType = "application/octet-stream"
)
