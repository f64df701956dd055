package program

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// A Lookup finds a variable of the environment.
type Lookup func(name string) (value string, set bool)

// lookup finds a variable in the environment that the program was given, or else
// in the process's own.
func (p Program) lookup() Lookup {
	if p.Environment != nil {
		return p.Environment
	}
	return os.LookupEnv
}

// Variable returns the variable that sets a flag, and its value. An empty
// variable is one that is not set.
func (p Program) Variable(f *kong.Flag) (name, value string, set bool) {
	for _, name := range f.Envs {
		if value, _ := p.lookup()(name); value != "" {
			return name, value, true
		}
	}
	for _, name := range f.Envs {
		if p.Earlier == nil || p.Earlier(name) == "" {
			continue
		}
		if value, _ := p.lookup()(p.Earlier(name)); value != "" {
			return p.Earlier(name), value, true
		}
	}
	return "", "", false
}

// environment resolves flags by the variables that their env tags name. Kong
// would do so itself, but takes an empty variable for a value.
func (p Program) environment(std Streams) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
		name, value, set := p.Variable(f)
		if !set {
			return nil, nil
		}
		if p.Earlier != nil {
			now := f.Envs[0]
			before := p.Earlier(now)
			switch other, _ := p.lookup()(before); {
			case before == "" || other == "" || other == value && name == now:
			case name == before:
				fmt.Fprintf(std.Err, "%s: the variable %s is now called %s\n", p.Name, before, now)
			default:
				fmt.Fprintf(std.Err, "%s: the variable %s counts, not %s, its earlier name\n", p.Name, now, before)
			}
		}
		return value, nil
	})
}

// EarlierPrefix is Program.Earlier for variables that were called COFFER_NAME
// before they had the prefix; the excepted names have always had it.
func EarlierPrefix(prefix string, except ...string) func(variable string) string {
	return func(variable string) string {
		name, cut := strings.CutPrefix(variable, prefix)
		if !cut || slices.Contains(except, name) {
			return ""
		}
		return "COFFER_" + name
	}
}

// takeOver keeps kong from reading variables: environment does that.
func takeOver(node *kong.Node) {
	for _, f := range node.Flags {
		f.Envs = f.Tag.Envs
		f.Tag.Envs = nil
	}
	for _, child := range node.Children {
		takeOver(child)
	}
}

// helpText is a flag's help, with the variable that sets it.
func helpText(value *kong.Value) string {
	if value.Flag == nil || len(value.Flag.Envs) == 0 {
		return value.Help
	}
	text, stop := strings.CutSuffix(value.Help, ".")
	text += " ($" + strings.Join(value.Flag.Envs, ", $") + ")"
	if stop {
		text += "."
	}
	return text
}
