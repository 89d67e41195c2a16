package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
)

// tour walks a person through the storefront, one feature a step.
type tour struct {
	*screen
	client
	server *server
}

type object = map[string]any

func cart(skus ...string) object {
	lines := make([]object, 0, len(skus))
	for _, sku := range skus {
		lines = append(lines, object{"sku": sku, "quantity": 1})
	}
	return object{"lines": lines}
}

func (t *tour) validation(ctx context.Context) {
	t.step("A result", "POST /orders/validate → validate(order), ajv")
	order := cart("COF-ETH-250", "MUG-BLUE-300")
	order["email"] = "mara.lindholm@example.com"
	order["shipping"] = object{
		"name": "Mara Lindholm", "street": "Karl-Heine-Straße 41", "zip": "04229", "city": "Leipzig", "country": "DE",
	}
	good := t.post(ctx, "/orders/validate", "demo-valid", order)
	t.check(good.status == http.StatusOK && good.at("valid") == true, "a good order is valid: %s", good)

	order["email"] = "mara.lindholm"
	order["lines"] = []object{{"sku": "COF-ETH-251", "quantity": 0}}
	bad := t.post(ctx, "/orders/validate", "demo-invalid", order)
	problems, _ := bad.at("errors").([]any)
	fields := make([]string, 0, len(problems))
	for i := range problems {
		field := fmt.Sprint(bad.at("errors", i, "field"))
		fields = append(fields, field)
		t.line("  %-17s %s", field, bad.at("errors", i, "message"))
	}
	slices.Sort(fields)
	t.check(slices.Equal(fields, []string{"email", "lines.0.quantity", "lines.0.sku"}), "a bad one has its three mistakes named: %s", bad)
}

func (t *tour) prices(ctx context.Context) {
	t.step("Money", "POST /quote → pricing.quote(cart), decimal.js")
	order := object{"coupon": "WELCOME10", "lines": []object{
		{"sku": "COF-HOUSE-500", "quantity": 10}, {"sku": "MUG-BLUE-300", "quantity": 4},
	}}
	quote := t.post(ctx, "/quote", "demo-quote", order)
	for i := range 2 {
		line := func(key string) any { return quote.at("lines", i, key) }
		t.line("  %2v × %-27v %7v  %8v  %v", line("quantity"), line("name"), line("unit"), line("total"), line("tier"))
	}
	t.line("  %-33s %7s  %8v", "coupon WELCOME10", "", "-"+fmt.Sprint(quote.at("discount")))
	t.line("  %-33s %7s  %8v", "total", "", quote.at("total"))
	// By hand: 10 × 10.89 (11.90 less 8.5 %) + 4 × 13.05 (14.50 less 10 %) = 161.10, less 10 %.
	t.check(quote.at("total") == "144.99" && quote.at("vat", 0, "amount") == "6.41", "every cent is right: %s", quote)
}

func (t *tour) mail(ctx context.Context) {
	t.step("A mail", "POST /orders/1002/confirmation → mail.confirmation(1002), handlebars")
	mail := t.post(ctx, "/orders/1002/confirmation", "demo-mail", nil)
	html := string(mail.body)
	_, body, _ := strings.Cut(html, "<h1>")
	t.quoted("<h1>"+body, 4)
	t.check(strings.HasPrefix(html, "<!doctype html>") && strings.HasPrefix(mail.header.Get("Content-Type"), "text/html"),
		"%d bytes of HTML: %s", len(html), mail)
	t.check(strings.Contains(html, "Zoë O&#x27;Brien &amp; Sons &lt;Ltd&gt;"), "names are whole and escaped")
}

var pdfPage = regexp.MustCompile(`/Type\s*/Page\b`)

func (t *tour) pdf(ctx context.Context) {
	t.step("Bytes", "GET /invoices/1004.pdf → await invoices.render(1004), pdfkit, a Buffer")
	pdf := t.get(ctx, "/invoices/1004.pdf", "demo-pdf")
	path, err := saveTemporary(pdf.body)
	if err != nil {
		t.check(false, "the PDF can be saved: %v", err)
		return
	}
	defer os.Remove(path)
	saved, err := os.ReadFile(path)
	t.check(err == nil && bytes.Equal(saved, pdf.body), "saved as %s, until the end of this step", path)
	pages := len(pdfPage.FindAll(saved, -1))
	t.check(bytes.HasPrefix(saved, []byte("%PDF-1.")) && bytes.HasSuffix(bytes.TrimSpace(saved), []byte("%%EOF")) && pages == 2,
		"%d bytes, from %.8s to %%%%EOF, %d pages: %s", len(saved), saved, pages, pdf)
}

func saveTemporary(content []byte) (string, error) {
	file, err := os.CreateTemp("", "invoice-1004-*.pdf")
	if err != nil {
		return "", err
	}
	_, err = file.Write(content)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return file.Name(), err
}

func (t *tour) more(ctx context.Context) {
	t.step("Older habits", "an ES module, a callback, an instance's method")
	text := t.post(ctx, "/descriptions", "demo-markdown", object{
		"title":    "Crème de Café",
		"markdown": "# Our **best**\n<img src=x onerror=alert(1)>[order](javascript:alert(1)) [more](https://example.com)",
	})
	html := fmt.Sprint(text.at("html"))
	t.quoted(html, 4)
	t.check(text.at("slug") == "creme-de-cafe" && strings.Contains(html, "<strong>best</strong>") &&
		!strings.Contains(html, "onerror") && !strings.Contains(html, "javascript:"),
		"describe (async, ESM): markdown became clean HTML: %s", text)

	stock := t.get(ctx, "/stock/COF-DECAF-250", "demo-stock")
	t.check(stock.at("free") == 7.0 && stock.at("status") == "low", "stock.lookup(sku, callback): %v left: %s", stock.at("free"), stock)

	merged := t.post(ctx, "/carts/merge", "demo-merge", object{
		"guest": cart("TEA-EARL-100"), "saved": cart("TEA-EARL-100", "OLD-SKU"),
	})
	t.check(merged.at("lines", 0, "quantity") == 2.0 && merged.at("dropped", 0) == "OLD-SKU",
		"carts.merge(guest, saved), two arguments: %s", merged)
}

func (t *tour) exception(ctx context.Context) {
	t.step("Errors", "what a customer sees, and what Go sees")
	meant := t.post(ctx, "/quote", "demo-unknown-sku", cart("COF-ETH-251"))
	t.check(meant.status == http.StatusUnprocessableEntity && meant.at("error", "code") == "UNKNOWN_SKU",
		"thrown on purpose, with a statusCode: %s %q", meant, meant.at("error", "message"))
	log := t.logged(ctx, "demo-unknown-sku", "request refused")
	t.check(strings.Contains(log.text("cause"), "COF-ETH-251 not found"), "its cause, in Go's log: %s", log.text("cause"))

	bug := t.post(ctx, "/orders/1007/confirmation", "demo-bug", nil)
	t.check(bug.status == http.StatusInternalServerError && !bytes.Contains(bug.body, []byte("mail.js")),
		"a bug of the old code is kept from the customer: %s %q", bug, bug.at("error", "message"))
	log = t.logged(ctx, "demo-bug", "request failed")
	failure, _ := log["error"].(object)
	stack := fmt.Sprint(failure["stack"])
	t.quoted(stack, 3)
	t.check(strings.HasPrefix(stack, "TypeError: ") && strings.Contains(stack, "mail.js:"),
		"and its JavaScript stack is in Go's log")
}

// logged waits for a line of a call in the server's log.
func (t *tour) logged(ctx context.Context, traceID, message string) record {
	found, err := t.server.log.wait(ctx, func(r record) bool { return r.text("trace_id") == traceID && r.text("msg") == message })
	if err != nil {
		t.check(false, "the log says %q for trace id %s: %v", message, traceID, err)
	}
	return found
}
