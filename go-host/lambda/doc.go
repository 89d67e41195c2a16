// Package lambda puts unmodified AWS Lambda handlers behind Go: as an http.Handler, in place of API Gateway, a load balancer
// or a function URL, as functions of the typed events of SQS, SNS, EventBridge, S3, DynamoDB streams, Kinesis and others, and
// on AWS Lambda itself, within a function in Go.
//
//	host, err := rootbridge.Start(ctx, rootbridge.Options{
//		Entry: "index.handler", Dir: "legacy/orders", Convention: rootbridge.Lambda,
//	})
//	http.Handle("/orders/{id}", lambda.Handler(host, ""))
//
//	failed, err := lambda.Invoke[events.SQSEventResponse](ctx, host, "", batch)
//
//	lambda.Start(host, "") // the program is a Lambda function
//
// The types of events are those of github.com/aws/aws-lambda-go/events. Where rules are named as "HTTP APIs", "REST APIs",
// "ELB guide" or "Lambda guide", they are of AWS's guides: Amazon API Gateway Developer Guide ("Create AWS Lambda proxy
// integrations for HTTP APIs in API Gateway", payload formats 2.0 and 1.0; "Lambda proxy integrations in API Gateway"),
// User Guide for Application Load Balancers ("Lambda functions as targets"), and AWS Lambda Developer Guide ("Invoking Lambda
// function URLs").
package lambda
