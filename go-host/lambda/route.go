package lambda

import (
	"net/http"
	"regexp"
	"strings"
)

// route is what a pattern says, in API Gateway's words.
type route struct {
	key        string // "GET /orders/{id}", or "$default"
	resource   string // "/orders/{id}"
	parameters map[string]string
}

// wildcard is {name} or {name...} of http.ServeMux.
var wildcard = regexp.MustCompile(`\{(\w+)(\.{3})?\}`)

func newRoute(r *http.Request, pattern, path string) route {
	method, resource := splitPattern(pattern)
	parameters := map[string]string{}
	for _, match := range wildcard.FindAllStringSubmatch(resource, -1) {
		parameters[match[1]] = r.PathValue(match[1])
	}
	if len(parameters) == 0 && strings.HasSuffix(resource, "/") {
		return greedy(method, resource, path)
	}
	resource = wildcard.ReplaceAllStringFunc(strings.TrimSuffix(resource, "{$}"), func(found string) string {
		return strings.Replace(found, "...", "+", 1)
	})
	return route{key: method + " " + resource, resource: resource, parameters: orNil(parameters)}
}

// splitPattern returns a pattern's method and path. Its host is the domain's business.
func splitPattern(pattern string) (method, path string) {
	method, path, hasMethod := strings.Cut(pattern, " ")
	if !hasMethod {
		method, path = "ANY", pattern
	}
	at := strings.Index(path, "/")
	if at < 0 {
		return "ANY", "/"
	}
	return method, strings.TrimSpace(path[at:])
}

// greedy is a route for all below a folder. A path from which middleware has taken the folder counts whole.
func greedy(method, folder, path string) route {
	all := route{key: method + " " + folder + "{proxy+}", resource: folder + "{proxy+}"}
	if folder == "/" && method == "ANY" {
		all.key = defaultRoute
	}
	if rest := strings.TrimPrefix(strings.TrimPrefix(path, folder), "/"); rest != "" {
		all.parameters = map[string]string{"proxy": rest}
	}
	return all
}

const defaultRoute = "$default"

func orNil(parameters map[string]string) map[string]string {
	if len(parameters) == 0 {
		return nil
	}
	return parameters
}
