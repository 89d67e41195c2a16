//go:build unix

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	oneToken   = "one-token-that-nobody-guesses"
	otherToken = "other-token-that-nobody-guesses"
)

// serveTCP starts one at a free port.
func serveTCP(t *testing.T, at string, flags ...string) *sidecar {
	t.Helper()
	s := prepare(t, legacy)
	s.listen = at
	s.start(flags...)
	s.atPort()
	return s
}

var listening = regexp.MustCompile(`msg=listening address="?([^ "]+)`)

// atPort waits until it listens, and finds out where.
func (s *sidecar) atPort() {
	s.t.Helper()
	s.await("msg=listening")
	_, port, err := net.SplitHostPort(listening.FindStringSubmatch(s.log.String())[1])
	if err != nil {
		s.t.Fatal(err)
	}
	s.listen = net.JoinHostPort("127.0.0.1", port)
	s.url = "http://" + s.listen
}

func TestTheNetworkIsNotLetInWithoutATokenOrClientCertificates(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	authority := newAuthority(t)
	cert, key := authority.issue(t, s.dir, "server")
	for _, flags := range [][]string{
		{"--listen", "0.0.0.0:0"},
		{"--listen", ":0"},
		{"--listen", "[::]:0"},
		{"--listen", "0.0.0.0:0", "--tls-cert", cert, "--tls-key", key}, // secret from others, and open to all
	} {
		code, _, stderr := execute(t, command(append([]string{"serve", "--entry", s.entry}, flags...)...))
		if code != exitUsage || !strings.Contains(stderr, "--token-file") || !strings.Contains(stderr, "--tls-client-ca") {
			t.Errorf("%v: got %d %s", flags, code, stderr)
		}
	}
}

func TestATokenOpensEverythingButProbes(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	tokens := s.write("tokens", oneToken+"\n\n  "+otherToken+"  \n")
	s.listen = "0.0.0.0:0"
	s.start("--token-file", tokens)
	s.atPort()
	s.await("clear text")
	for _, header := range []string{
		"X-None: here", "Authorization: Bearer", "Authorization: Bearer ", "Authorization: " + oneToken, "Authorization: Basic " + oneToken,
		"Authorization: Bearer " + oneToken[:len(oneToken)-1], "Authorization: Bearer " + oneToken + "x", "Authorization: Bearer " + oneToken + " " + otherToken,
	} {
		for _, what := range []string{"POST /call/echo", "GET /workers", "POST /reload", "GET /nowhere"} {
			if got := s.ask(what, "", header); got.status != 401 || got.told(t).Code != "unauthenticated" || got.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s with %s: got %d %s", what, header, got.status, got.body)
			}
		}
	}
	for _, token := range []string{"Bearer " + oneToken, "bearer " + otherToken} {
		if got := s.ask("POST /call/echo", "1", asJSON, "Authorization: "+token); got.status != 200 || got.body != "1" {
			t.Errorf("got %d %s", got.status, got.body)
		}
	}
	for _, probe := range []string{"GET /healthz", "GET /readyz"} {
		if got := s.ask(probe, ""); got.status != 200 {
			t.Errorf("%s: got %d", probe, got.status)
		}
	}
	if text := s.log.String(); strings.Contains(text, oneToken) || strings.Contains(text, otherToken) {
		t.Error("a token is in the log")
	}
}

func TestATokenThatWasChangedCountsAtOnce(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	tokens := s.write("tokens", oneToken)
	s.listen = "127.0.0.1:0"
	s.start("--token-file", tokens)
	s.atPort()
	status := func(token string) int { return s.ask("GET /workers", "", "Authorization: Bearer "+token).status }
	if one, other := status(oneToken), status(otherToken); one != 200 || other != 401 {
		t.Errorf("before: %d, %d", one, other)
	}
	s.write("new", otherToken)
	if err := os.Rename(s.path("new"), tokens); err != nil {
		t.Fatal(err)
	}
	if one, other := status(oneToken), status(otherToken); one != 401 || other != 200 {
		t.Errorf("after: %d, %d", one, other)
	}
	_ = os.Remove(tokens)
	if one, other := status(oneToken), status(otherToken); one != 401 || other != 200 {
		t.Errorf("without the file: %d, %d", one, other)
	}
	s.write("tokens", oneToken+"\nshort\n")
	if one, other := status(oneToken), status(otherToken); one != 401 || other != 200 {
		t.Errorf("with a broken file: %d, %d", one, other)
	}
	s.await("the tokens that were read last count")
	s.write("tokens", "\ufeff"+oneToken+"\n"+strings.Repeat("x", 70<<10)+"\n"+otherToken)
	if one, other := status(oneToken), status(otherToken); one != 200 || other != 200 {
		t.Errorf("with a long line: %d, %d", one, other)
	}
	s.write("tokens", "")
	if one, none := status(oneToken), status(""); one != 401 || none != 401 {
		t.Errorf("with an empty file: %d, %d", one, none)
	}
}

func TestTokenFilesThatWouldProtectNothingAreRefused(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	for name, file := range map[string]string{
		"at least one token": s.write("empty", "\n \n"),
		"at least 16 bytes":  s.write("short", oneToken+"\nshort\n"),
		"no such file":       s.path("absent"),
	} {
		code, _, stderr := execute(t, command("serve", "--entry", s.entry, "--listen", "127.0.0.1:0", "--token-file", file))
		if code != exitUsage || !strings.Contains(stderr, name) || strings.Contains(stderr, "short\n") {
			t.Errorf("got %d %s, want %s", code, stderr, name)
		}
	}
}

func TestClientsShowACertificateOfTheRightAuthority(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	authority, stranger := newAuthority(t), newAuthority(t)
	serverCert, serverKey := authority.issue(t, s.dir, "server")
	clientCert, clientKey := authority.issue(t, s.dir, "client")
	strangerCert, strangerKey := stranger.issue(t, s.dir, "stranger")
	ca := authority.write(t, s.dir, "ca.pem")
	s.listen = "0.0.0.0:0"
	s.start("--tls-cert", serverCert, "--tls-key", serverKey, "--tls-client-ca", ca, "--admin-listen", "127.0.0.1:0")
	s.atPort()
	if code, stdout, stderr := s.run("call", "echo", "1", "--tls-ca", ca, "--tls-client-cert", clientCert, "--tls-client-key", clientKey); code != 0 || stdout != "1\n" {
		t.Errorf("got %d %s %s", code, stdout, stderr)
	}
	probe := []string{"call", "echo", "1", "--listen", strings.Replace(s.listen, "127.0.0.1", "0.0.0.0", 1), "--tls-ca", ca, "--tls-client-cert", clientCert, "--tls-client-key", clientKey}
	for name, want := range map[string]int{"127.0.0.1": 0, "server.example": 0, "other.example": exitFailed} {
		if code, _, stderr := execute(t, command(append(probe, "--tls-server-name", name)...)); code != want {
			t.Errorf("as %s: got %d %s", name, code, stderr)
		}
	}
	if code, _, stderr := execute(t, command(probe...)); code != 0 {
		t.Errorf("got %d %s", code, stderr)
	}
	for _, flags := range [][]string{
		{"--tls-ca", ca},
		{"--tls-ca", ca, "--tls-client-cert", strangerCert, "--tls-client-key", strangerKey},
		{"--tls-client-cert", clientCert, "--tls-client-key", clientKey}, // an authority that the system does not know
		nil,
	} {
		if code, stdout, _ := s.run(append([]string{"call", "echo", "1"}, flags...)...); code != exitFailed || stdout != "" {
			t.Errorf("%v: got %d %s", flags, code, stdout)
		}
	}
	if got := s.statusWithTLS(t, ca, clientCert, clientKey); got != 404 {
		t.Errorf("got %d", got)
	}
	admin := s.at(adminPort(s.log.String())) // where there is no TLS, so no certificate keeps a page out
	admin.url = "http://" + admin.listen
	if got := admin.ask("POST /reload", "", "Host: evil.example", "Origin: http://evil.example", "Sec-Fetch-Site: same-origin"); got.status != 403 {
		t.Errorf("a page that passes for one of ours: got %d %s", got.status, got.body)
	}
}

// statusWithTLS asks with TLS, and no older version of it than 1.2.
func (s *sidecar) statusWithTLS(t *testing.T, ca, cert, key string) int {
	t.Helper()
	flags := clientFlags{ServerCA: ca, Cert: cert, Key: key}
	config, err := flags.tls()
	if err != nil {
		t.Fatal(err)
	}
	old := config.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if conn, err := tls.Dial("tcp", s.listen, old); err == nil {
		_ = conn.Close()
		t.Error("an old version of TLS was taken")
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}, Timeout: long}
	defer client.CloseIdleConnections()
	response, err := client.Get("https://" + s.listen + "/nowhere")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func TestARenewedCertificateCountsForTheNextConnection(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	authority := newAuthority(t)
	cert, key := authority.issue(t, s.dir, "server")
	ca := authority.write(t, s.dir, "ca.pem")
	s.listen = "127.0.0.1:0"
	s.start("--tls-cert", cert, "--tls-key", key)
	s.atPort()
	before := s.serial(t, ca)
	authority.issue(t, s.dir, "server")
	after := s.serial(t, ca)
	if after == before {
		t.Error("the certificate is the old one")
	}
	s.write("server.key", "half a file")
	if now := s.serial(t, ca); now != after {
		t.Error("with a broken key it is another than before")
	}
	s.await("those that were read last count")
}

func TestAClientThatNeverShakesHandsIsCutOff(t *testing.T) {
	t.Parallel()
	s := prepare(t, legacy)
	authority := newAuthority(t)
	cert, key := authority.issue(t, s.dir, "server")
	s.listen = "127.0.0.1:0"
	s.start("--tls-cert", cert, "--tls-key", key, "--read-header-timeout", "200ms")
	s.atPort()
	silent, half := s.send(""), s.send("\x16\x03\x01\x02")
	for _, conn := range []net.Conn{silent, half} {
		_ = conn.SetReadDeadline(time.Now().Add(long))
		if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("it was never cut off")
		}
		_ = conn.Close()
	}
	if code, _, stderr := s.run("check", "--tls-ca", authority.write(t, s.dir, "ca.pem")); code != 0 {
		t.Errorf("got %d %s", code, stderr)
	}
}

func (s *sidecar) serial(t *testing.T, ca string) string {
	t.Helper()
	flags := clientFlags{ServerCA: ca}
	config, err := flags.tls()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", s.listen, config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func TestPagesInABrowserOfThisMachineCanNotCall(t *testing.T) {
	t.Parallel()
	s := serveTCP(t, "127.0.0.1:0")
	for _, headers := range [][]string{
		{"Origin: https://evil.example"},
		{"Sec-Fetch-Site: cross-site"},
		{"Origin: null"},
		{"Host: evil.example"}, // a name that its owner has made to lead here
		{"Host: localhost.evil.example"},
	} {
		for _, what := range []string{"POST /call/nothing", "POST /reload"} {
			if got := s.ask(what, "", headers...); got.status != 403 || got.told(t).Code != "forbidden" {
				t.Errorf("%s with %v: got %d %s", what, headers, got.status, got.body)
			}
		}
	}
	for _, header := range []string{"Host: evil.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example"} {
		if got := s.ask("GET /workers", "", header); got.status != 403 {
			t.Errorf("%s: got %d", header, got.status)
		}
	}
	for _, host := range []string{"localhost", "localhost:80", "127.0.0.1", "[::1]:80"} {
		if got := s.ask("POST /call/nothing", "", "Host: "+host); got.status != 204 {
			t.Errorf("%s: got %d %s", host, got.status, got.body)
		}
	}
	if got := s.stats(); got.Reloads != 0 || got.Succeeded != 4 {
		t.Errorf("one got through: %+v", got)
	}
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	der  []byte
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, der, key}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) write(t *testing.T, dir, name string) string {
	t.Helper()
	return writePEM(t, filepath.Join(dir, name), "CERTIFICATE", a.der)
}

// issue makes name.pem and name.key, for this machine.
func (a *authority) issue(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	own := newKey(t)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{name + ".example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &own.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	cert = writePEM(t, filepath.Join(dir, name+".pem"), "CERTIFICATE", der)
	return cert, writePEM(t, filepath.Join(dir, name+".key"), "PRIVATE KEY", private)
}

func writePEM(t *testing.T, path, kind string, der []byte) string {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
