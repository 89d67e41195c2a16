package lambda_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"rootbridge"
	"rootbridge/lambda"
)

// sources are what queues, topics and streams invoke.
const sources = `
export const echo = async (event) => event;
export const consume = async (event) => ({
  batchItemFailures: event.Records.filter((record) => record.body === 'bad').map((record) => ({ itemIdentifier: record.messageId })),
});
export const nothing = async () => {};
export const text = async () => 'text';
export const id = async (event, context) => context.awsRequestId;
export const fails = async () => { throw new TypeError('no'); };
`

// samples is where aws-lambda-go keeps the events that it is tested with.
var samples = sync.OnceValues(func() (string, error) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-lambda-go").Output()
	return filepath.Join(strings.TrimSpace(string(dir)), "events", "testdata"), err
})

func sample(t *testing.T, name string) []byte {
	t.Helper()
	dir, err := samples()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAWSsOwnEventsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	host := start(t, sources)
	roundTrip[events.SQSEvent](t, host, "sqs-event.json")
	roundTrip[events.SNSEvent](t, host, "sns-event.json")
	roundTrip[events.S3Event](t, host, "s3-event.json", "s3-event-with-decoded.json", "s3-glacier-event.json", "s3-restore-event.json", "s3-lifecycle-event.json", "s3-replication-event.json", "s3-intelligenttier-event.json")
	roundTrip[events.DynamoDBEvent](t, host, "dynamodb-event.json")
	roundTrip[events.DynamoDBTimeWindowEvent](t, host, "dynamodb-time-window-event.json")
	roundTrip[events.KinesisEvent](t, host, "kinesis-event.json")
	roundTrip[events.KinesisTimeWindowEvent](t, host, "kinesis-time-window-event.json")
	roundTrip[events.KinesisFirehoseEvent](t, host, "kinesis-firehose-event.json")
	roundTrip[events.EventBridgeEvent](t, host, "autoscaling-event-launch-successful.json", "codepipeline-execution-state-change-event.json", "ecr-image-push-event.json")
	roundTrip[events.CloudWatchEvent](t, host, "codebuild-state-change.json")
	roundTrip[events.CloudwatchLogsEvent](t, host, "cloudwatch-logs-event.json")
	roundTrip[events.SimpleEmailEvent](t, host, "ses-lambda-event.json")
	roundTrip[events.KafkaEvent](t, host, "kafka-event.json")
	roundTrip[events.APIGatewayV2HTTPRequest](t, host, "apigw-v2-request-no-authorizer.json", "apigw-v2-request-jwt-authorizer.json", "apigw-v2-request-iam.json", "apigw-v2-request-lambda-authorizer.json")
	roundTrip[events.APIGatewayProxyRequest](t, host, "apigw-request.json", "apigw-restapi-openapi-request.json")
	roundTrip[events.ALBTargetGroupRequest](t, host, "alb-lambda-target-request-headers-only.json", "alb-lambda-target-request-multivalue-headers.json")
	roundTrip[events.LambdaFunctionURLRequest](t, host, "lambda-urls-request.json")
}

// roundTrip sends a typed event through a handler that returns it.
func roundTrip[Event any](t *testing.T, host *rootbridge.Host, names ...string) {
	t.Helper()
	for _, name := range names {
		var event Event
		if err := json.Unmarshal(plain(t, sample(t, name)), &event); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if reflect.ValueOf(event).IsZero() {
			t.Fatalf("%s is no %T", name, event)
		}
		got, err := lambda.Invoke[Event](t.Context(), host, "echo", event)
		if err != nil || !reflect.DeepEqual(got, event) {
			t.Errorf("%s: got %.2000v, %v\nwant %.2000v", name, got, err, event)
		}
	}
}

// plain writes JSON as JavaScript does: some events have parts that are kept as their text, blanks and 0.0 included.
func plain(t *testing.T, text []byte) []byte {
	t.Helper()
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAScheduleInvokesAsEventBridgeDoes(t *testing.T) {
	t.Parallel()
	host := start(t, sources)
	const scheduled = `{"version":"0","id":"53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa","detail-type":"Scheduled Event","source":"aws.events",
		"account":"123456789012","time":"2015-10-08T16:53:06Z","region":"us-east-1","resources":["arn:aws:events:us-east-1:123456789012:rule/nightly"],"detail":{}}`
	var event events.EventBridgeEvent
	if err := json.Unmarshal([]byte(scheduled), &event); err != nil {
		t.Fatal(err)
	}
	got, err := lambda.Invoke[json.RawMessage](t.Context(), host, "echo", event)
	var want, have any
	if err != nil || json.Unmarshal(got, &have) != nil || json.Unmarshal([]byte(scheduled), &want) != nil || !reflect.DeepEqual(have, want) {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestAQueueLearnsWhichMessagesFailed(t *testing.T) {
	t.Parallel()
	for _, codec := range []rootbridge.Codec{rootbridge.JSON, rootbridge.MsgPack} {
		host := start(t, sources, func(o *rootbridge.Options) { o.Codec = codec })
		batch := events.SQSEvent{Records: []events.SQSMessage{{MessageId: "1", Body: "good"}, {MessageId: "2", Body: "bad"}, {MessageId: "3", Body: "<good> & ä"}}}
		got, err := lambda.Invoke[events.SQSEventResponse](t.Context(), host, "consume", batch)
		if err != nil || len(got.BatchItemFailures) != 1 || got.BatchItemFailures[0].ItemIdentifier != "2" {
			t.Errorf("%s: %+v, %v", codec, got, err)
		}
	}
}

func TestInvokeEndsAsACallDoes(t *testing.T) {
	t.Parallel()
	host := start(t, sources, func(o *rootbridge.Options) { o.Convention = rootbridge.ConventionValue })
	if got, err := lambda.Invoke[events.SQSEventResponse](t.Context(), host, "nothing", events.SQSEvent{}); err != nil || got.BatchItemFailures != nil {
		t.Errorf("nothing: %+v, %v", got, err)
	}
	id := rootbridge.WithInvocation(rootbridge.Invocation{RequestID: "r-1"})
	if got, err := lambda.Invoke[string](t.Context(), host, "id", nil, id); err != nil || got != "r-1" {
		t.Errorf("an invocation: %q, %v", got, err)
	}
	for _, c := range []struct {
		method string
		event  any
		code   rootbridge.Code
	}{
		{"fails", nil, rootbridge.CodeException},
		{"text", nil, rootbridge.CodeUnencodableResult},
		{"echo", make(chan int), rootbridge.CodeInvalidArgument},
		{"absent", nil, rootbridge.CodeMethodNotFound},
	} {
		got, err := lambda.Invoke[events.SQSEventResponse](t.Context(), host, c.method, c.event)
		if rootbridge.CodeOf(err) != c.code || got.BatchItemFailures != nil {
			t.Errorf("%s: %+v, %v", c.method, got, err)
		}
	}
}
