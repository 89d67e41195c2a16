package main

import (
	"context"
	"encoding/json"
	"errors"

	"rootbridge"
)

// shop is the legacy backend as Go functions.
type shop struct {
	validate     func(context.Context, json.RawMessage) (verdict, error)
	quote        func(context.Context, cart) (quote, error)
	bestDeals    func(context.Context, cart) (bestDeals, error)
	describe     func(context.Context, product) (description, error)
	mergeCarts   func(context.Context, rootbridge.Args) (mergedCart, error)
	stock        func(context.Context, string) (stock, error)
	confirmation func(context.Context, int) (mail, error)
	invoice      func(context.Context, int) ([]byte, error)
}

func newShop(host *rootbridge.Host) shop {
	callback := rootbridge.WithConvention(rootbridge.ConventionCallback)
	return shop{
		validate:     rootbridge.Func[json.RawMessage, verdict](host, "validate"),
		quote:        rootbridge.Func[cart, quote](host, "pricing.quote"),
		bestDeals:    rootbridge.Func[cart, bestDeals](host, "deals.best"),
		describe:     rootbridge.Func[product, description](host, "describe"),
		mergeCarts:   rootbridge.Func[rootbridge.Args, mergedCart](host, "carts.merge"),
		stock:        rootbridge.Func[string, stock](host, "stock.lookup", callback),
		confirmation: rootbridge.Func[int, mail](host, "mail.confirmation"),
		invoice:      rootbridge.Func[int, []byte](host, "invoices.render"),
	}
}

// money is an amount as JavaScript's decimal library writes it, such as "12.90": never a float.
type money string

type cart struct {
	Lines   []cartLine `json:"lines"`
	Coupon  string     `json:"coupon,omitempty"`
	Country string     `json:"country,omitempty"`
}

func (c cart) check() error {
	if c.Lines == nil {
		return errors.New(`a cart needs "lines"`)
	}
	return nil
}

type bothCarts struct {
	Guest cart `json:"guest"`
	Saved cart `json:"saved"`
}

func (b bothCarts) check() error { return errors.Join(b.Guest.check(), b.Saved.check()) }

type cartLine struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

type verdict struct {
	Valid  bool         `json:"valid"`
	Errors []fieldError `json:"errors"`
}

type fieldError struct {
	Field   string `json:"field"`
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

type quote struct {
	Currency string      `json:"currency"`
	Lines    []quoteLine `json:"lines"`
	Subtotal money       `json:"subtotal"`
	Discount money       `json:"discount"`
	Shipping money       `json:"shipping"`
	Total    money       `json:"total"`
	VAT      []vat       `json:"vat"`
}

type quoteLine struct {
	SKU      string  `json:"sku"`
	Name     string  `json:"name"`
	Quantity int     `json:"quantity"`
	Unit     money   `json:"unit"`
	Tier     *string `json:"tier"`
	Total    money   `json:"total"`
}

type vat struct {
	Class  string `json:"class"`
	Rate   string `json:"rate"`
	Amount money  `json:"amount"`
}

type bestDeals struct {
	Deals []struct {
		ID     string `json:"id"`
		Title  string `json:"title"`
		Saving money  `json:"saving"`
	} `json:"deals"`
	Saving money `json:"saving"`
}

type product struct {
	Title    string `json:"title"`
	Markdown string `json:"markdown"`
}

type description struct {
	Slug    string `json:"slug"`
	HTML    string `json:"html"`
	Excerpt string `json:"excerpt"`
	Words   int    `json:"words"`
}

type mergedCart struct {
	Lines   []cartLine `json:"lines"`
	Coupon  *string    `json:"coupon"`
	Dropped []string   `json:"dropped"`
}

type stock struct {
	SKU        string `json:"sku"`
	Free       int    `json:"free"`
	Status     string `json:"status"`
	Warehouses []struct {
		Warehouse string `json:"warehouse"`
		Free      int    `json:"free"`
	} `json:"warehouses"`
}

type mail struct {
	To      string `json:"to"`
	Subject string `json:"subject"`
	HTML    string `json:"html"`
}
