package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"time"

	"rootbridge"
)

// serveCommand runs one host and answers calls of it.
type serveCommand struct {
	hostFlags
	listenFlags
	limitFlags

	HTTP  *string    `name:"http" placeholder:"METHOD" help:"Answer HTTP requests of every path by this Lambda handler, in place of /call; an empty METHOD is the one that --entry names."`
	Front frontFlags `embed:"" prefix:"http-"`

	tokens *tokens // of --token-file, if that is given, once it is open

	Stacks    bool   `help:"Tell clients JavaScript stacks. Default: the log has them, clients don't."`
	LogFormat string `default:"text" enum:"text,json" help:"text or json."`
	LogLevel  string `default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error. Refused requests are debug."`
}

// listenFlags say where to listen and who may call.
type listenFlags struct {
	Listen      address `placeholder:"ADDRESS" help:"unix:PATH, HOST:PORT, or systemd for a socket that systemd made. Default: ${socket}; with --http ${front}"`
	AdminListen address `placeholder:"ADDRESS" help:"unix:PATH or HOST:PORT for /healthz, /readyz, /workers and /reload. Default: --listen; with --http ${socket}"`
	SocketMode  string  `default:"0600" placeholder:"MODE" help:"Rights on a unix socket, in octal; none for others than owner and group."`
	TokenFile   string  `type:"file" placeholder:"FILE" help:"File with tokens, one on each line, any of which a client must send. Read anew for each request."`
	TLSCert     string  `name:"tls-cert" type:"file" placeholder:"FILE" help:"Certificate, for HTTPS. Read anew for each connection, like the next two."`
	TLSKey      string  `name:"tls-key" type:"file" placeholder:"FILE" help:"Its key."`
	TLSClientCA string  `name:"tls-client-ca" type:"file" placeholder:"FILE" help:"Certificates of who signs clients' certificates: without such a one none may call."`
}

// limitFlags bound what a client may use.
type limitFlags struct {
	MaxTimeout        time.Duration `placeholder:"TIME" help:"Longest time that a client can ask for with Connect-Timeout-Ms. Default: --call-timeout."`
	MaxConnections    int           `default:"2048" help:"Connections; those that have been idle longest make room. Should be more than calls that run and wait."`
	MaxHeader         size          `default:"64KiB" help:"Largest header of a request, its first line included; at least 8KiB."`
	ReadHeaderTimeout time.Duration `default:"5s" help:"Longest time for a request's header to arrive."`
	ReadTimeout       time.Duration `default:"30s" help:"Longest time for a body to arrive."`
	WriteTimeout      time.Duration `default:"30s" help:"Longest time for a client to take an answer."`
	IdleTimeout       time.Duration `default:"1m" help:"Longest time of a connection between requests."`
	ShutdownDelay     time.Duration `default:"0s" help:"How long to go on serving after SIGTERM, while /readyz says no already."`
}

// Help is what --help shows below the flags.
func (*serveCommand) Help() string {
	return "Example: rootbridged serve --entry legacy/index.js --listen unix:/run/app.sock\n\n" +
		"Example: rootbridged serve --dir legacy/api --entry index.handler --http handler --listen 127.0.0.1:8080\n\n" +
		"SIGUSR2 loads the code anew, SIGTERM ends it after its calls. Exit codes: 0 ended when asked to, 1 failed, 2 wrong usage, 3 the code did not load."
}

// Run serves until SIGTERM or SIGINT.
func (c *serveCommand) Run(flags names) error {
	if isInit() {
		return serveAsInit()
	}
	logger := c.logger()
	warnOfUnknownVariables(flags, logger)
	if err := c.check(); err != nil {
		return err
	}
	c.boundConnections(maxFiles(), logger)
	signals := catchSignals()
	defer signals.stop()
	ctx, stop := signals.untilAskedToEnd()
	defer stop()
	listeners, err := c.open(ctx, logger)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	if err != nil {
		return err
	}
	defer listeners.close()
	host, err := rootbridge.Start(ctx, c.options(logger))
	if ctx.Err() != nil && errors.Is(err, rootbridge.CodeCanceled) {
		return nil
	}
	if err != nil {
		return startError(err)
	}
	stop()
	c.warnOfFewConnections(logger)
	c.warnOfNoHandler(host, logger)
	return newServer(c, host, listeners, logger).run(signals)
}

// Descriptors that connections leave for others: the files of a request or two, and the pipes of each worker, which another
// may be about to replace.
const (
	filesOfOurs   = 32
	filesOfWorker = 8
	fewest        = 4 // connections, however few files there may be
)

// boundConnections lets idle connections make room before the system refuses new ones.
func (c *serveCommand) boundConnections(files int, logger *slog.Logger) {
	room := files - filesOfOurs - 2*filesOfWorker*c.Workers
	if c.hasAdmin() {
		room /= 2
	}
	if room = max(room, fewest); room < c.MaxConnections {
		logger.Warn("as many files may be open as leave room for fewer connections than --max-connections; raise the limit (ulimit -n, LimitNOFILE=)",
			"files", files, "max_connections", room)
		c.MaxConnections = room
	}
}

// minHeader is what requests with a cookie and a token still need.
const minHeader = 8 << 10

// warnOfFewConnections tells that probes can be kept out: calls that run or wait have a connection each.
func (c *serveCommand) warnOfFewConnections(logger *slog.Logger) {
	if calls := c.Workers*c.concurrency() + c.QueueLimit; calls >= c.MaxConnections && !c.hasAdmin() {
		logger.Warn("calls that run and wait can take all connections, and probes would wait with them; raise --max-connections or lower --queue-limit",
			"calls", calls, "max_connections", c.MaxConnections)
	}
}

// warnOfNoHandler does not refuse it: what a Proxy exports is not listed, and a worker may not have been started yet.
func (c *serveCommand) warnOfNoHandler(host *rootbridge.Host, logger *slog.Logger) {
	exported := host.Methods()
	if c.HTTP != nil && *c.HTTP != "" && len(exported) > 0 && !slices.Contains(exported, *c.HTTP) {
		logger.Warn("no export has the name that --http has, so requests may be answered with 502", "http", *c.HTTP, "exports", exported)
	}
}

// startError tells options that can't be used from code that does not load.
func startError(err error) error {
	failed := (*rootbridge.Error)(nil)
	if !errors.As(err, &failed) {
		return err
	}
	failed.Message = optionsAsFlags(failed.Message)
	if failed.Code == rootbridge.CodeInvalidArgument {
		return usagef("%s", failed.Message)
	}
	return failed
}

func (c *serveCommand) logger() *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // one of the flag's words
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

func (c *serveCommand) check() error {
	if err := c.checkFront(); err != nil {
		return err
	}
	if err := c.checkAddresses(); err != nil {
		return err
	}
	if c.MaxTimeout == 0 {
		c.MaxTimeout = c.CallTimeout
	}
	if c.MaxTimeout < c.CallTimeout {
		return usagef("expected --max-timeout to be at least --call-timeout (%v), got %v", c.CallTimeout, c.MaxTimeout)
	}
	for flag, value := range map[string]int64{
		"max-connections": int64(c.MaxConnections), "read-header-timeout": int64(c.ReadHeaderTimeout),
		"read-timeout": int64(c.ReadTimeout), "write-timeout": int64(c.WriteTimeout), "idle-timeout": int64(c.IdleTimeout),
	} {
		if value <= 0 {
			return usagef("expected --%s to be more than 0", flag)
		}
	}
	if c.MaxHeader < minHeader {
		return usagef("expected --max-header to be at least %v, got %v", size(minHeader), c.MaxHeader)
	}
	if c.ShutdownDelay < 0 {
		return usagef("expected --shutdown-delay to be at least 0")
	}
	return c.hostFlags.check()
}
