package main

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// address is where to listen, or where one that runs does.
type address struct {
	network string // unix, tcp or systemd
	name    string // a path, host:port, or nothing
}

// UnmarshalText reads unix:PATH, HOST:PORT and systemd.
func (a *address) UnmarshalText(text []byte) error {
	network, name, _ := strings.Cut(string(text), ":")
	switch {
	case string(text) == "systemd":
		*a = address{network: "systemd"}
		return nil
	case network == "unix":
		*a = address{"unix", name}
		return checkSocketPath(name)
	}
	*a = address{"tcp", strings.TrimPrefix(string(text), "tcp:")}
	_, port, err := net.SplitHostPort(a.name)
	if err != nil {
		return fmt.Errorf("expected unix:PATH, HOST:PORT or systemd, got %q: %w", text, err)
	}
	if n, err := strconv.Atoi(port); err == nil && (n < 0 || n > math.MaxUint16) { // else a name, which the system knows or not
		return fmt.Errorf("expected a port between 0 and 65535, got %q", port)
	}
	return nil
}

// addressOf reads an address that is known to be one.
func addressOf(text string) (a address) {
	_ = a.UnmarshalText([]byte(text))
	return a
}

// isAnyPort tells whether the system chooses the port, so that two of them are not the same.
func (a address) isAnyPort() bool { return a.network == "tcp" && strings.HasSuffix(a.name, ":0") }

// asDialed leads to this machine in place of all its addresses, at which one can only listen.
func (a address) asDialed() address {
	host, port, err := net.SplitHostPort(a.name)
	switch {
	case a.network != "tcp" || err != nil:
		return a
	case host == "" || host == "0.0.0.0":
		return address{"tcp", net.JoinHostPort("127.0.0.1", port)}
	case net.ParseIP(host).IsUnspecified():
		return address{"tcp", net.JoinHostPort("::1", port)}
	default:
		return a
	}
}

func (a address) isSet() bool { return a != address{} }

func (a address) String() string {
	switch a.network {
	case "unix":
		return "unix:" + a.name
	case "tcp":
		return a.name
	default:
		return a.network
	}
}

// maxSocketPath is what the systems allow that allow least, with the zero at the end: macOS and the BSDs.
const maxSocketPath = 104

func checkSocketPath(path string) error {
	switch {
	case path == "":
		return errors.New("expected unix:PATH, such as unix:/run/app.sock")
	case path[0] == '@':
		return fmt.Errorf("expected a socket with a file, got the abstract %q, which every user of the machine may use", path)
	case len(path) >= maxSocketPath:
		return fmt.Errorf("expected a socket path of less than %d bytes, got %d: %q", maxSocketPath, len(path), path)
	}
	return nil
}

// defaultAddress is a socket in the user's own folder where the system has made one, else a port of this machine.
func defaultAddress() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && len(dir) < maxSocketPath-len("/rootbridged.sock") {
		return "unix:" + filepath.Join(dir, "rootbridged.sock")
	}
	return "127.0.0.1:7480"
}

// isLocal tells whether only programs of this machine get to a listener.
func isLocal(listening net.Addr) bool {
	switch at := listening.(type) {
	case *net.UnixAddr:
		return !strings.HasPrefix(at.Name, "@")
	case *net.TCPAddr:
		return at.IP.IsLoopback()
	default:
		return false
	}
}
