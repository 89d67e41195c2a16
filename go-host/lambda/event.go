package lambda

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// v2Event is of payload format 2.0 (HTTP APIs): header names in lower case, repeated headers and query keys joined by
// commas, cookies in a list of their own.
func v2Event(q *request) any {
	cookies := takeCookies(q.header)
	context := events.APIGatewayV2HTTPRequestContext{
		RouteKey: q.route.key, AccountID: cmp.Or(q.gateway.accountID, defaultAccount), Stage: q.gateway.stage, RequestID: q.id,
		APIID: cmp.Or(q.gateway.apiID, q.domainPrefix()), DomainName: q.gateway.domainName, DomainPrefix: q.domainPrefix(),
		Time: q.time(), TimeEpoch: q.received.UnixMilli(),
		HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
			Method: q.Method, Path: q.path, Protocol: q.Proto, SourceIP: q.sourceIP, UserAgent: q.UserAgent(),
		},
	}
	return &events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: context.RouteKey, RawPath: q.path, RawQueryString: q.URL.RawQuery,
		Cookies: cookies, Headers: joined(q.header), QueryStringParameters: joinedQuery(q.URL.RawQuery),
		PathParameters: q.v2Parameters(), StageVariables: q.gateway.variables, RequestContext: context,
		Body: q.body, IsBase64Encoded: q.isBase64,
	}
}

// urlEvent is a function URL's: format 2.0; urlShape adds its route and stage (Lambda guide).
func urlEvent(q *request) any {
	return &events.LambdaFunctionURLRequest{
		Version: "2.0", RawPath: q.path, RawQueryString: q.URL.RawQuery, Cookies: takeCookies(q.header),
		Headers: joined(q.header), QueryStringParameters: joinedQuery(q.URL.RawQuery), Body: q.body, IsBase64Encoded: q.isBase64,
		RequestContext: events.LambdaFunctionURLRequestContext{
			AccountID: cmp.Or(q.gateway.accountID, "anonymous"), RequestID: q.id, APIID: cmp.Or(q.gateway.apiID, q.domainPrefix()),
			DomainName: q.gateway.domainName, DomainPrefix: q.domainPrefix(), Time: q.time(), TimeEpoch: q.received.UnixMilli(),
			HTTP: events.LambdaFunctionURLRequestContextHTTPDescription{
				Method: q.Method, Path: q.path, Protocol: q.Proto, SourceIP: q.sourceIP, UserAgent: q.UserAgent(),
			},
		},
	}
}

// v1Event is of REST APIs, and of payload format 1.0: all values of headers and query keys, and the last of each.
func v1Event(q *request) any {
	query, header := parseQuery(q.URL.RawQuery, unescaped), respelled(q.header, q.names)
	return &events.APIGatewayProxyRequest{
		Resource: q.route.resource, Path: q.path, HTTPMethod: q.Method, Headers: last(header), MultiValueHeaders: header,
		QueryStringParameters: last(query), MultiValueQueryStringParameters: query,
		PathParameters: q.route.parameters, StageVariables: q.gateway.variables, Body: q.body, IsBase64Encoded: q.isBase64,
		RequestContext: events.APIGatewayProxyRequestContext{
			AccountID: cmp.Or(q.gateway.accountID, defaultAccount), Stage: q.gateway.stage, DomainName: q.gateway.domainName,
			DomainPrefix: q.domainPrefix(), RequestID: q.id, ExtendedRequestID: q.id, Protocol: q.Proto,
			Identity:     events.APIGatewayRequestIdentity{SourceIP: q.sourceIP, UserAgent: q.UserAgent()},
			ResourcePath: q.route.resource, Path: q.stagePath(), HTTPMethod: q.Method,
			RequestTime: q.time(), RequestTimeEpoch: q.received.UnixMilli(), APIID: cmp.Or(q.gateway.apiID, q.domainPrefix()),
		},
	}
}

// albEvent is a load balancer's with single values (ELB guide): the last of each, header names in lower case, the query as
// it came.
func albEvent(q *request) any {
	event := q.albEvent()
	event.Headers = last(lowerCase(q.header))
	event.QueryStringParameters = last(parseQuery(q.URL.RawQuery, asItIs))
	return event
}

// albMultiValueEvent is a load balancer's with all values, and no single ones.
func albMultiValueEvent(q *request) any {
	event := q.albEvent()
	event.MultiValueHeaders = lowerCase(q.header)
	event.MultiValueQueryStringParameters = parseQuery(q.URL.RawQuery, asItIs)
	return event
}

func (q *request) albEvent() *events.ALBTargetGroupRequest {
	arn := cmp.Or(q.gateway.targetGroup, "arn:aws:elasticloadbalancing:us-east-1:"+defaultAccount+":targetgroup/lambda/0000000000000000")
	return &events.ALBTargetGroupRequest{
		HTTPMethod: q.Method, Path: q.path, Body: q.body, IsBase64Encoded: q.isBase64,
		RequestContext: events.ALBTargetGroupRequestContext{ELB: events.ELBContext{TargetGroupArn: arn}},
	}
}

// v2Parameters are none for the route that takes everything.
func (q *request) v2Parameters() map[string]string {
	if q.route.key == defaultRoute {
		return nil
	}
	return q.route.parameters
}

// stagePath is the path that clients of a REST API see.
func (q *request) stagePath() string {
	if q.gateway.stage == defaultStage {
		return q.path
	}
	return "/" + q.gateway.stage + q.path
}

// takeCookies moves the cookies out of the headers, as format 2.0 does.
func takeCookies(header http.Header) []string {
	var cookies []string
	for _, line := range header["Cookie"] {
		for cookie := range strings.SplitSeq(line, ";") {
			if cookie = strings.TrimSpace(cookie); cookie != "" {
				cookies = append(cookies, cookie)
			}
		}
	}
	header.Del("Cookie")
	return cookies
}
