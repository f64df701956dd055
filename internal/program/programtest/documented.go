// Package programtest holds a program's flags against its documentation. It is
// for the programs' tests.
package programtest

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// A flag as a command line has it, or as a document says.
type flag struct {
	command  string // "" for flags of all commands
	name     string // "" for what only the environment can set
	env      string // "" for none
	defaults []string
}

// Documented fails unless the part on the program in docs/configuration.md has
// every flag of the command line, with its environment variable and default,
// and no others. The part's tables that have a column "flag" count; those
// without a column "command" are about the command by default.
func Documented(t *testing.T, program, byDefault string, cli any, options ...kong.Option) {
	t.Helper()
	parser, err := kong.New(cli, append(options, kong.Name(program), kong.Vars{"version": ""})...)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, found := strings.Cut(string(text), "\n## "+program+"\n")
	if !found {
		t.Fatalf("docs/configuration.md has no part on %s", program)
	}
	part, _, _ = strings.Cut(part, "\n## ")
	for _, problem := range compare(flagsOf("", parser.Model.Node), readTables(part, byDefault)) {
		t.Error(problem)
	}
}

// flagsOf returns the flags of a command and of those below it.
func flagsOf(command string, node *kong.Node) []flag {
	var flags []flag
	for _, f := range node.Flags {
		if _, version := f.Target.Interface().(kong.VersionFlag); version || f.Name == "help" {
			continue // flags that are commands
		}
		one := flag{command: command, name: "--" + f.Name}
		if f.Hidden {
			one.name = ""
		}
		if len(f.Envs) > 0 {
			one.env = f.Envs[0]
		}
		if f.HasDefault {
			one.defaults = []string{f.Default}
		}
		flags = append(flags, one)
	}
	for _, child := range node.Children {
		flags = append(flags, flagsOf(strings.TrimSpace(command+" "+child.Name), child)...)
	}
	return flags
}

var (
	codeSpan    = regexp.MustCompile("`[^`]*`")
	flagName    = regexp.MustCompile(`--[a-z-]+`)
	commandName = regexp.MustCompile(`^[a-z -]*[a-z]`)
)

// readTables returns the flags in the tables of a document. A row may have
// several, in the same order as their variables.
func readTables(document, byDefault string) []flag {
	var flags []flag
	var columns []string // of the table that a line belongs to
	command := byDefault
	for line := range strings.Lines(document) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			columns = nil
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if columns == nil {
			columns, command = cells, byDefault
			continue
		}
		cell := func(column string) string {
			if i := slices.Index(columns, column); i >= 0 && i < len(cells) {
				return cells[i]
			}
			return ""
		}
		if !slices.Contains(columns, "flag") || strings.HasPrefix(cells[0], "--") {
			continue
		}
		if spans := codeSpan.FindAllString(cell("command"), -1); len(spans) > 0 {
			command = commandName.FindString(strings.Trim(spans[0], "`"))
		}
		names := flagName.FindAllString(strings.Join(codeSpan.FindAllString(cell("flag"), -1), " "), -1)
		envs := spans(cell("environment"))
		for i := range max(len(names), len(envs)) {
			one := flag{command: command, defaults: spans(cell("default"))}
			if i < len(names) {
				one.name = names[i]
			}
			if i < len(envs) {
				one.env = envs[i]
			}
			flags = append(flags, one)
		}
	}
	return flags
}

// spans are a cell's code spans.
func spans(cell string) []string {
	list := codeSpan.FindAllString(cell, -1)
	for i := range list {
		list[i] = strings.Trim(list[i], "`")
	}
	return list
}

// compare says what is wrong with the documented flags.
func compare(real, documented []flag) []string {
	if len(documented) == 0 {
		return []string{"no flags are documented"}
	}
	var problems []string
	title := func(f flag) string { return strings.Join(strings.Fields(f.command+" "+f.name+" $"+f.env), " ") }
	same := func(a flag) func(flag) bool {
		return func(b flag) bool { return a.command == b.command && a.name == b.name && a.env == b.env }
	}
	for i, f := range documented {
		if !slices.ContainsFunc(real, same(f)) {
			problems = append(problems, "documented, but not there: "+title(f))
		}
		if slices.ContainsFunc(documented[:i], same(f)) {
			problems = append(problems, "documented twice: "+title(f))
		}
	}
	for _, f := range real {
		i := slices.IndexFunc(documented, same(f))
		if i < 0 {
			problems = append(problems, "not documented: "+title(f))
		} else if len(f.defaults) > 0 && !slices.Contains(documented[i].defaults, f.defaults[0]) {
			problems = append(problems, title(f)+": its default is "+f.defaults[0])
		}
	}
	return problems
}
