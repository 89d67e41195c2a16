package lambda

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"rootbridge"
)

// invokeError is an error as aws-lambda-go reports it.
func invokeError(err error) messages.InvokeResponse_Error {
	var e *rootbridge.Error
	if !errors.As(err, &e) {
		return messages.InvokeResponse_Error{Type: "Runtime.Unknown", Message: printable(err.Error())}
	}
	return messages.InvokeResponse_Error{
		Type: printable(errorType(e)), Message: printable(e.Message), StackTrace: stackFrames(e.Stack),
	}
}

// errorType is the error's name, or what Lambda says of environments that end; else the code.
func errorType(e *rootbridge.Error) string {
	switch {
	case e.Name != "":
		return e.Name
	case e.Code == rootbridge.CodeException:
		return "Error"
	case e.Code == rootbridge.CodeWorkerCrashed:
		return "Runtime.ExitError"
	case e.Code == rootbridge.CodeDeadlineExceeded:
		return "Sandbox.Timedout"
	}
	return "Rootbridge." + string(e.Code)
}

var (
	stackFrame = regexp.MustCompile(`^ +at (?:(.+) \((.+)\)|(.+))$`) // V8's: "at NAME (PLACE)", or "at PLACE"
	stackPlace = regexp.MustCompile(`^(.+):(\d+):\d+$`)              // FILE:LINE:COLUMN
)

func stackFrames(stack string) []*messages.InvokeResponse_Error_StackFrame {
	var frames []*messages.InvokeResponse_Error_StackFrame
	for line := range strings.Lines(printable(stack)) {
		if parts := stackFrame.FindStringSubmatch(strings.TrimRight(line, "\r\n")); parts != nil {
			frames = append(frames, frameOf(parts[1], parts[2]+parts[3]))
		}
	}
	return frames
}

// frameOf leaves a place that is no file, such as <anonymous>, as the path.
func frameOf(label, place string) *messages.InvokeResponse_Error_StackFrame {
	frame := messages.InvokeResponse_Error_StackFrame{Path: place, Label: label}
	if parts := stackPlace.FindStringSubmatch(place); parts != nil {
		line, _ := strconv.ParseInt(parts[2], 10, 32) // 0 for one that can't be
		frame.Path, frame.Line = parts[1], int32(line)
	}
	return &frame
}

// printable escapes the one character that JSON leaves and a header may not have, as AWS's Node client does: errors go to X-Ray in
// a header, and aws-lambda-go ends the program where it can't send one.
func printable(text string) string {
	return strings.ReplaceAll(text, "\x7f", "%7F")
}
