package main

import (
	"context"
	"os"
	"time"

	"golang.org/x/term"

	"coffer/console/top"
	"coffer/internal/program"
)

// topCmd shows a running server's figures in the terminal.
type topCmd struct {
	consoleAccess

	Once    bool          `help:"Print the metrics once and exit."`
	JSON    bool          `name:"json" help:"Print the metrics once as JSON and exit."`
	Timeout time.Duration `help:"Maximum time to wait with --once and --json." default:"5s"`
}

// Run shows the figures live on a terminal, and once on anything else.
func (cmd *topCmd) Run(ctx context.Context, std program.Streams) error {
	source, err := cmd.source(cmd.Timeout)
	if err != nil {
		return err
	}
	defer source.HTTP.CloseIdleConnections()
	if screen, ok := std.Out.(*os.File); ok && !cmd.Once && !cmd.JSON && term.IsTerminal(int(screen.Fd())) {
		return top.Run(ctx, source, std.In, screen)
	}
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	if cmd.JSON {
		return top.OnceJSON(ctx, source, std.Out)
	}
	return top.Once(ctx, source, std.Out)
}
