package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"rootbridge"
	"rootbridge/lambda"
)

// frontFlags are those of lambda.Handler that a daemon's user needs.
type frontFlags struct {
	Format          string   `default:"apigateway-v2" enum:"apigateway-v2,apigateway-v1,alb,alb-multi-value,function-url" help:"Whose events the handler expects: apigateway-v2 (HTTP APIs), apigateway-v1 (REST APIs), alb, alb-multi-value, function-url."`
	Route           []string `sep:"none" placeholder:"PATTERN" help:"Requests that are the handler's, such as 'GET /orders/{id}'; {id} is in event.pathParameters. May be repeated. Default: all."`
	Stage           string   `default:"$$default" placeholder:"NAME" help:"What the handler is told to be its API's stage. Default: $$default."`
	StageVariable   []string `sep:"none" placeholder:"KEY=VALUE" help:"Stage variable; may be repeated."`
	BinaryMediaType []string `placeholder:"TYPE" help:"Type of bodies that are base64 in events, such as 'image/*'; may be repeated. Default: as the format has it."`
	HeaderName      []string `placeholder:"NAME" help:"Header that events of apigateway-v1 have in this spelling, such as X-GitHub-Event; may be repeated. Others have the daemon's: X-Github-Event."`
	TrustProxy      bool     `help:"Believe X-Forwarded-For, -Proto and -Port: there is a proxy before it that sets them."`
	Public          bool     `help:"Let everybody in who gets to --listen, without a token: the handler decides who may do what."`
}

func (f *frontFlags) options() []lambda.Option {
	options := []lambda.Option{lambda.Format(lambda.EventFormat(f.Format)), lambda.Stage(f.Stage, f.stageVariables())}
	if len(f.BinaryMediaType) > 0 {
		options = append(options, lambda.BinaryMediaTypes(f.BinaryMediaType...))
	}
	if len(f.HeaderName) > 0 {
		options = append(options, lambda.HeaderNames(f.HeaderName...))
	}
	if f.TrustProxy {
		options = append(options, lambda.TrustProxy())
	}
	return options
}

func (f *frontFlags) stageVariables() map[string]string {
	if len(f.StageVariable) == 0 {
		return nil
	}
	variables := make(map[string]string, len(f.StageVariable))
	for _, each := range f.StageVariable {
		name, value, _ := strings.Cut(each, "=")
		variables[name] = value
	}
	return variables
}

// checkFront finds settings that contradict --http, or are for it alone, and has those that it implies.
func (c *serveCommand) checkFront() error {
	if c.HTTP == nil {
		return c.Front.checkUnused()
	}
	switch {
	case c.Convention != "" && c.Convention != string(rootbridge.Lambda):
		return usagef("--http calls a Lambda handler: expected --convention lambda or none, got %s", c.Convention)
	case c.MaxTimeout != 0:
		return usagef("--max-timeout is for calls whose client asks for a timeout; with --http every request has --call-timeout")
	case c.Front.Public && c.TLSClientCA != "":
		return usagef("--http-public lets everybody in, and --tls-client-ca nobody without a certificate: leave one of them out")
	}
	c.Convention = string(rootbridge.Lambda)
	return c.Front.check()
}

// checkUnused finds what would be without effect.
func (f *frontFlags) checkUnused() error {
	for flag, isGiven := range map[string]bool{
		"format": f.Format != string(lambda.APIGatewayV2), "route": len(f.Route) > 0, "stage": f.Stage != "$default", "stage-variable": len(f.StageVariable) > 0,
		"binary-media-type": len(f.BinaryMediaType) > 0, "header-name": len(f.HeaderName) > 0, "trust-proxy": f.TrustProxy, "public": f.Public,
	} {
		if isGiven {
			return usagef("--http-%s is for --http METHOD, which is not given", flag)
		}
	}
	return nil
}

func (f *frontFlags) check() error {
	for _, each := range f.StageVariable {
		if name, _, ok := strings.Cut(each, "="); !ok || name == "" {
			return usagef("expected --http-stage-variable to be KEY=VALUE, got %.100q", name)
		}
	}
	if len(f.HeaderName) > 0 && f.Format != string(lambda.APIGatewayV1) {
		return usagef("--http-header-name is for --http-format apigateway-v1: names are in lower case with %s", f.Format)
	}
	return errors.Join(
		checkPanic("--http-header-name to be the name of a header", func() { lambda.Handler(nil, "", f.options()...) }),
		checkPanic("--http-route to be a pattern such as 'GET /orders/{id}'", func() { routed(f.Route, http.NotFoundHandler()) }),
	)
}

// checkPanic finds what others do not take, which they say by a panic.
func checkPanic(expected string, use func()) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = usagef("expected %s: %s", expected, fmt.Sprint(reason))
		}
	}()
	use()
	return nil
}
