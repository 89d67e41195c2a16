package main

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"rootbridge/lambda"
)

func newHandler(functions *functions, orders *queue, logger *slog.Logger) http.Handler {
	mux := http.NewServeMux()

	// A REST API: its resources were integrated with ANY method.
	products := lambda.Handler(functions.products, "", lambda.Format(lambda.APIGatewayV1), lambda.Logger(logger))
	mux.Handle("/products", products)
	mux.Handle("/products/{id}", products)
	// Retired: a route of Go goes before the function's, because it is more specific.
	mux.HandleFunc("OPTIONS /products", preflight)
	mux.HandleFunc("OPTIONS /products/{id}", preflight)

	// An HTTP API: these were its routes, and are the event's routeKey.
	site := lambda.Handler(functions.site, "", lambda.Logger(logger))
	for _, route := range []string{"GET /search", "GET /visits", "GET /avatars/{name}", "POST /images", "POST /newsletter"} {
		mux.Handle(route, site)
	}

	mux.HandleFunc("POST /orders", sendOrders(orders))
	mux.HandleFunc("GET /queue", show(func() any { return orders.state() }))
	mux.HandleFunc("GET /stats", show(func() any { return functions.stats() }))
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := functions.ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	return mux
}

// preflight was 'OPTIONS /products' of legacy/products.
func preflight(w http.ResponseWriter, _ *http.Request) {
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Access-Control-Allow-Methods", "GET,POST,PUT,DELETE,OPTIONS")
	header.Set("Access-Control-Allow-Headers", "Content-Type")
	header.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}

const maxOrders = 256 << 10 // bytes, as SQS has it for one message

// sendOrders puts each of a list of orders into the queue, unread: they are the consumer's business.
func sendOrders(orders *queue) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var list []json.RawMessage
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrders)).Decode(&list); err != nil {
			http.Error(w, "expected a JSON list of orders: "+err.Error(), http.StatusBadRequest)
			return
		}
		writeJSON(w, http.StatusAccepted, map[string]any{"messageIds": orders.send(list)})
	}
}

func show(value func() any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, value()) }
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // of a client that has gone there is no one left to tell
}
