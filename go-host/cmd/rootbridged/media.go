package main

import (
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"rootbridge"
)

var contentTypes = map[rootbridge.Codec]string{
	rootbridge.JSON:    "application/json",
	rootbridge.MsgPack: "application/msgpack",
	rootbridge.Raw:     "application/octet-stream",
}

// codecOf reads a Content-Type.
func codecOf(contentType string) (rootbridge.Codec, *failure) {
	name, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", unsupported(contentType)
	}
	if charset, ok := parameters["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return "", unsupported(contentType)
	}
	if codec, ok := codecNamed(name); ok {
		return codec, nil
	}
	return "", unsupported(contentType)
}

func codecNamed(mediaType string) (rootbridge.Codec, bool) {
	switch {
	case mediaType == "application/json", strings.HasSuffix(mediaType, "+json"):
		return rootbridge.JSON, true
	case mediaType == "application/msgpack", mediaType == "application/x-msgpack", mediaType == "application/vnd.msgpack":
		return rootbridge.MsgPack, true
	case mediaType == "application/octet-stream":
		return rootbridge.Raw, true
	default:
		return "", false
	}
}

func unsupported(contentType string) *failure {
	return &failure{http.StatusUnsupportedMediaType, "unsupported_media_type", fmt.Sprintf(
		"expected Content-Type application/json (UTF-8), application/msgpack or application/octet-stream, got %.100q", contentType)}
}

// wanted returns the codec that Accept headers prefer for results with a form in both, or fallback if they leave it open.
func wanted(accept []string, fallback rootbridge.Codec) rootbridge.Codec {
	best, weight := fallback, 0.0
	for choice := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, parameters, err := mime.ParseMediaType(choice)
		if err != nil {
			continue
		}
		codec, ok := codecNamed(name)
		if name == "*/*" || name == "application/*" {
			codec, ok = fallback, true
		}
		if ok && codec != rootbridge.Raw && weightOf(parameters) > weight {
			best, weight = codec, weightOf(parameters)
		}
	}
	return best
}

func weightOf(parameters map[string]string) float64 {
	text, ok := parameters["q"]
	if !ok {
		return 1
	}
	weight, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return weight
}
