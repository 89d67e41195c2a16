package rootbridge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"rootbridge"
)

// pricing stands for a file that a team has had for years.
const pricing = `
export const total = (cart) => cart.items.reduce((sum, item) => sum + item.price * item.quantity, 0);
export const add = (a, b) => a + b;
export const lookup = (sku, done) => setTimeout(done, 1, null, { sku, left: 7 });
export const charge = (amount) => { if (amount < 0) throw Object.assign(new RangeError('negative amount'), { statusCode: 422 }); };
export const forever = () => new Promise(() => {});
`

type item struct {
	Price    float64 `json:"price"`
	Quantity int     `json:"quantity"`
}

type cart struct {
	Items []item `json:"items"`
}

func Example() {
	ctx := context.Background()
	host, err := rootbridge.Start(ctx, rootbridge.Options{Source: pricing}) // or Entry: "legacy/index.js"
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()

	var total float64
	err = host.Call(ctx, "total", cart{Items: []item{{2.5, 2}, {1, 3}}}, &total)
	fmt.Println(total, err)
	// Output: 8 <nil>
}

// Bytes of one result after the other are in the same memory.
func ExampleHost_Call_buffer() {
	ctx := context.Background()
	host, err := rootbridge.Start(ctx, rootbridge.Options{Source: `export const page = (name) => Buffer.from('Hello ' + name);`})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()

	var page bytes.Buffer
	for _, name := range []string{"Ada", "Grace"} {
		page.Reset()
		err := host.Call(ctx, "page", name, &page)
		fmt.Println(page.String(), err)
	}
	// Output:
	// Hello Ada <nil>
	// Hello Grace <nil>
}

func ExampleFunc() {
	ctx := context.Background()
	host, err := rootbridge.Start(ctx, rootbridge.Options{Source: pricing})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()

	total := rootbridge.Func[cart, float64](host, "total")
	sum, err := total(ctx, cart{Items: []item{{2.5, 2}}})
	fmt.Println(sum, err)
	// Output: 5 <nil>
}

func ExampleHost_Call() {
	ctx := context.Background()
	host, err := rootbridge.Start(ctx, rootbridge.Options{Source: pricing})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()

	var sum int
	err = host.Call(ctx, "add", rootbridge.Args{1, 2}, &sum) // add(1, 2)
	fmt.Println(sum, err)

	var stock struct{ Left int }
	err = host.Call(ctx, "lookup", "COF-1", &stock, rootbridge.WithConvention(rootbridge.ConventionCallback))
	fmt.Println(stock.Left, err)
	// Output:
	// 3 <nil>
	// 7 <nil>
}

func ExampleWithInvocation() {
	ctx := context.Background()
	host, err := rootbridge.Start(ctx, rootbridge.Options{
		Source: `export const handler = (event, context, callback) =>
			callback(null, { greeting: "hello " + event.name, id: context.awsRequestId })`,
		Convention: rootbridge.Lambda, // with Entry: "index.handler" it would be a file's
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()

	var out struct{ Greeting, ID string }
	event := json.RawMessage(`{"name": "Ada"}`)
	err = host.Call(ctx, "", event, &out, rootbridge.WithInvocation(rootbridge.Invocation{RequestID: "8476a536"}))
	fmt.Println(out.Greeting, out.ID, err)
	// Output: hello Ada 8476a536 <nil>
}

func ExampleError() {
	ctx := context.Background()
	host, err := rootbridge.Start(ctx, rootbridge.Options{Source: pricing})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()

	err = host.Call(ctx, "charge", -5, nil)
	var e *rootbridge.Error
	if errors.As(err, &e) {
		var fields struct{ StatusCode int }
		_ = e.DecodeFields(&fields)
		fmt.Println(e.Code == rootbridge.CodeException, e.Name, e.Message, fields.StatusCode)
	}

	err = host.Call(ctx, "forever", nil, nil, rootbridge.WithTimeout(10*time.Millisecond))
	fmt.Println(errors.Is(err, rootbridge.CodeDeadlineExceeded), errors.Is(err, context.DeadlineExceeded))
	// Output:
	// true RangeError negative amount 422
	// true true
}
