package main

import (
	"encoding/base64"
	"os"
	"strings"
	"syscall"
	"testing"
)

// These tests run the program under AWS's own runtime interface emulator, without Docker.

func TestTheOldHandlerAnswersUnderAWSsEmulator(t *testing.T) {
	t.Parallel()
	e := startEmulator(t, ".")
	order, err := os.ReadFile("events/order.json")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"statusCode":201,"headers":{"content-type":"application/json"},"body":"{\"customer\":\"Zoë\",\"total\":3430}"}`
	if got := e.invoke(t, string(order)); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	const unknown = `{"body": "{\"lines\":[{\"sku\":\"X\",\"quantity\":1}]}"}`
	if got := e.invoke(t, unknown); !strings.HasPrefix(got, `{"errorMessage":"unknown article X","errorType":"UnknownArticleError","stackTrace":[{"path":`) {
		t.Errorf("got %s", got)
	}
}

func TestFaultsOfTheHandlerUnderAWSsEmulator(t *testing.T) {
	t.Parallel()
	e := startEmulator(t, "testdata/faults")
	first := e.tell(t)
	if first.ID == "" || !strings.HasSuffix(first.ARN, ":function:orders") || first.Remaining <= 0 || first.Remaining > 3000 {
		t.Errorf("%+v", first)
	}
	if custom := e.tell(t, "X-Amz-Client-Context", base64.StdEncoding.EncodeToString([]byte(`{"custom":{"tenant":"a"}}`))).Client; custom.Custom["tenant"] != "a" {
		t.Errorf("the client context is %v", custom)
	}
	if identity := e.tell(t, "X-Amz-Cognito-Identity", `{"cognitoIdentityId":"i"}`).Identity; string(identity) != `{"cognitoIdentityId":"i"}` {
		t.Errorf("the identity is %s", identity)
	}
	for _, fault := range []struct{ event, want string }{
		{`{"do":"throw"}`, `{"errorMessage":"no","errorType":"RangeError","stackTrace":`},
		{`{"do":"uncaught"}`, `{"errorMessage":"late","errorType":"TypeError","stackTrace":`},
		{`{"do":"exit"}`, `{"errorMessage":"process.exit(3) was called by the code","errorType":"Runtime.ExitError"`},
		{`{"do":"hang"}`, "Task timed out after 3.00 seconds"},
	} {
		if got := e.invoke(t, fault.event); !strings.HasPrefix(got, fault.want) {
			t.Errorf("%s: got %s, want %s", fault.event, got, fault.want)
		}
		if got := e.invoke(t, `{"a": 1}`); got != `{"a":1}` {
			t.Errorf("after %s: got %s", fault.event, got)
		}
	}
	last := e.tell(t)
	if first.PID == last.PID {
		t.Errorf("the worker %d is still there", first.PID)
	}
	e.end(t)
	worker, err := os.FindProcess(last.PID)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the last worker has ended", func() bool { return worker.Signal(syscall.Signal(0)) != nil })
}

func TestWhatAHandlerStreamsIsItsResultUnderAWSsEmulator(t *testing.T) {
	t.Parallel()
	e := startEmulator(t, "testdata/stream")
	if got := e.invoke(t, `{}`); got != "Hello World" {
		t.Errorf("bytes: got %s", got)
	}
	if got := e.invoke(t, `{"status":404}`); got != `{"statusCode":404,"body":"Hello World","isBase64Encoded":false}` {
		t.Errorf("an HTTP response: got %s", got)
	}
}

func TestCodeThatDoesNotLoadIsToldByAWSsEmulator(t *testing.T) {
	t.Parallel()
	got := startEmulator(t, "testdata/broken").invoke(t, `{}`)
	if !strings.Contains(got, `"errorType":"Runtime.UserCodeSyntaxError"`) || !strings.Contains(got, "SyntaxError: ") {
		t.Errorf("got %s", got)
	}
}
