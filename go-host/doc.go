// Package rootbridge calls JavaScript functions from Go as if they were Go: it runs unmodified JavaScript in a pool of
// Node worker processes and speaks a framed protocol with them over their stdin and stdout.
//
//	host, err := rootbridge.Start(ctx, rootbridge.Options{Entry: "legacy/index.js"})
//	if err != nil { ... }
//	defer host.Close()
//
//	var verdict Verdict
//	err = host.Call(ctx, "validate", order, &verdict)
//
//	validate := rootbridge.Func[Order, Verdict](host, "validate")
//	verdict, err := validate(ctx, order)
//
// Every call ends in exactly one way, and every way but success is an *Error with a Code.
//
// A Host is safe for use by many goroutines, and a program may have many.
package rootbridge
