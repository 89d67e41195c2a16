package main

import (
	"errors"
	"net/http"

	"rootbridge"
	"rootbridge/lambda"
)

// front answers requests by a Lambda handler, within the limits that hold for calls, too. It has no guard against web pages:
// they are who it is for.
type front struct {
	answers
	bodies *bodies
	tokens *tokens // nil without --token-file, and with --http-public
	routes http.Handler
}

func (s *server) front() http.Handler {
	f := &front{answers: s.answers, bodies: s.bodies()}
	if !s.flags.Front.Public {
		f.tokens = s.flags.tokens
	}
	options := append(s.flags.Front.options(), lambda.OnError(f.failed), lambda.WriteTimeout(s.flags.WriteTimeout))
	f.routes = routed(s.flags.Front.Route, lambda.Handler(s.host, *s.flags.HTTP, options...))
	return refusingUnclearBodies(limitingReads(s.flags.ReadTimeout, f), answerFailure)
}

// ServeHTTP hands a request to the handler, without the token that is ours and not its.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w = f.bodies.counting(w)
	body := f.bodies.of(w, r)
	defer body.release()
	r = traced(w, r)
	if failed := refuseWithoutToken(f.tokens, r, f.logger); failed != nil {
		f.limitWriting(w)
		answerFailure(w, failed)
		return
	}
	if f.tokens != nil {
		r.Header.Del("Authorization")
	}
	r.Body = body
	f.routes.ServeHTTP(w, r)
}

// answerFailure is answerError in API Gateway's words.
func answerFailure(w http.ResponseWriter, failed *failure) {
	challenge(w, failed)
	lambda.WriteError(w, &lambda.Error{Status: failed.status, Reason: failed.message})
}

// failed answers where the handler has no response. What it threw is told as Lambda tells it, with --stacks.
func (f *front) failed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errManyBodies) {
		err = &rootbridge.Error{Code: rootbridge.CodeOverloaded, Message: errManyBodies.Error()}
	}
	f.log(r, lambda.StatusOf(err), err)
	if f.stacks {
		lambda.WriteErrorDetails(w, err)
		return
	}
	lambda.WriteError(w, err)
}

// routed gives each pattern to the handler, and answers 404 for other requests, as API Gateway does. Without patterns every
// path reaches it as it came: a mux would redirect some.
func routed(patterns []string, handler http.Handler) http.Handler {
	if len(patterns) == 0 {
		return handler
	}
	mux := http.NewServeMux()
	for _, pattern := range patterns {
		mux.Handle(pattern, handler)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "" {
			lambda.WriteError(w, &lambda.Error{Status: http.StatusNotFound, Reason: "no --http-route has this path"})
			return
		}
		mux.ServeHTTP(w, r)
	})
}
