package lambda_test

import (
	"strings"
	"testing"
	"time"
)

// oldHandler is what a Node function has had for years.
const oldHandler = `
exports.handler = async (event, context) => {
  switch (event && event.do) {
    case 'throw': throw Object.assign(new RangeError('no \x7f, ä'), { name: 'Odd\x7f' });
    case 'throw a text': throw 'text';
    case 'exit': process.exit(3);
    case 'die': process.kill(process.pid, 'SIGKILL'); break;
    case 'reject': Promise.reject(new TypeError('late')); break;
    case 'flood': return 'x'.repeat(6 * 1024 * 1024 + 100);
    case 'hang': break;
    case 'tell': return { ...context, remaining: context.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID };
    case 'pid': return process.pid;
    default: return { text: event, html: '<ä> & \u2028', number: 1e21 };
  }
  await new Promise((resolve) => setTimeout(resolve, 600000));
};
`

func TestStartPassesEventsAndResultsAsTheyAre(t *testing.T) {
	t.Parallel()
	api := serveRuntimeAPI(t)
	startFunction(t, api.URL, oldHandler)
	for event, text := range map[string]string{
		`{ "a" : 1.0, "b": "<\u00e4>" }`: `{"a":1,"b":"<ä>"}`,
		` "x" `:                          `"x"`,
		`null`:                           `null`,
	} {
		want := `{"text":` + text + `,"html":"<ä> & ` + "\u2028" + `","number":1e+21}`
		if got := api.invoke(t, event); got.path != "response" || got.body != want {
			t.Errorf("%s: got %s %s, want %s", event, got.path, got.body, want)
		}
	}
}

func TestAHandlerOnLambdaSeesItsInvocation(t *testing.T) {
	t.Parallel()
	api := serveRuntimeAPI(t)
	startFunction(t, api.URL, oldHandler)
	got := api.invoke(t, `{"do":"tell"}`,
		"Lambda-Runtime-Aws-Request-Id", "8476a536",
		"Lambda-Runtime-Deadline-Ms", deadline(long),
		"Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:123456789012:function:orders:live",
		"Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
		"Lambda-Runtime-Client-Context", `{"client":{"app_title":"shop"},"custom":{"tenant":"a"},"env":{"make":"b"}}`,
		"Lambda-Runtime-Cognito-Identity", `{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}`,
		"Lambda-Runtime-Aws-Tenant-Id", "t-1",
	)
	for _, want := range []string{
		`"awsRequestId":"8476a536"`, `"invokedFunctionArn":"arn:aws:lambda:eu-west-1:123456789012:function:orders:live"`,
		`"trace":"Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"`, `"app_title":"shop"`, `"custom":{"tenant":"a"},"env":{"make":"b"}`,
		`"identity":{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}`, `"tenantId":"t-1"`,
	} {
		if !strings.Contains(got.body, want) {
			t.Errorf("there is no %s in %s", want, got.body)
		}
	}
	sparse := api.invoke(t, `{"do":"tell"}`,
		"Lambda-Runtime-Client-Context", `{"client":{"app_title":"shop"}}`, "Lambda-Runtime-Cognito-Identity", `{"cognitoIdentityId":"i"}`)
	for _, want := range []string{`"clientContext":{"client":{"app_title":"shop"}}`, `"identity":{"cognitoIdentityId":"i"}`} {
		if !strings.Contains(sparse.body, want) {
			t.Errorf("what was not sent is there; no %s in %s", want, sparse.body)
		}
	}
	remaining := time.Duration(jsonOf[struct{ Remaining int64 }](t, got.body).Remaining) * time.Millisecond
	if remaining <= 0 || remaining > long {
		t.Errorf("%v remain of %v", remaining, long)
	}
	if bare := api.invoke(t, `{"do":"tell"}`); strings.Contains(bare.body, "identity") || strings.Contains(bare.body, "clientContext") || strings.Contains(bare.body, "trace") {
		t.Errorf("an invocation without them has %s", bare.body)
	}
}

func TestSeveralEventsAtATimeHaveAWorkerEach(t *testing.T) {
	t.Parallel()
	const meets = `
		const { existsSync, writeFileSync } = require('fs');
		exports.handler = async ({ own, other }) => {
			writeFileSync(own, '');
			while (!existsSync(other)) await new Promise((resolve) => setTimeout(resolve, 2));
			return process.pid;
		};`
	api := serveRuntimeAPI(t)
	startFunction(t, api.URL, meets, "AWS_LAMBDA_MAX_CONCURRENCY=2")
	api.handOut(t, `{"own":"a","other":"b"}`)
	api.handOut(t, `{"own":"b","other":"a"}`)
	first, second := api.outcome(t), api.outcome(t)
	if first.path != "response" || second.path != "response" || first.body == second.body {
		t.Errorf("got %+v and %+v", first, second)
	}
}

func TestErrorsAreReportedAsThoseOfANodeFunction(t *testing.T) {
	t.Parallel()
	api := serveRuntimeAPI(t)
	startFunction(t, api.URL, oldHandler)
	for event, want := range map[string]string{
		`{"do":"throw"}`:        `{"errorMessage":"no %7F, ä","errorType":"Odd%7F","stackTrace":[{"path":"`,
		`{"do":"throw a text"}`: `{"errorMessage":"text","errorType":"string"}`,
		`{"do":"exit"}`:         `{"errorMessage":"process.exit(3) was called by the code","errorType":"Runtime.ExitError"`,
		`{"do":"die"}`:          `,"errorType":"Runtime.ExitError"}`,
		`{"do":"reject"}`:       `{"errorMessage":"TypeError: late","errorType":"Runtime.UnhandledPromiseRejection"`,
		`{"do":"flood"}`:        `,"errorType":"Function.ResponseSizeTooLarge"}`,
	} {
		if got := api.invoke(t, event); got.path != "error" || !strings.Contains(got.body, want) {
			t.Errorf("%s: got %s %s, want %s", event, got.path, got.body, want)
		}
		if got := api.invoke(t, `"x"`); got.path != "response" {
			t.Errorf("after %s: got %s %s", event, got.path, got.body)
		}
	}
}

func TestStackTracesNameFilesAndLines(t *testing.T) {
	t.Parallel()
	api := serveRuntimeAPI(t)
	startFunction(t, api.URL, oldHandler)
	thrown := jsonOf[struct {
		StackTrace []struct {
			Path, Label string
			Line        int
		}
	}](t, api.invoke(t, `{"do":"throw"}`).body)
	first := thrown.StackTrace[0]
	if !strings.HasSuffix(first.Path, "index.js") || first.Line != 4 || first.Label != "exports.handler" {
		t.Errorf("%+v", first)
	}
}

func TestLambdaMayAnswerFirstWhenTheTimeIsOver(t *testing.T) {
	t.Parallel()
	api := serveRuntimeAPI(t)
	startFunction(t, api.URL, oldHandler)
	pid := api.invoke(t, `{"do":"pid"}`).body
	over := time.Now().Add(100 * time.Millisecond)
	got := api.invoke(t, `{"do":"hang"}`, "Lambda-Runtime-Deadline-Ms", deadline(time.Until(over)))
	if got.path != "error" || !strings.Contains(got.body, `"errorType":"Sandbox.Timedout"`) {
		t.Errorf("%s %s", got.path, got.body)
	}
	if early := time.Until(over.Add(time.Second)); early > 0 {
		t.Errorf("it was answered %v too early", early)
	}
	if next := api.invoke(t, `{"do":"pid"}`); next.path != "response" || next.body == pid {
		t.Errorf("the next got %s %s, as the one before", next.path, next.body)
	}
}

func TestACodeThatDoesNotLoadIsAnErrorOfTheInitPhase(t *testing.T) {
	t.Parallel()
	for module, want := range map[string]string{
		`exports.handler = (`:            "Runtime.UserCodeSyntaxError",
		`require('no-such')`:             "Runtime.ImportModuleError",
		`exports.other = () => {}`:       "Runtime.HandlerNotFound",
		`throw new TypeError('at once')`: "TypeError",
		`process.exit(3)`:                "Runtime.ExitError",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			api := serveRuntimeAPI(t)
			function := startFunction(t, api.URL, module)
			got := api.outcome(t)
			if got.path != "error" || got.header.Get("Lambda-Runtime-Function-Error-Type") != want || !strings.Contains(got.body, `"errorType":"`+want+`"`) {
				t.Errorf("got %s %s %s", got.path, got.header, got.body)
			}
			if code := function.exitCode(t); code != 1 || !strings.Contains(function.stderr.String(), "the function can't start") {
				t.Errorf("the function ended with %d", code)
			}
		})
	}
}

func TestAFunctionEndsWhereThereIsNoLambda(t *testing.T) {
	t.Parallel()
	for module, want := range map[string]string{oldHandler: "AWS_LAMBDA_RUNTIME_API", `exports.handler = (`: "Runtime.UserCodeSyntaxError"} {
		function := startFunction(t, "", module)
		if code := function.exitCode(t); code != 1 || !strings.Contains(function.stderr.String(), want) {
			t.Errorf("it ended with %d, and did not tell of %s", code, want)
		}
	}
}
