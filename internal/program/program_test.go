package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"coffer/internal/quantity"
)

type testCLI struct {
	Do      doCmd            `cmd:""`
	Version kong.VersionFlag `help:"Print the version."`
}

type doCmd struct {
	LogFlags `envprefix:"PROGRAMTEST_"`
	TLSFlags `envprefix:"PROGRAMTEST_"`
	Size     quantity.Bytes `default:"1KiB"`
	End      string
}

func (cmd *doCmd) Validate() error { return cmd.Check() }

func (cmd *doCmd) Run(ctx context.Context, std Streams) error {
	switch cmd.End {
	case "usage":
		return fmt.Errorf("%w: --end", ErrUsage)
	case "failure":
		return errors.Join(errors.New("one"), errors.New("another"))
	case "stop":
		return ctx.Err()
	}
	fmt.Fprintln(std.Out, uint64(cmd.Size))
	cmd.Logger(std).Info("done", "size", cmd.Size)
	return nil
}

func TestRun(t *testing.T) {
	t.Setenv("PROGRAMTEST_LOG_FORMAT", "json")
	stopped, stop := context.WithCancel(t.Context())
	stop()
	p := Program{Name: "thing", Version: "v1", Explain: func(err error) error {
		if errors.Is(err, context.Canceled) {
			return ErrInterrupted
		}
		return fmt.Errorf("explained: %w", err)
	}}
	tests := []struct {
		args string
		code int
		out  string
		err  string
	}{
		{"do", ExitOK, "1024\n", `"msg":"done","size":1024`},
		{"do --size 2MB --log-format text", ExitOK, "2000000\n", "msg=done size=2000000"},
		{"do --log-level warn", ExitOK, "1024\n", ""},
		{"--version", ExitOK, "thing v1 (commit ", ""},
		{"--help", ExitOK, "Usage: thing", ""},
		{"do --help", ExitOK, "$PROGRAMTEST_TLS_KEY", ""},
		{"do --nonsense", ExitUsage, "", "thing: unknown flag --nonsense (see thing --help)\n"},
		{"do --size large", ExitUsage, "", "thing: --size"},
		{"do --log-level loud", ExitUsage, "", "thing: --log-level"},
		{"do --tls-key x", ExitUsage, "", "used together"},
		{"do --end usage", ExitUsage, "", "thing: explained: usage: --end\n"},
		{"do --end failure", ExitFail, "", "thing: explained: one; another\n"},
		{"do --end stop", ExitInterrupted, "", "thing: interrupted\n"},
	}
	for _, test := range tests {
		var out, errs bytes.Buffer
		code := p.Run(stopped, new(testCLI), strings.Fields(test.args), Streams{Out: &out, Err: &errs})
		if code != test.code || !strings.Contains(out.String(), test.out) || !strings.Contains(errs.String(), test.err) {
			t.Errorf("%s: exit code %d\n%s%s", test.args, code, &out, &errs)
		}
		if test.err == "" && errs.Len() > 0 {
			t.Errorf("%s: %s", test.args, &errs)
		}
	}
}
