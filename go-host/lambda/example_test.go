package lambda_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	awslambda "github.com/aws/aws-lambda-go/lambda"

	"rootbridge"
	"rootbridge/lambda"
)

// orders stands for a handler that a team has had for years.
const orders = `
export const handler = async (event, context) => ({
  statusCode: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ id: event.pathParameters.id, items: event.queryStringParameters.items }),
});
export const consume = async (event) => ({
  batchItemFailures: event.Records.filter((record) => record.body === '').map((record) => ({ itemIdentifier: record.messageId })),
});
`

func ExampleHandler() {
	ctx := context.Background()
	host, err := rootbridge.Start(ctx, rootbridge.Options{
		Source:     orders, // or Entry: "index.handler", Dir: "legacy/orders", and the method ""
		Convention: rootbridge.Lambda,
		Node:       os.Getenv("ROOTBRIDGE_TEST_NODE"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()

	mux := http.NewServeMux()
	mux.Handle("GET /orders/{id}", lambda.Handler(host, "handler", lambda.CallOptions(rootbridge.WithTimeout(29*time.Second))))
	server := httptest.NewServer(mux)
	defer server.Close()

	response, err := server.Client().Get(server.URL + "/orders/7?items=a&items=b")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	fmt.Println(response.StatusCode, string(body), err)
	// Output: 200 {"id":"7","items":"a,b"} <nil>
}

// A function that is being rewritten: what is done, Go answers; the rest the old handler does.
func ExampleFunction() {
	host, err := rootbridge.Start(context.Background(), rootbridge.Options{Source: orders, Convention: rootbridge.Lambda, Node: os.Getenv("ROOTBRIDGE_TEST_NODE")})
	if err != nil {
		lambda.FailInit(err)
	}
	defer host.Close()
	old := lambda.Function(host, "handler")

	function := awslambda.NewHandler(func(ctx context.Context, event json.RawMessage) (any, error) {
		var request events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(event, &request); err != nil {
			return nil, err
		}
		if request.RawPath == "/health" {
			return events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: "from Go"}, nil
		}
		response, err := old.Invoke(ctx, event)
		return json.RawMessage(response), err
	})
	// On Lambda: awslambda.Start(function)

	for _, event := range []string{`{"rawPath":"/health"}`, `{"rawPath":"/orders/7","pathParameters":{"id":"7"},"queryStringParameters":{"items":"a"}}`} {
		response, err := function.Invoke(context.Background(), []byte(event))
		fmt.Println(string(response), err)
	}
	// Output:
	// {"statusCode":200,"headers":null,"multiValueHeaders":null,"body":"from Go","cookies":null} <nil>
	// {"statusCode":200,"headers":{"content-type":"application/json"},"body":"{\"id\":\"7\",\"items\":\"a\"}"} <nil>
}

func ExampleInvoke() {
	ctx := context.Background()
	host, err := rootbridge.Start(ctx, rootbridge.Options{Source: orders, Convention: rootbridge.Lambda, Node: os.Getenv("ROOTBRIDGE_TEST_NODE")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()

	batch := events.SQSEvent{Records: []events.SQSMessage{{MessageId: "1", Body: "an order"}, {MessageId: "2"}}}
	result, err := lambda.Invoke[events.SQSEventResponse](ctx, host, "consume", batch)
	fmt.Println(result.BatchItemFailures, err)
	// Output: [{2}] <nil>
}
