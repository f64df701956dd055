package program

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// A command line with one of each.
type completeCLI struct {
	Serve struct {
		Data  string `type:"path" help:"Folder. Of data."`
		Level string `enum:"debug,info" default:"info" help:"Level."`
		Bare  string `hidden:""`
	} `cmd:"" default:"withargs" help:"Serve."`
	Key struct {
		Export struct {
			File  string `arg:"" type:"existingfile"`
			Force bool   `short:"f"`
			Name  string
		} `cmd:"" help:"Write keys."`
		Import struct {
			From string `arg:"" type:"existingdir"`
			Mode string `arg:"" enum:"all,some"`
		} `cmd:""`
	} `cmd:"" help:"Carry keys."`
	Secret  struct{}         `cmd:"" hidden:""`
	Version kong.VersionFlag `help:"Print the version."`
}

func TestComplete(t *testing.T) {
	for _, test := range []struct {
		words string // the last may be empty
		want  string // words; ? for files, / for folders
	}{
		{"", "serve key"},
		{"k", "key"},
		{"serve x", ""},
		{"-", "--data --help --level --version"},
		{"--l", "--level"},
		{"serve --", "--data --help --level --version"},
		{"--level ", "debug info"},
		{"--level d", "debug"},
		{"--level=d", "--level=debug"},
		{"--level = d", "debug"}, // as bash has it
		{"--level =", "debug info"},
		{"--level = debug --d", "--data"},
		{"--data ", "?"},
		{"--data=x", "?"},
		{"--data x --level ", "debug info"},
		{"--bare ", ""},
		{"--none=x", ""},
		{"key ", "export import"},
		{"key export ", "?"},
		{"key export --", "--force --help --name --version"},
		{"key export -f ", "?"},
		{"key export --name --level ", "?"}, // a value that looks like a flag
		{"key export --name ", ""},
		{"key import ", "/"},
		{"key import x ", "all some"},
		{"key import x s", "some"},
		{"key import -- -", "/"},
	} {
		var out, errs bytes.Buffer
		args := append([]string{"__complete"}, strings.Split(test.words, " ")...)
		if code := (Program{Name: "thing"}).Run(t.Context(), new(completeCLI), args, Streams{Out: &out, Err: &errs}); code != ExitOK || errs.Len() > 0 {
			t.Errorf("%q: exit code %d\n%s", test.words, code, &errs)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			switch word, help, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); {
			case !ok:
				t.Errorf("%q: there is no tab in %q", test.words, line)
			case word == "" && help == "files":
				got = append(got, "?")
			case word == "" && help == "folders":
				got = append(got, "/")
			default:
				got = append(got, word)
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%q: %q, want %q", test.words, got, test.want)
		}
	}
}

func TestFirstSentence(t *testing.T) {
	for help, want := range map[string]string{
		"One. Two.":              "One",
		"Only one":               "Only one",
		strings.Repeat("ä", 100): strings.Repeat("ä", 59) + "…",
	} {
		if got := firstSentence(help); got != want {
			t.Errorf("%q became %q", help, got)
		}
	}
}
