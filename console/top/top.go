// Package top shows a server's console in a terminal: live figures, transfers,
// and latest activities. It queries the console of a running server and changes
// nothing.
package top

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"coffer/internal/program"
)

// Run shows the figures live, on the terminal that out is, until a person ends
// it or ctx is done.
func Run(ctx context.Context, source *Source, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	p := tea.NewProgram(model{url: source.URL, now: time.Now()}, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler())
	var watching sync.WaitGroup
	watching.Go(func() { source.Watch(ctx, func(event any) { p.Send(event) }) })
	_, err := p.Run()
	cancel()
	watching.Wait()
	if errors.Is(err, tea.ErrProgramKilled) || errors.Is(err, context.Canceled) {
		return nil // interrupted by the user
	}
	return err
}

// Once prints the figures of this moment, as text.
func Once(ctx context.Context, source *Source, out io.Writer) error {
	shot, err := source.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("asking the console at %s: %w", source.URL, err)
	}
	m := model{url: source.URL, plain: true, now: shot.Stats.At}.apply(connected{shot})
	_, err = io.WriteString(out, m.text())
	return err
}

// OnceJSON prints the same as JSON.
func OnceJSON(ctx context.Context, source *Source, out io.Writer) error {
	shot, err := source.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("asking the console at %s: %w", source.URL, err)
	}
	e := program.NewJSON(out)
	e.SetIndent("", "  ")
	return e.Encode(shot)
}
