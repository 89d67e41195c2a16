package lambda

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"rootbridge"
)

// Option changes what Handler does.
type Option func(*settings)

type settings struct {
	translation
	format      EventFormat
	maxBody     int64
	hasMaxBody  bool
	binaryTypes []string // nil for the format's own rule
	gateway     gateway
	pattern     string
	headerNames map[string]string // from net/http's spelling
	trustsProxy bool
	edit        func(*http.Request, any)
	callOptions []rootbridge.CallOption
	onError     func(http.ResponseWriter, *http.Request, error)
	showsErrors bool
	logger      *slog.Logger

	writeTimeout time.Duration // negative for none
}

// gateway is what events say of the gateway that they seem to come from.
type gateway struct {
	accountID, apiID, domainName, stage, targetGroup string
	variables                                        map[string]string
}

func newSettings(options []Option) settings {
	s := settings{format: APIGatewayV2, gateway: gateway{stage: defaultStage}, logger: slog.Default(), writeTimeout: defaultWriteTimeout}
	for _, option := range options {
		option(&s)
	}
	s.translation = s.format.translation()
	if !s.hasMaxBody {
		s.maxBody = s.bodyLimit
	}
	return s
}

const defaultWriteTimeout = 30 * time.Second

// WriteTimeout is how long a client may take to read an answer, from when it is there: then its connection is closed. Default 30 s,
// which 0 is as well; negative means no bound but http.Server.WriteTimeout, which counts from the request's header on. A writer of
// middleware's that http.ResponseController can't see through leaves it without effect.
func WriteTimeout(d time.Duration) Option {
	return func(s *settings) { s.writeTimeout = cmp.Or(d, defaultWriteTimeout) }
}

// Format says what events look like and which responses are understood. Default APIGatewayV2.
func Format(f EventFormat) Option {
	return func(s *settings) { s.format = f }
}

// MaxBody is the largest body of a request in bytes; one that is larger is answered with 413 before the handler is called.
// Default: the format's own limit. The event, in which bytes that are no text take four thirds of their size, has to fit
// rootbridge.Options.MaxPayload as well: else 413, too. What is less than 0 counts as 0.
func MaxBody(bytes int64) Option {
	return func(s *settings) { s.maxBody, s.hasMaxBody = max(0, bytes), true }
}

// BinaryMediaTypes lists the media types of bodies which reach the handler as base64, with isBase64Encoded, as
// binaryMediaTypes of a REST API does: "image/png", "image/*", "*/*". It replaces the format's own rule. Without types every
// body is text. A body that is not UTF-8 is base64 in any case: it has no place in JSON.
func BinaryMediaTypes(types ...string) Option {
	return func(s *settings) { s.binaryTypes = append([]string{}, types...) }
}

// Stage is requestContext.stage of API Gateway's formats, and its stageVariables. Default "$default", and none. Paths are
// passed on as they came, whatever the stage.
func Stage(name string, variables map[string]string) Option {
	return func(s *settings) { s.gateway.stage, s.gateway.variables = name, variables }
}

// AccountID is requestContext.accountId. Default "000000000000", and "anonymous" for function URLs.
func AccountID(id string) Option {
	return func(s *settings) { s.gateway.accountID = id }
}

// APIID is requestContext.apiId. Default: the first label of the domain name, as on AWS; of an IP address what is before its first
// dot, or all of it.
func APIID(id string) Option {
	return func(s *settings) { s.gateway.apiID = id }
}

// DomainName is requestContext.domainName. Default: the host that the request names, without its port.
func DomainName(name string) Option {
	return func(s *settings) { s.gateway.domainName = name }
}

// TargetGroup is requestContext.elb.targetGroupArn of the load balancer's formats. Default: one of account 000000000000.
func TargetGroup(arn string) Option {
	return func(s *settings) { s.gateway.targetGroup = arn }
}

// Route names the pattern, in http.ServeMux's syntax, whose wildcards are the event's pathParameters; their values are what
// Request.PathValue has. Default: the pattern by which a ServeMux found the Handler, so that Route is for other routers.
//
// "GET /orders/{id}" is routeKey "GET /orders/{id}" and resource "/orders/{id}"; "/files/{path...}" is "ANY /files/{path+}".
// A pattern without wildcards that ends with a slash, such as "/files/", is the greedy "/files/{proxy+}", whose value is the
// rest of the path as it came, and "/" is "$default" with format 2.0.
func Route(pattern string) Option {
	return func(s *settings) { s.pattern = pattern }
}

// HeaderNames lists headers that events of APIGatewayV1 have in the spelling given, "X-GitHub-Event" for example. REST APIs pass
// names on as the client has spelled them, which net/http does not keep: others come as in "X-Github-Event". The other formats
// have names in lower case, as on AWS. Handler panics for what can't be the name of a header.
func HeaderNames(names ...string) Option {
	return func(s *settings) {
		if s.headerNames == nil {
			s.headerNames = make(map[string]string, len(names))
		}
		for _, name := range names {
			if !isName(name) {
				panic(fmt.Sprintf("lambda: expected the name of a header, got %q", name))
			}
			s.headerNames[http.CanonicalHeaderKey(name)] = name
		}
	}
}

// TrustProxy is for servers behind a proxy, which sets X-Forwarded-For, -Proto and -Port: they are passed on as they come,
// and the source IP is the last address of X-Forwarded-For. Default: the connection's address is the source, is added to
// X-Forwarded-For, and the other two are ours, so that no client can claim to use TLS.
func TrustProxy() Option {
	return func(s *settings) { s.trustsProxy = true }
}

// EditEvent changes events before the handler gets them: to add an authorizer's claims, for example. event is a pointer:
// *events.APIGatewayV2HTTPRequest, *events.APIGatewayProxyRequest, *events.ALBTargetGroupRequest or
// *events.LambdaFunctionURLRequest. It is called by many goroutines at a time.
func EditEvent(edit func(r *http.Request, event any)) Option {
	return func(s *settings) { s.edit = edit }
}

// CallOptions are for every call: rootbridge.WithTimeout(29*time.Second), for example. A rootbridge.WithInvocation replaces
// Handler's, which has the request id and the trace header. WithConvention and WithReply are without effect.
func CallOptions(options ...rootbridge.CallOption) Option {
	return func(s *settings) { s.callOptions = append(s.callOptions, options...) }
}

// OnError answers in place of Handler when there is no response: for an err of Call, or an *Error for a request or a result
// that can't be translated. Nothing is logged then. WriteError is what Handler would have written, and StatusOf its status.
// The client may be gone: the error is then rootbridge.CodeCanceled. The context of r has the trace id.
func OnError(answer func(w http.ResponseWriter, r *http.Request, err error)) Option {
	return func(s *settings) { s.onError = answer }
}

// ShowErrors tells clients what the JavaScript threw, in the words of Lambda: errorType, errorMessage and trace beside
// message. For development: stacks have paths, and messages may have secrets. Without effect if there is OnError.
func ShowErrors() Option {
	return func(s *settings) { s.showsErrors = true }
}

// Logger gets a record of each request that has no response: 5xx as errors, 503 as warnings, others at the level debug.
// Bodies, headers and queries are not logged, paths are. Default slog.Default(), as it is when Handler is called.
func Logger(logger *slog.Logger) Option {
	return func(s *settings) { s.logger = logger }
}
