package main

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"rootbridge"
)

// route answers a request, or says why not: then nothing has been written yet.
type route func(w http.ResponseWriter, r *http.Request) error

func newHandler(host *rootbridge.Host, logger *slog.Logger) http.Handler {
	shop := newShop(host)
	mux := http.NewServeMux()
	for pattern, route := range map[string]route{
		"POST /orders/validate":          post(shop.validate),
		"POST /orders/{id}/confirmation": confirmation(shop),
		"GET /invoices/{file}":           invoice(shop),
		"POST /quote":                    post(shop.quote),
		"POST /optimise":                 post(shop.bestDeals),
		"POST /carts/merge":              mergeCarts(shop),
		"POST /descriptions":             post(shop.describe),
		"GET /stock/{sku}":               stockOf(shop),
		"GET /methods":                   get(func() any { return host.Methods() }),
		"GET /stats":                     get(func() any { return host.Stats() }),
		"GET /livez":                     health(host.Live),
		"GET /readyz":                    health(host.Ready),
	} {
		mux.Handle(pattern, answering(route, logger))
	}
	return traced(mux, logger)
}

// post answers with what a JavaScript function makes of the request's body.
func post[In, Out any](call func(context.Context, In) (Out, error)) route {
	return func(w http.ResponseWriter, r *http.Request) error {
		in, err := readJSON[In](w, r)
		if err != nil {
			return err
		}
		out, err := call(r.Context(), in)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, out)
	}
}

func mergeCarts(shop shop) route {
	return post(func(ctx context.Context, both bothCarts) (mergedCart, error) {
		return shop.mergeCarts(ctx, rootbridge.Args{both.Guest, both.Saved})
	})
}

func confirmation(shop shop) route {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, err := orderID(r.PathValue("id"))
		if err != nil {
			return err
		}
		mail, err := shop.confirmation(r.Context(), id)
		if err != nil {
			return err
		}
		return write(w, http.StatusOK, "text/html; charset=utf-8", []byte(mail.HTML))
	}
}

func invoice(shop shop) route {
	return func(w http.ResponseWriter, r *http.Request) error {
		name, isPDF := strings.CutSuffix(r.PathValue("file"), ".pdf")
		id, err := orderID(name)
		if !isPDF || err != nil {
			return badRequest("expected /invoices/<order number>.pdf")
		}
		pdf, err := shop.invoice(r.Context(), id)
		if err != nil {
			return err
		}
		return write(w, http.StatusOK, "application/pdf", pdf)
	}
}

func stockOf(shop shop) route {
	return func(w http.ResponseWriter, r *http.Request) error {
		stock, err := shop.stock(r.Context(), r.PathValue("sku"))
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, stock)
	}
}

func get(value func() any) route {
	return func(w http.ResponseWriter, _ *http.Request) error {
		return writeJSON(w, http.StatusOK, value())
	}
}

// health answers an orchestrator.
func health(check func() error) route {
	return func(w http.ResponseWriter, _ *http.Request) error {
		if err := check(); err != nil {
			return write(w, http.StatusServiceUnavailable, "text/plain", []byte(err.Error()+"\n"))
		}
		return write(w, http.StatusOK, "text/plain", []byte("ok\n"))
	}
}

func orderID(text string) (int, error) {
	id, err := strconv.Atoi(text)
	if err != nil {
		return 0, badRequest("expected an order number, got " + strconv.Quote(text))
	}
	return id, nil
}
