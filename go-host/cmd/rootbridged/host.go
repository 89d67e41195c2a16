package main

import (
	"log/slog"
	"os"
	"time"

	"rootbridge"
)

// hostFlags are those of rootbridge.Options. Where an option has a negative value for "none", its flag has 0.
type hostFlags struct {
	Entry      string   `required:"" placeholder:"FILE" help:"JavaScript file or package folder whose exports are called; with --convention lambda or --http also a handler such as index.handler."`
	Dir        string   `placeholder:"PATH" help:"Working directory of the code. Default: its package."`
	Node       string   `placeholder:"PATH" help:"Node to run. Default: node on the PATH."`
	NodeArg    []string `sep:"none" placeholder:"ARG" help:"Argument for Node; may be repeated."`
	Env        []string `sep:"none" placeholder:"KEY=VALUE" help:"Variable for the code's environment; may be repeated."`
	ReplaceEnv bool     `help:"Give the code no variables but those of --env."`
	Convention string   `default:"" enum:",value,args,callback,args_callback,lambda" help:"How functions are called: value (default), args, callback, args_callback, lambda. With --http lambda."`
	Codec      string   `default:"msgpack" enum:"json,msgpack" help:"json turns MessagePack off, which saves workers loading it; msgpack takes both."`
	Idempotent []string `placeholder:"METHOD" help:"Method that may be run twice, when a worker dies; may be repeated."`

	Lambda lambdaFlags `embed:"" prefix:"lambda-"`

	Workers     int           `default:"2" help:"Worker processes, some 40 MB and more each."`
	MinWorkers  *int          `placeholder:"N" help:"Fewest worker processes; below --workers their number goes by load, 0 is none while idle. Default: --workers."`
	MaxDraining int           `placeholder:"N" help:"Replaced workers that may finish their calls at a time. Default: --workers."`
	Concurrency int           `placeholder:"N" help:"Calls at a time in one worker. Default: 16, with --convention lambda 1."`
	BootTimeout time.Duration `default:"30s" help:"Longest time until the code has loaded."`

	QueueLimit   int           `default:"1024" help:"Calls that may wait for a worker; 0 is none."`
	QueueTimeout time.Duration `default:"10s" help:"Longest time that a call waits for a worker."`
	CallTimeout  time.Duration `default:"30s" help:"Longest time of a call that asks for none, waiting included."`
	MaxPayload   size          `default:"32MiB" help:"Largest body and largest result."`
	MaxInFlight  size          `default:"256MiB" help:"Bodies and unread answers of all requests together, and arguments of all calls together."`

	MaxCalls    int           `placeholder:"N" help:"Replace a worker after so many calls."`
	MaxLifetime time.Duration `placeholder:"TIME" help:"Replace a worker after that time."`
	MaxIdleTime time.Duration `placeholder:"TIME" help:"Replace, or end, a worker after that time without calls."`
	MaxHeap     size          `placeholder:"SIZE" help:"A worker's JavaScript heap. Default: by the container's memory limit."`
	MaxRSS      size          `name:"max-rss" placeholder:"SIZE" help:"Replace a worker beyond that resident memory."`
	Heartbeat   time.Duration `default:"2s" help:"How often workers are looked at; 0 is never."`
	BusyPoll    time.Duration `default:"100us" help:"How long to ask a worker for further answers that come one after another, before waiting for the system; 0 is never."`
	KillGrace   time.Duration `default:"2s" help:"For a stuck event loop, and for each step of ending a worker."`

	DrainTimeout time.Duration `default:"10s" help:"For calls in flight when ending, and on workers that are replaced."`
	Watch        bool          `help:"Reload when files of the code's package change. For development."`
	Inspect      string        `placeholder:"PORT" help:"Run one worker with Node's inspector on that loopback port."`
}

// lambdaFlags are those of rootbridge.LambdaOptions, with its defaults.
type lambdaFlags struct {
	FunctionName    string `placeholder:"NAME" help:"What a Lambda handler is told to be called. Default: the folder's name."`
	FunctionVersion string `placeholder:"VERSION" help:"What it is told its version is. Default: $$LATEST."`
	MemorySize      int    `placeholder:"MB" help:"What it is told its memory is; limits nothing. Default: 128."`
	FunctionARN     string `name:"function-arn" placeholder:"ARN" help:"What it is told its ARN is. Default: one of account 000000000000."`
	LogGroup        string `placeholder:"NAME" help:"What it is told its log group is. Default: /aws/lambda/ and the name."`
	LogStream       string `placeholder:"NAME" help:"What it is told its log stream is. Default: one for each worker."`
	Region          string `placeholder:"REGION" help:"AWS_REGION and AWS_DEFAULT_REGION. Default: as they are."`
	Runtime         string `default:"nodejs22.x" enum:"nodejs22.x,nodejs24.x" help:"Whose rules hold: nodejs22.x, by which handlers may call back, or nodejs24.x."`
}

func (f *hostFlags) options(logger *slog.Logger) rootbridge.Options {
	return rootbridge.Options{
		Entry: f.Entry, Dir: f.Dir, Node: f.Node, NodeArgs: f.NodeArg, Env: f.Env, ReplaceEnv: f.ReplaceEnv,
		Convention: rootbridge.Convention(f.Convention), Codec: rootbridge.Codec(f.Codec), Idempotent: f.Idempotent,
		Lambda:  rootbridge.LambdaOptions(f.Lambda),
		Workers: f.Workers, MinWorkers: f.minWorkers(), MaxDraining: f.MaxDraining, Concurrency: f.Concurrency,
		BootTimeout: f.BootTimeout, QueueLimit: noneAsNegative(f.QueueLimit), QueueTimeout: f.QueueTimeout,
		CallTimeout: f.CallTimeout, MaxPayload: int(f.MaxPayload), MaxInFlight: int(f.MaxInFlight),
		MaxCalls: f.MaxCalls, MaxLifetime: f.MaxLifetime, MaxIdleTime: f.MaxIdleTime, MaxHeap: int64(f.MaxHeap),
		MaxRSS: int64(f.MaxRSS), Heartbeat: noneAsNegative(f.Heartbeat), BusyPoll: noneAsNegative(f.BusyPoll), KillGrace: f.KillGrace,
		DrainTimeout: f.DrainTimeout, Watch: f.Watch, Inspect: f.Inspect, Logger: logger,
	}
}

// concurrency is what the host makes of a flag that is not given.
func (f *hostFlags) concurrency() int {
	switch {
	case f.Concurrency > 0:
		return f.Concurrency
	case f.Convention == string(rootbridge.Lambda):
		return 1
	default:
		return 16
	}
}

func (f *hostFlags) minWorkers() int {
	if f.MinWorkers == nil {
		return 0
	}
	return noneAsNegative(*f.MinWorkers)
}

// noneAsNegative turns a flag's 0 into the option's, whose own 0 means the default.
func noneAsNegative[T int | time.Duration](value T) T {
	if value == 0 {
		return -1
	}
	return value
}

// check finds what the host would take for "the default" or for "none", and is neither here.
func (f *hostFlags) check() error {
	for flag, value := range map[string]int64{
		"workers": int64(f.Workers), "call-timeout": int64(f.CallTimeout),
		"boot-timeout": int64(f.BootTimeout), "queue-timeout": int64(f.QueueTimeout), "kill-grace": int64(f.KillGrace),
		"drain-timeout": int64(f.DrainTimeout), "max-payload": int64(f.MaxPayload), "max-in-flight": int64(f.MaxInFlight),
	} {
		if value <= 0 {
			return usagef("expected --%s to be more than 0", flag)
		}
	}
	if info, err := os.Stat(f.Dir); f.Dir != "" && (err != nil || !info.IsDir()) {
		return usagef("expected --dir to be a folder, got %q", f.Dir)
	}
	if f.QueueLimit < 0 || f.Heartbeat < 0 || f.BusyPoll < 0 || f.Concurrency < 0 || f.MinWorkers != nil && *f.MinWorkers < 0 {
		return usagef("expected --queue-limit, --heartbeat, --busy-poll, --concurrency and --min-workers to be at least 0")
	}
	return nil
}
