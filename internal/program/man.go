package program

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// ManCommand prints the program's manual page, made from its command line's
// own definition.
type ManCommand struct{}

// Run prints the page.
func (ManCommand) Run(p Program, app *kong.Application, std Streams) error {
	return manPage(std.Out, p, app, committed())
}

// committed is when what the program was built from was committed; zero if
// the build does not say. SOURCE_DATE_EPOCH, which packagers set, goes before.
func committed() time.Time {
	if seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(seconds, 0)
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.time" {
				if at, err := time.Parse(time.RFC3339, s.Value); err == nil {
					return at
				}
			}
		}
	}
	return time.Time{}
}

// manPage writes a page in man's own macros, which every man understands.
func manPage(w io.Writer, p Program, app *kong.Application, at time.Time) error {
	m := new(roff)
	date := ""
	if !at.IsZero() {
		date = at.UTC().Format(time.DateOnly)
	}
	section := max(p.Section, 1)
	title := "User Commands"
	if section == 8 {
		title = "System Administration"
	}
	m.line(`.TH %s %d "%s" "Coffer %s" "%s"`, strings.ToUpper(p.Name), section, date, quoted(p.Version), title)
	summary, _, _ := strings.Cut(app.Help, ". ")
	m.heading("NAME")
	m.line(`%s \- %s`, escaped(p.Name), escaped(strings.TrimSuffix(summary, ".")))
	m.heading("SYNOPSIS")
	m.line(".B %s", escaped(p.Name))
	if len(app.Children) > 0 {
		m.line(`.I command`)
	}
	m.line(`[\fIflags\fR]`)
	m.heading("DESCRIPTION")
	m.text(app.Help)
	m.flags("OPTIONS", app.Flags)
	if len(app.Children) > 0 {
		m.heading("COMMANDS")
		m.commands(app.Name, app.Node)
	}
	m.environment(app.Node)
	m.heading("EXIT STATUS")
	for _, exit := range []struct {
		code    int
		meaning string
	}{
		{ExitOK, "All went well."},
		{ExitFail, "It did not; standard error says why."},
		{ExitUsage, "The command line makes no sense."},
		{ExitIncomplete, "What could be done was done; standard error says what was left out or changed."},
		{ExitInterrupted, "It was interrupted."},
	} {
		m.line(".TP")
		m.line(".B %d", exit.code)
		m.text(exit.meaning)
	}
	_, err := m.WriteTo(w)
	return err
}

// roff is a page as it grows.
type roff struct{ bytes.Buffer }

func (m *roff) line(format string, args ...any) { fmt.Fprintf(m, format+"\n", args...) }

func (m *roff) heading(name string) { m.line(".SH %s", name) }

// text writes running text.
func (m *roff) text(s string) {
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line == "" {
			m.line(".PP")
		} else {
			m.line("%s", escaped(line))
		}
	}
}

// commands writes about each command below a node.
func (m *roff) commands(path string, node *kong.Node) {
	for _, child := range node.Children {
		if child.Hidden {
			continue
		}
		full := path + " " + child.Name
		if len(child.Children) == 0 {
			m.line(".SS %s", escaped(usage(full, child)))
			m.text(child.Help)
			m.text(child.Detail)
			m.arguments(child)
			m.flags("", child.Flags)
		}
		m.commands(full, child)
	}
}

// usage is a command with its arguments.
func usage(full string, node *kong.Node) string {
	for _, p := range node.Positional {
		name := strings.ToUpper(p.Name)
		if !p.Required {
			name = "[" + name + "]"
		}
		full += " " + name
	}
	return full
}

func (m *roff) arguments(node *kong.Node) {
	for _, p := range node.Positional {
		m.line(".TP")
		m.line(".I %s", escaped(strings.ToUpper(p.Name)))
		m.text(p.Help)
	}
}

// flags writes about flags, under a heading if there is one.
func (m *roff) flags(heading string, flags []*kong.Flag) {
	for _, f := range flags {
		if f.Hidden {
			continue
		}
		if heading != "" {
			m.heading(heading)
			heading = ""
		}
		m.line(".TP")
		name := `\fB` + escaped("--"+f.Name) + `\fR`
		if f.Short != 0 {
			name = `\fB` + escaped("-"+string(f.Short)) + `\fR, ` + name
		}
		if !f.IsBool() {
			value := f.PlaceHolder
			if value == "" {
				value = strings.ToUpper(f.Name)
			}
			name += `=\fI` + escaped(value) + `\fR`
		}
		m.line("%s", name)
		m.text(sentences(f))
	}
}

// sentences are a flag's help, values, default and variable.
func sentences(f *kong.Flag) string {
	text := f.Help
	if f.Enum != "" {
		text += " One of " + strings.ReplaceAll(f.Enum, ",", ", ") + "."
	}
	if f.HasDefault && f.Default != "" {
		text += " Default: " + f.Default + "."
	}
	if len(f.Envs) > 0 {
		text += " Variable: " + strings.Join(f.Envs, ", ") + "."
	}
	return text
}

// environment writes about what only variables set.
func (m *roff) environment(node *kong.Node) {
	seen := map[string]bool{}
	var walk func(*kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			if !f.Hidden || len(f.Envs) == 0 || seen[f.Envs[0]] {
				continue
			}
			if len(seen) == 0 {
				m.heading("ENVIRONMENT")
				m.text("Flags name the variables that they can be set by. There are besides:")
			}
			seen[f.Envs[0]] = true
			m.line(".TP")
			m.line(".B %s", escaped(f.Envs[0]))
			m.text(f.Help)
		}
		for _, child := range n.Children {
			walk(child)
		}
	}
	walk(node)
}

// escaped returns text that roff prints unchanged.
func escaped(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

// quoted is text within a macro's quotes.
func quoted(s string) string { return strings.ReplaceAll(escaped(s), `"`, `\(dq`) }
