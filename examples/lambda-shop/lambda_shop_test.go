package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rootbridge"
	"rootbridge/lambda"
)

func TestAProductIsCreatedReadChangedAndDeleted(t *testing.T) {
	t.Parallel()
	created := ask(t, "POST /products", `{"name":"Kettle","price":59,"category":"tools","stock":4}`)
	want := decode[product](t, created.body)
	path := created.header.Get("Location")
	if created.status != http.StatusCreated || path != "/products/"+want.ID || want.Name != "Kettle" || want.Stock != 4 {
		t.Fatalf("POST: got %d %s %s", created.status, path, created.body)
	}
	read := ask(t, "GET "+path, "")
	if got := decode[product](t, read.body); read.status != http.StatusOK || got != want {
		t.Errorf("GET: got %d %+v, want %+v", read.status, got, want)
	}
	want.Name, want.Price, want.Stock = "Kettle, dented", 39, 1
	changed := ask(t, "PUT "+path, `{"name":"Kettle, dented","price":39,"stock":1}`)
	if got := decode[product](t, changed.body); changed.status != http.StatusOK || got != want {
		t.Errorf("PUT: got %d %+v, want %+v", changed.status, got, want)
	}
	for _, step := range []struct {
		request, body string
		status        int
	}{
		{"DELETE " + path, "", http.StatusNoContent},
		{"DELETE " + path, "", http.StatusNotFound},
		{"GET " + path, "", http.StatusNotFound},
		{"PUT " + path, `{"name":"Kettle","price":59}`, http.StatusNotFound},
	} {
		if got := ask(t, step.request, step.body); got.status != step.status {
			t.Errorf("%s: got %d %s, want %d", step.request, got.status, got.body, step.status)
		}
	}
}

func TestProductsOfAllProcessesAreInOneTable(t *testing.T) {
	t.Parallel()
	category, wanted := rand.Text(), 0
	eventually(t, "both processes have made products", func() bool {
		var creating sync.WaitGroup
		for range 4 {
			creating.Go(func() { ask(t, "POST /products", fmt.Sprintf(`{"name":"Whisk","price":7,"category":%q}`, category)) })
		}
		creating.Wait()
		wanted += 4
		makers := map[any]int{}
		made := shop.log.find(func(r map[string]any) bool { return strings.HasPrefix(fmt.Sprint(r["msg"]), "POST /products") })
		for _, line := range made {
			makers[line["worker"]]++
		}
		return len(makers) >= 2
	})
	list := decode[struct{ Items []product }](t, ask(t, "GET /products?category="+category, "").body)
	if len(list.Items) != wanted || slices.ContainsFunc(list.Items, func(p product) bool { return p.Category != category }) {
		t.Errorf("the list of %d whisks is %+v", wanted, list.Items)
	}
}

func TestWhatAFunctionRefusesIsAnsweredInItsWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, request, body string
		status              int
		want                string
	}{
		{"no JSON", "POST /products", `{"name":`, 400, `{"error":"The body is not JSON"}`},
		{"half a product", "POST /products", `{"name":"Lid"}`, 422, `{"error":"A product needs a name and a price"}`},
		{"an unknown product", "GET /products/none", "", 404, `{"error":"No such product"}`},
		{"a method that it does not know", "PATCH /products/none", "{}", 405, `{"error":"PATCH is not supported"}`},
		{"another kind of file", "POST /images", "GIF89a", 415, `{"message":"send a PNG"}`},
		{"no address", "POST /newsletter", `{"email":"mara"}`, 400, `{"message":"not an address"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := ask(t, test.request, test.body, "Content-Type", "application/json")
			if got.status != test.status || got.body != test.want || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("got %d %s, want %d %s", got.status, got.body, test.status, test.want)
			}
		})
	}
}

func TestTheHTTPAPIGetsQueriesAndCookiesAndItsShortResponses(t *testing.T) {
	t.Parallel()
	got := ask(t, "GET /search?q=KETTLES&tag=tea&tag=tools", "")
	if want := `{"q":"KETTLES","tags":["tea","tools"],"found":[{"slug":"kettles","title":"Five kettles compared"}]}`; got.body != want {
		t.Errorf("search: got %d %s, want %s", got.status, got.body, want)
	}
	got = ask(t, "GET /visits", "", "Cookie", "visits=4; theme=dark")
	cookies := []string{"visits=5; Path=/; Max-Age=31536000; HttpOnly", "last=back; Path=/"}
	if got.body != `{"visits":5,"theme":"dark"}` || !slices.Equal(got.header.Values("Set-Cookie"), cookies) {
		t.Errorf("visits: got %s %q", got.body, got.header.Values("Set-Cookie"))
	}
	got = ask(t, "POST /newsletter", `{"email":"mara@example.com"}`, "Content-Type", "application/json")
	if got.status != http.StatusOK || got.body != `{"subscribed":"mara@example.com"}` {
		t.Errorf("newsletter: got %d %s", got.status, got.body)
	}
}

func TestBytesComeAndGoUnchanged(t *testing.T) {
	t.Parallel()
	avatar := ask(t, "GET /avatars/Zo%C3%AB", "")
	image, err := png.Decode(strings.NewReader(avatar.body))
	if err != nil || image.Bounds().Dx() != 60 {
		t.Fatalf("got %d %s of %d bytes: %v", avatar.status, avatar.header.Get("Content-Type"), len(avatar.body), err)
	}
	facts := decode[struct{ Bytes, Width int }](t, ask(t, "POST /images", avatar.body, "Content-Type", "image/png").body)
	if facts.Bytes != len(avatar.body) || facts.Width != 60 {
		t.Errorf("the function got %+v, want %d bytes", facts, len(avatar.body))
	}
}

func TestAnExceptionIsForTheLogAndNoClient(t *testing.T) {
	t.Parallel()
	path := "/products/" + create(t, 1).ID
	got := ask(t, "PUT "+path, "null")
	if got.status != http.StatusBadGateway || got.body != `{"message":"Internal server error"}` {
		t.Errorf("the client got %d %s", got.status, got.body)
	}
	failed := shop.log.find(func(r map[string]any) bool { return r["path"] == path && r["status"] == 502.0 })
	if len(failed) != 1 || !strings.Contains(fmt.Sprint(failed[0]["error"]), "update.js:") {
		t.Errorf("the log has %v, want one line with a stack in update.js", failed)
	}
}

func TestAnInvocationThatNeverEndsHarmsNoOther(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.Handle("POST /newsletter", lambda.Handler(shop.functions.site, "",
		lambda.CallOptions(rootbridge.WithTimeout(time.Second)), lambda.Logger(slog.New(slog.DiscardHandler))))
	server := httptest.NewServer(mux)
	defer server.Close()
	stuck := make(chan answer)
	go func() {
		stuck <- askAt(t, server.URL, "POST /newsletter", `{"email":"`+strings.Repeat("a", 60)+`"}`)
	}()
	for {
		select {
		case got := <-stuck:
			if got.status != http.StatusGatewayTimeout || got.body != `{"message":"Endpoint request timed out"}` {
				t.Errorf("got %d %s", got.status, got.body)
			}
			return
		default:
		}
		if got := ask(t, "POST /newsletter", `{"email":"mara@example.com"}`); got.status != http.StatusOK {
			t.Errorf("another request got %d %s", got.status, got.body)
		}
	}
}

func TestGoAnswersPreflightsAsTheFunctionDid(t *testing.T) {
	t.Parallel()
	function := lambda.Handler(shop.functions.products, "", lambda.Format(lambda.APIGatewayV1), lambda.Route("/products"))
	old := httptest.NewRecorder()
	function.ServeHTTP(old, httptest.NewRequestWithContext(t.Context(), "OPTIONS", "/products", http.NoBody))
	for _, path := range []string{"/products", "/products/7"} {
		got := ask(t, "OPTIONS "+path, "")
		if got.header.Get("X-Amzn-Requestid") != "" {
			t.Errorf("%s is still answered by the function", path)
		}
		if got.status != old.Code {
			t.Errorf("%s: got %d, the function answers %d", path, got.status, old.Code)
		}
		for _, name := range []string{"Origin", "Methods", "Headers"} {
			name = "Access-Control-Allow-" + name
			if want := old.Header().Get(name); want == "" || got.header.Get(name) != want {
				t.Errorf("%s: got %s %q, the function answers %q", path, name, got.header.Get(name), want)
			}
		}
	}
}

func TestADeploymentFailsNoRequestAndTheServerEndsWithAllProcesses(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	cfg := config{addr: "127.0.0.1:0", dir: "legacy", workers: 1, timeout: 20 * time.Second, drainTimeout: 10 * time.Second}
	go func() { ended <- run(ctx, cfg, slog.New(slog.NewJSONHandler(log, nil))) }()
	eventually(t, "the server listens", func() bool { return len(log.find(says("listening"))) == 1 })
	url := fmt.Sprint(log.find(says("listening"))[0]["url"])
	before := pids(t, url)
	if err := sendReload(); err != nil {
		t.Skip(err)
	}
	eventually(t, "every process is replaced", func() bool {
		for _, request := range []string{"GET /products/mug-blue-300", "GET /search"} {
			if got := askAt(t, url, request, ""); got.status != http.StatusOK {
				t.Errorf("%s: got %d %s", request, got.status, got.body)
			}
		}
		now := pids(t, url)
		return len(now) == len(before) && !slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(before, pid) })
	})
	last := pids(t, url)
	stop()
	if err := <-ended; err != nil {
		t.Errorf("run returned %v", err)
	}
	if left := slices.DeleteFunc(last, func(pid int) bool { return !alive(pid) }); len(left) > 0 {
		t.Errorf("processes %v still run", left)
	}
}

func pids(t *testing.T, url string) []int {
	t.Helper()
	found := []int{}
	for _, function := range decode[map[string]struct{ Workers []struct{ PID int } }](t, askAt(t, url, "GET /stats", "").body) {
		for _, worker := range function.Workers {
			found = append(found, worker.PID)
		}
	}
	return found
}

func TestTheServerEndsWhenItsTablesDo(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	close(ended)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := serve(ctx, config{addr: "127.0.0.1:0"}, http.NotFoundHandler(), ended, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "stand-in for DynamoDB ended") {
		t.Errorf("got %v, want an error that names the stand-in", err)
	}
}

func TestAFunctionThatIsNotThereIsAClearError(t *testing.T) {
	t.Parallel()
	_, err := startFunctions(t.Context(), config{dir: "nowhere", workers: 1}, nil, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "function orders: ") {
		t.Errorf("got %v, want an error that names the functions", err)
	}
}

func TestWhatServeAdvisesToTryWorks(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	advice, err := os.ReadFile("try.txt")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for line := range strings.Lines(strings.ReplaceAll(string(advice), "http://127.0.0.1:8080", shop.url)) {
		command := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(line, "curl ", "curl -sS --fail-with-body --max-time 30 ", 1))
		command.Dir = folder
		if said, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", line, err, said)
		}
	}
	if image, err := os.ReadFile(folder + "/zoe.png"); !bytes.HasPrefix(image, []byte("\x89PNG")) {
		t.Errorf("the saved avatar starts with %.20q: %v", image, err)
	}
}
