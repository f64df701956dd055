package program

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

type manCLI struct {
	Do struct {
		Path  string `arg:"" help:"Which."`
		Level string `enum:"low,high" default:"low" short:"l" env:"MAN_LEVEL" help:".dots first, and a \\."`
		Token string `hidden:"" env:"MAN_TOKEN" help:"A secret."`
		Quiet bool
	} `cmd:"" help:"Do it."`
	Not struct{}         `cmd:"" hidden:""`
	Man ManCommand       `cmd:"" hidden:""`
	Ver kong.VersionFlag `name:"version"`
}

// The page is made of the definitions alone, escaped, and always the same.
func TestMan(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1500000000")
	p := Program{Name: "a-thing", Description: "Does things. Quickly.", Version: "v1", Section: 8}
	var out, errs bytes.Buffer
	if code := p.Run(t.Context(), new(manCLI), []string{"man"}, Streams{Out: &out, Err: &errs}); code != ExitOK {
		t.Fatalf("exit code %d\n%s", code, &errs)
	}
	page := out.String()
	for _, want := range []string{
		`.TH A-THING 8 "2017-07-14" "Coffer v1" "System Administration"` + "\n",
		".SH NAME\na\\-thing \\- Does things\n",
		".SH DESCRIPTION\nDoes things. Quickly.\n",
		".SS a\\-thing do PATH\nDo it.\n.TP\n.I PATH\nWhich.\n",
		".TP\n\\fB\\-l\\fR, \\fB\\-\\-level\\fR=\\fILEVEL\\fR\n\\&.dots first, and a \\e. One of low, high. Default: low. Variable: MAN_LEVEL.\n",
		".TP\n\\fB\\-\\-quiet\\fR\n",
		".SH ENVIRONMENT\n",
		".TP\n.B MAN_TOKEN\nA secret.\n",
		".SH EXIT STATUS\n.TP\n.B 0\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	for _, never := range []string{"token", ".SS a\\-thing not", ".SS a\\-thing man"} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %q", never)
		}
	}
}
