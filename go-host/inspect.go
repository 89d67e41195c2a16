package rootbridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"

	"rootbridge/internal/process"
)

// loopback is where the inspector listens if Options.Inspect is no more than a port.
const loopback = "127.0.0.1"

// checkInspect refuses addresses that others than this machine's users can reach: whoever attaches can run any code.
func (o Options) checkInspect() error {
	if o.Inspect == "" {
		return nil
	}
	if len(o.Command) > 0 {
		return errors.New("expected Options.Inspect to be empty with Options.Command: it is an option of Node")
	}
	host, port, err := o.inspectAddress()
	if err != nil {
		return err
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("expected Options.Inspect to end in a port from 0 to 65535, got %q", o.Inspect)
	}
	if address, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !address.IsLoopback()) {
		return fmt.Errorf("expected Options.Inspect to be a port or a loopback address with one, such as %s:9229, got %q", loopback, o.Inspect)
	}
	return nil
}

func (o Options) inspectAddress() (host, port string, err error) {
	if _, err := strconv.Atoi(o.Inspect); err == nil {
		return loopback, o.Inspect, nil
	}
	host, port, err = net.SplitHostPort(o.Inspect)
	if err != nil {
		return "", "", fmt.Errorf("expected Options.Inspect to be a port or a loopback address with one, such as %s:9229, got %q", loopback, o.Inspect)
	}
	return host, port, nil
}

// inspectArgs turns the inspector on. A port that is taken, be it by the worker that is being replaced, gives way to a free
// one.
func (h *Host) inspectArgs(ctx context.Context) []string {
	if h.options.Inspect == "" {
		return nil
	}
	host, port, _ := h.options.inspectAddress() // checked before
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		h.options.Logger.Warn("the inspector's port is taken, another one is used", "port", port, "error", err)
		port = "0"
	} else {
		_ = listener.Close()
	}
	return []string{"--inspect=" + net.JoinHostPort(host, port)}
}

// inspectorLine is how Node says where its inspector listens, before it runs any code; or that it does not.
var inspectorLine = regexp.MustCompile(`^(?:Debugger listening on (ws://\S+)|Starting inspector on .* failed)`)

// inspectorWatch finds the inspector's address in a worker's stderr.
type inspectorWatch struct {
	found  chan string // cap 1
	onLine func(pid int, line []byte)
}

func newInspectorWatch(onLine func(pid int, line []byte)) *inspectorWatch {
	return &inspectorWatch{make(chan string, 1), onLine}
}

func (i *inspectorWatch) line(pid int, line []byte) {
	if match := inspectorLine.FindSubmatch(line); match != nil {
		select {
		case i.found <- string(match[1]):
		default: // it listens again
		}
	}
	i.onLine(pid, line)
}

// await returns the address, or "" if there is none. Node has written it by the time that it is asked for.
func (i *inspectorWatch) await(p *process.Process) string {
	select {
	case address := <-i.found:
		return address
	case <-p.Done():
		return ""
	}
}
