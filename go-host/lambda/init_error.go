package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"rootbridge"
)

// FailInit ends the program with 1 because of an error of rootbridge.Start, which it logs by slog.Default() and reports to
// Lambda as that of the init phase, so that callers see errorType and errorMessage as of a Node function: for example
// Runtime.ImportModuleError. Without it they would see Runtime.ExitError. Where there is no Lambda it only logs.
func FailInit(err error) {
	slog.Error("the function can't start", "error", err)
	if api := os.Getenv("AWS_LAMBDA_RUNTIME_API"); api != "" {
		if err := reportInitError(api, initError(err)); err != nil {
			slog.Error("the error can't be reported to Lambda", "error", err)
		}
	}
	os.Exit(1)
}

// initError is an error as of an invocation, but that of a worker that could not be started is Lambda's for a process that ends.
func initError(err error) messages.InvokeResponse_Error {
	if e := (*rootbridge.Error)(nil); errors.As(err, &e) && e.Code == rootbridge.CodeBootFailed && e.Name == "" {
		return messages.InvokeResponse_Error{Type: "Runtime.ExitError", Message: printable(e.Message)}
	}
	return invokeError(err)
}

// reportTime is how long Lambda may take to take the error.
const reportTime = 2 * time.Second

// reportInitError posts to the one part of the Runtime API that aws-lambda-go does not speak (Lambda guide, "Initialization
// error").
func reportInitError(api string, e messages.InvokeResponse_Error) error {
	ctx, cancel := context.WithTimeout(context.Background(), reportTime)
	defer cancel()
	body, _ := json.Marshal(e)                                                                                                              // texts always can
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+api+"/2018-06-01/runtime/init/error", bytes.NewReader(body)) //nolint:gosec // where Lambda is, Lambda says
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", jsonType)
	request.Header.Set("Lambda-Runtime-Function-Error-Type", e.Type)
	response, err := http.DefaultClient.Do(request) //nolint:gosec // likewise
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("expected 202 from the Runtime API, got %s", response.Status)
	}
	return nil
}
