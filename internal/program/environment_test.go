package program

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"coffer/internal/quantity"
)

type settingsCLI struct {
	Do      settingsCmd      `cmd:""`
	Version kong.VersionFlag `help:"Print the version."`
}

type settingsCmd struct {
	Text  string   `default:"none" env:"THING_TEXT"`
	Count int      `default:"3" env:"THING_COUNT"`
	On    bool     `env:"THING_ON"`
	Must  string   `required:"" env:"THING_MUST"`
	List  []string `env:"THING_LIST"`
	Other string
}

func (cmd *settingsCmd) Run(ctx context.Context, std Streams) error {
	_, err := fmt.Fprintf(std.Out, "%s %d %v %s %q %s\n", cmd.Text, cmd.Count, cmd.On, cmd.Must, cmd.List, cmd.Other)
	return err
}

func TestVariables(t *testing.T) {
	p := Program{Name: "thing", Version: "v1", Earlier: func(name string) string {
		if name == "THING_TEXT" {
			return "OLD_TEXT"
		}
		return ""
	}}
	for _, test := range []struct {
		env, args string
		code      int
		says      string
	}{
		{"THING_MUST=m", "do", ExitOK, "none 3 false m [] \n"},
		{"THING_MUST=m THING_TEXT=t THING_COUNT=4 THING_ON=true THING_LIST=a,b", "do", ExitOK, "t 4 true m [\"a\" \"b\"] \n"},
		{"THING_MUST=m THING_TEXT= THING_COUNT= THING_ON= THING_LIST=", "do", ExitOK, "none 3 false m [] \n"},
		{"THING_MUST=", "do", ExitUsage, "missing flags: --must"},
		{"THING_MUST=m THING_COUNT=4", "do --count=5", ExitOK, "none 5 false m [] \n"},
		{"THING_MUST=m THING_COUNT=many", "do", ExitUsage, "--count"},
		{"THING_MUST=m OLD_TEXT=t", "do", ExitOK, "thing: the variable OLD_TEXT is now called THING_TEXT\nt 3 false m [] \n"},
		{"THING_MUST=m OLD_TEXT=t THING_TEXT=new", "do", ExitOK, "thing: the variable THING_TEXT counts, not OLD_TEXT, its earlier name\nnew 3"},
		{"THING_MUST=m OLD_TEXT=t", "do --text=u", ExitOK, "u 3 false m [] \n"},
		// What has no variable of its own is set by none.
		{"THING_MUST=m THING_OTHER=x OTHER=x THING_VERSION=1 VERSION=1 COFFER_VERSION=1 THING_HELP=1", "do", ExitOK, "none 3 false m [] \n"},
		{"", "do --help", ExitOK, "($THING_COUNT)"},
	} {
		env := map[string]string{}
		for _, one := range strings.Fields(test.env) {
			name, value, _ := strings.Cut(one, "=")
			env[name] = value
		}
		p.Environment = func(name string) (string, bool) {
			value, set := env[name]
			return value, set
		}
		var out bytes.Buffer
		code := p.Run(t.Context(), new(settingsCLI), strings.Fields(test.args), Streams{Out: &out, Err: &out})
		if code != test.code || !strings.Contains(out.String(), test.says) {
			t.Errorf("%s %s: exit code %d\n%s", test.env, test.args, code, &out)
		}
	}
}

// The name of one file never becomes the name of another: bytes that are not
// UTF-8 stay unchanged in paths, and are refused in anything else.
func TestArgumentsKeepTheirBytes(t *testing.T) {
	folder := t.TempDir()
	const latin1, broken = "caf\xe9", "\xff\xfe"
	type cli struct {
		Do argumentsCmd `cmd:""`
	}
	for _, test := range []struct {
		args []string
		env  string
		code int
		says string
	}{
		{[]string{"do", latin1 + ".txt"}, "", ExitOK, `"caf\xe9.txt"`},
		{[]string{"do", "x", "-o", broken}, "", ExitOK, `"\xff\xfe"`},
		{[]string{"do", "x", "--data=" + filepath.Join(folder, latin1)}, "", ExitOK, `/caf\xe9"`},
		{[]string{"do", "x"}, filepath.Join(folder, latin1), ExitOK, `/caf\xe9"`},
		{[]string{"do", "x", "--name", "café"}, "", ExitOK, `"café"`},
		{[]string{"do", "x", "--name", latin1}, "", ExitUsage, "--name: it is not UTF-8"},
		{[]string{"do", "x", "--list", "a," + latin1}, "", ExitUsage, "not UTF-8"},
		{[]string{"do", "x", "--size", broken}, "", ExitUsage, "--size"},
		{[]string{"do", "x", "--choice", "a\xe9"}, "", ExitUsage, "--choice"},
		{[]string{"do", "x", "--there", latin1}, "", ExitUsage, "no such file"},
		{[]string{"do", "x", "--" + latin1}, "", ExitUsage, "unknown flag"},
		{[]string{latin1}, "", ExitUsage, "unexpected argument"},
	} {
		var out bytes.Buffer
		p := Program{Name: "thing", Environment: func(name string) (string, bool) { return test.env, name == "THING_DATA" }}
		code := p.Run(t.Context(), new(cli), test.args, Streams{Out: &out, Err: &out})
		if code != test.code || !strings.Contains(out.String(), test.says) {
			t.Errorf("%q: exit code %d\n%s", test.args, code, &out)
		}
	}
}

type argumentsCmd struct {
	Path   string         `arg:"" type:"filename"`
	Output string         `short:"o" type:"filename"`
	Data   string         `type:"path" default:"./data" env:"THING_DATA"`
	There  string         `type:"existingfile"`
	Name   string         ``
	List   []string       ``
	Size   quantity.Bytes ``
	Choice string         `enum:"a,b" default:"a"`
}

func (cmd *argumentsCmd) Run(std Streams) error {
	_, err := fmt.Fprintf(std.Out, "%q %q %q %q\n", cmd.Path, cmd.Output, cmd.Data, cmd.Name)
	return err
}
