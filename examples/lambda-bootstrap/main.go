// Command bootstrap is an AWS Lambda function in Go (runtime provided.al2023) that carries its old Node handler inside while
// it is being rewritten: the one in legacy/, unmodified.
package main

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"rootbridge"
	"rootbridge/lambda"
)

const (
	// longest is more than a function may run: here the function's own timeout counts.
	longest = 15 * time.Minute
	// besides is what this program and Node have beside the JavaScript heap, in MB.
	besides = 96
)

func main() {
	host, err := rootbridge.Start(context.Background(), rootbridge.Options{
		Entry:      cmp.Or(os.Getenv("_HANDLER"), "index.handler"), // what the function's configuration has
		Dir:        filepath.Join(os.Getenv("LAMBDA_TASK_ROOT"), "legacy"),
		Convention: rootbridge.Lambda,
		Workers:    1, // an environment gets one event at a time
		MaxHeap:    int64(max(0, lambdacontext.MemoryLimitInMB-besides)) << 20,
		// Between two events an environment is frozen, a worker that starts as well: the time goes on.
		BootTimeout:  longest,
		QueueTimeout: longest,
		Logger:       lambdacontext.NewLogger(), // to CloudWatch, as AWS_LAMBDA_LOG_FORMAT and _LEVEL say
	})
	if err != nil {
		lambda.FailInit(err)
	}
	lambda.Start(host, "")
}
