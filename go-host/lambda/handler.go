package lambda

import (
	"context"
	"net/http"
	"time"

	"rootbridge"
)

// Handler answers HTTP requests by a Lambda handler: method of host, "" for the one that Options.Entry names. It is called
// with the convention rootbridge.Lambda, whatever the host's own is.
//
// A request becomes an event of the Format, and the handler's result the response. Body and result are held in memory:
// nothing is streamed. When the client goes away the call is canceled, and the invocation goes on as rootbridge.Lambda says.
// context.awsRequestId and the event's requestId are a new UUID, which is also the response's Apigw-Requestid or
// X-Amzn-Requestid. Handler takes X-Amzn-Trace-Id and traceparent from the request, or makes the former, and gives both to the
// call; its trace id is that of the request's context (rootbridge.ContextWithTraceID), else that of traceparent, else the
// request id.
//
// What goes wrong is answered as StatusOf says, with a body {"message": "..."} that tells nothing of the JavaScript, and
// logged; OnError and ShowErrors change that. Other timeouts than WriteTimeout, and limits of connections and headers, are
// those of http.Server: set its ReadHeaderTimeout and ReadTimeout.
//
// Handler panics if an option can't be used, as http.ServeMux does for patterns.
func Handler(host *rootbridge.Host, method string, options ...Option) http.Handler {
	return &front{host: host, method: method, settings: newSettings(options)}
}

type front struct {
	host   *rootbridge.Host
	method string
	settings
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := newRequestID()
	if f.idHeader != "" {
		w.Header().Set(f.idHeader, id)
	}
	t := newTrace(r.Header)
	r = r.WithContext(t.context(r.Context(), id))
	answer, err := f.answer(w, r, id, t)
	f.limitWriting(w)
	switch {
	case err == nil:
		answer.write(w, r)
	case f.onError != nil:
		f.onError(w, r, err)
	default:
		f.fail(w, r, id, err)
	}
}

// limitWriting counts from now: how long the handler took is another matter. Afterwards net/http lifts the limit.
func (f *front) limitWriting(w http.ResponseWriter) {
	if f.writeTimeout > 0 {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(f.writeTimeout)) // what can't do it has no connection
	}
}

func (f *front) answer(w http.ResponseWriter, r *http.Request, id string, t trace) (*answer, error) {
	if r.Method == http.MethodConnect { // its 2xx would make a tunnel of the connection
		return nil, &Error{Status: http.StatusMethodNotAllowed, Reason: "CONNECT is for proxies"}
	}
	received := time.Now().UTC()
	body, err := readBody(w, r, f.maxBody)
	if err != nil {
		return nil, err
	}
	event := f.event(f.request(r, id, received, t, body))
	if f.edit != nil {
		f.edit(r, event)
	}
	result, contentType, err := f.call(r.Context(), event, id, t)
	switch {
	case err != nil:
		return nil, err
	case result.Codec == rootbridge.Raw:
		return streamed(result.Bytes, contentType)
	}
	return f.parse(result.Bytes)
}

// call invokes the handler. What it may not be told by options is how: with which convention, and where the reply is noted.
func (f *front) call(ctx context.Context, event any, id string, t trace) (result rootbridge.Encoded, contentType string, err error) {
	text, err := encode(event)
	if err != nil {
		return result, "", err
	}
	var reply rootbridge.Reply
	result.Codec = rootbridge.JSON
	options := append([]rootbridge.CallOption{
		rootbridge.WithInvocation(rootbridge.Invocation{RequestID: id, TraceHeader: t.header}),
	}, f.callOptions...)
	options = append(options, rootbridge.WithConvention(rootbridge.Lambda), rootbridge.WithReply(&reply))
	err = f.host.Call(ctx, f.method, text, &result, options...)
	if rootbridge.CodeOf(err) == rootbridge.CodeTooLarge && reply.WorkerPID == 0 { // no worker has seen it
		return result, "", &Error{Status: http.StatusRequestEntityTooLarge, Reason: "the event is too large", err: err}
	}
	return result, reply.ContentType, err
}
