package main

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"net/http"
	"strings"
	"sync"
)

// processes is how many Node processes the three functions have: two, one and two.
const processes = 5

// tour walks a person through the shop, one feature a step.
type tour struct {
	*screen
	client
	server *server
}

type product struct {
	ID    string  `json:"id"`
	Name  string  `json:"name"`
	Price float64 `json:"price"`
	Stock int     `json:"stock"`
}

func (t *tour) crud(ctx context.Context) {
	t.step("A REST API", "legacy/products: (event, context, callback), the AWS SDK, a table")
	var made, read, changed product
	created := t.ask(ctx, "POST /products", `{"name": "Green mug", "price": 13.5, "stock": 3}`)
	created.into(&made)
	path := created.header.Get("Location")
	t.check(created.status == http.StatusCreated && made.ID != "" && path == "/products/"+made.ID, "POST creates %s: %s", path, created)
	got := t.ask(ctx, "GET "+path, "")
	got.into(&read)
	t.check(got.status == http.StatusOK && read == made, "GET reads %+v: %s", read, got)
	put := t.ask(ctx, "PUT "+path, `{"name": "Green mug", "price": 11, "stock": 2}`)
	put.into(&changed)
	t.check(put.status == http.StatusOK && changed == product{made.ID, made.Name, 11, 2}, "PUT lowers its price to %v: %s", changed.Price, put)
	gone := t.ask(ctx, "DELETE "+path, "")
	t.check(gone.status == http.StatusNoContent && len(gone.body) == 0, "DELETE removes it: %s", gone)
	after := t.ask(ctx, "GET "+path, "")
	t.check(after.status == http.StatusNotFound, "and then it is gone: %s %s", after, after.body)
}

func (t *tour) manyWorkers(ctx context.Context) {
	t.step("One table", "eight products at once, by two Node processes")
	var creating sync.WaitGroup
	for i := range 8 {
		creating.Go(func() {
			t.ask(ctx, "POST /products", fmt.Sprintf(`{"name": "Spoon %d", "price": 2, "category": "spoons"}`, i))
		})
	}
	creating.Wait()
	var list struct {
		Count int       `json:"count"`
		Items []product `json:"items"`
	}
	got := t.ask(ctx, "GET /products?category=spoons", "")
	got.into(&list)
	workers := map[any]bool{}
	for _, line := range t.server.logged(func(r record) bool { return strings.HasPrefix(r.text("msg"), "POST /products") }) {
		workers[line["worker"]] = true
	}
	t.check(list.Count == 8 && len(list.Items) == 8, "made by %d processes, all %d are in the list: %s", len(workers), list.Count, got)
}

func (t *tour) refusals(ctx context.Context) {
	t.step("What it refuses", "in the old function's own words")
	for _, test := range []struct {
		request, body string
		status        int
	}{
		{"GET /products/none", "", http.StatusNotFound},
		{"POST /products", `{"name": `, http.StatusBadRequest},
		{"POST /products", `{"name": "No price"}`, http.StatusUnprocessableEntity},
		{"PATCH /products/tea-earl-100", `{}`, http.StatusMethodNotAllowed},
	} {
		got := t.ask(ctx, test.request, test.body)
		t.check(got.status == test.status, "%s %s: %s %s", test.request, test.body, got, got.body)
	}
}

func (t *tour) site(ctx context.Context) {
	t.step("An HTTP API", "legacy/site: ES modules, async, event.routeKey")
	found := t.ask(ctx, "GET /search?q=e&tag=tea&tag=tools", "")
	t.check(found.status == http.StatusOK && bytes.Contains(found.body, []byte(`"found":[{"slug":"kettles"`)), "a query with a key twice: %s %s", found, found.body)

	visit := t.ask(ctx, "GET /visits", "", "Cookie", "visits=4; theme=dark")
	set := map[string]string{}
	for _, cookie := range visit.cookies {
		set[cookie.Name] = cookie.Value
	}
	t.check(string(visit.body) == `{"visits":5,"theme":"dark"}` && set["visits"] == "5" && set["last"] == "back",
		"two cookies in, two out: %s %v", visit, set)

	bare := t.ask(ctx, "POST /newsletter", `{"email": "mara@example.com"}`)
	t.check(bare.status == http.StatusOK && string(bare.body) == `{"subscribed":"mara@example.com"}`, "an object without a statusCode is a response: %s %s", bare, bare.body)
}

func (t *tour) bytes(ctx context.Context) {
	t.step("Bytes", "base64 in the function, bytes outside")
	avatar := t.ask(ctx, "GET /avatars/Zo%C3%AB", "")
	image, err := png.Decode(bytes.NewReader(avatar.body))
	t.check(err == nil && avatar.header.Get("Content-Type") == "image/png", "a PNG: %s, %d bytes", avatar, len(avatar.body))
	if err != nil {
		t.line("it is none: %v", err)
		return
	}
	var facts struct{ Bytes, Width, Height int }
	back := t.ask(ctx, "POST /images", string(avatar.body), "Content-Type", "image/png")
	back.into(&facts)
	t.check(facts.Bytes == len(avatar.body) && facts.Width == image.Bounds().Dx(), "and back: %s %+v", back, facts)
}
