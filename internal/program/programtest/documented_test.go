package programtest

import (
	"slices"
	"testing"

	"github.com/alecthomas/kong"
)

const document = "Words.\n" +
	"| flag | environment | default |\n|---|---|---|\n" +
	"| `--one` | `X_ONE` | `1` |\n" +
	"| `--two`, `--three N` | `X_TWO`, `X_THREE` | `2`, `3` |\n" +
	"| | `X_SECRET` | |\n\n" +
	"| command | flag | environment | default |\n|---|---|---|---|\n" +
	"| `below DEEP NAME` | `-f`, `--four` | | the fourth |\n| | `--five` | `X_FIVE` | |\n\n" +
	"| command | what |\n|---|---|\n| `below` | `--six` |\n"

func TestCompare(t *testing.T) {
	type serve struct {
		One    int    `default:"1" env:"X_ONE"`
		Two    int    `default:"2" env:"X_TWO"`
		Three  int    `default:"3" env:"X_THREE"`
		Secret string `hidden:"" env:"X_SECRET"`
	}
	type below struct {
		Four bool   `short:"f"`
		Five string `env:"X_FIVE"`
	}
	flags := func(cli any) []flag {
		parser, err := kong.New(cli)
		if err != nil {
			t.Fatal(err)
		}
		return flagsOf("", parser.Model.Node)
	}
	real := flags(&struct {
		Serve serve `cmd:""`
		Below below `cmd:""`
	}{})
	if problems := compare(real, readTables(document, "serve")); len(problems) > 0 {
		t.Errorf("%q", problems)
	}
	other := flags(&struct {
		Serve struct {
			One int `default:"7" env:"X_ONE"`
			Six int
		} `cmd:""`
		Below below `cmd:""`
	}{})
	got := compare(other, readTables(document, "serve"))
	want := []string{
		"documented, but not there: serve --two $X_TWO",
		"documented, but not there: serve --three $X_THREE",
		"documented, but not there: serve $X_SECRET",
		"serve --one $X_ONE: its default is 7",
		"not documented: serve --six $",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if problems := compare(real, readTables("Words.", "serve")); len(problems) != 1 {
		t.Errorf("%q", problems)
	}
}
