package lambda

import (
	"context"
	"os"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"rootbridge"
)

// Start serves a Lambda handler of JavaScript as an AWS Lambda function, through aws-lambda-go's runtime loop: the program is
// the bootstrap of an OS-only runtime such as provided.al2023. method is "" for the handler that Options.Entry names. Start
// never returns, and ends the program with 1 where there is no Lambda (no AWS_LAMBDA_RUNTIME_API). What it serves is
// Function's.
//
// Start registers aws-lambda-go's internal extension, so that Lambda sends SIGTERM half a second before it ends the
// environment; in this time the host is shut down, which lets JavaScript close what it has open and writes the log's last
// lines. The program ends with 0 then.
func Start(host *rootbridge.Host, method string, options ...rootbridge.CallOption) {
	awslambda.StartWithOptions(Function(host, method, options...), awslambda.WithEnableSIGTERM(func() {
		shutDown(host)
		os.Exit(0)
	}))
}

// endTime is what calls may take of the 500 ms that Lambda leaves (Lambda guide, "Shutdown phase").
const endTime = 300 * time.Millisecond

func shutDown(host *rootbridge.Host) {
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	_ = host.Shutdown(ctx) // that calls were cut off, their callers learn
}
