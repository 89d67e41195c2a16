package main

import (
	"errors"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// envPrefix begins the environment variable of each flag: ROOTBRIDGED_MAX_PAYLOAD is that of --max-payload.
const envPrefix = "ROOTBRIDGED"

// parse fills the commands' flags, and returns the command that was asked for.
func parse(args []string, into *commands) (command func() error, err error) {
	parser, err := kong.New(into,
		kong.Name("rootbridged"),
		kong.Description("Unmodified JavaScript as a service beside your program. A flag beats its environment variable, which beats the file of --config."),
		kong.DefaultEnvars(envPrefix),
		kong.Resolvers(new(fileResolver)),
		kong.NamedMapper("file", kong.MapperFunc(readFileName)),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Vars{"socket": defaultAddress(), "front": frontAddress},
	)
	if err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return nil, &usageError{err}
	}
	return func() error { return parsed.Run(flagNames(parsed.Model.Node)) }, nil
}

// fileResolver gives flags that are neither in the arguments nor in the environment their values from the file of --config.
// It is read when the first flag asks.
type fileResolver struct {
	isRead bool
	config config
	err    error
}

// Resolve returns a flag's value as text, a list of texts, or nil.
func (f *fileResolver) Resolve(parsing *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if !f.isRead {
		f.isRead = true
		f.config, f.err = readConfig(configPath(parsing), keysFor(parsing)) // kong would put the flag's name before an error here
	}
	if slices.ContainsFunc(flag.Envs, isSet) {
		return nil, nil //nolint:nilnil // kong's way to say that there is none
	}
	return f.config.value(flag.Name)
}

func configPath(parsing *kong.Context) string {
	for _, flag := range parsing.Flags() {
		if path, ok := parsing.FlagValue(flag).(string); ok && flag.Name == "config" && path != "" {
			return path
		}
	}
	return os.Getenv(envPrefix + "_CONFIG")
}

func isSet(variable string) bool {
	_, ok := os.LookupEnv(variable)
	return ok
}

// keysFor are the flags of the command, and those of serve, whose file others read, too, to find it.
func keysFor(parsing *kong.Context) (known names) {
	selected := parsing.Selected()
	for _, each := range parsing.Model.Children {
		if each == selected || each.Name == "serve" {
			known = append(known, flagNames(each)...)
		}
	}
	return known
}

// Validate tells what Resolve has found.
func (f *fileResolver) Validate(*kong.Application) error { return f.err }

// readFileName refuses none: an empty variable would turn off what the file of --config protects.
func readFileName(parsing *kong.DecodeContext, target reflect.Value) error {
	var name string
	if err := parsing.Scan.PopValueInto("file", &name); err != nil {
		return err
	}
	if name == "" {
		return errors.New("expected a file, got nothing; to do without, leave it out")
	}
	target.SetString(name)
	return nil
}

// names are those of flags, without dashes before them.
type names []string

// flagNames returns those of a command and of all below it.
func flagNames(node *kong.Node) names {
	var all names
	for _, flag := range node.Flags {
		if flag.Name != "help" && flag.Name != "config" {
			all = append(all, flag.Name)
		}
	}
	for _, child := range node.Children {
		all = append(all, flagNames(child)...)
	}
	return all
}

// warnOfUnknownVariables does not refuse them: Kubernetes sets some of its own, such as ROOTBRIDGED_SERVICE_HOST for a service
// of that name.
func warnOfUnknownVariables(known names, logger *slog.Logger) {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		flag, ok := strings.CutPrefix(name, envPrefix+"_")
		flag = strings.ReplaceAll(strings.ToLower(flag), "_", "-")
		if ok && flag != "config" && !slices.Contains(known, flag) {
			logger.Warn("an environment variable is no flag's", "variable", name)
		}
	}
}
