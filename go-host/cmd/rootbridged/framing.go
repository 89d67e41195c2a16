package main

import "net/http"

// refusingUnclearBodies lets no connection go on after a request of which a proxy before us may think that it ends elsewhere
// (RFC 9112, 6.1 and 6.3): one in chunks, which may have had a Content-Length, too, and one of HTTP/1.0, which may have been
// in chunks. net/http has taken away the header that would tell. Of HTTP/1.0 it has not read a body without a length.
func refusingUnclearBodies(next http.Handler, refuse func(http.ResponseWriter, *failure)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isOld := !r.ProtoAtLeast(1, 1)
		if isOld || len(r.TransferEncoding) > 0 {
			w.Header().Set("Connection", "close")
		}
		if r.RequestURI == "*" {
			refuse(w, invalid("expected a path"))
			return
		}
		if isOld && mayHaveBody(r.Method) && r.Header.Get("Content-Length") == "" {
			refuse(w, &failure{http.StatusLengthRequired, "length_required", "expected a Content-Length in a request of HTTP/1.0, which may be 0"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func mayHaveBody(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}
