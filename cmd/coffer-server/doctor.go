package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"coffer/internal/diagnose"
	"coffer/internal/program"
	"coffer/protocol"
)

// doctorCmd shows why clients that speak the base protocol were not served.
type doctorCmd struct {
	coreFlags
	Last int  `help:"Maximum number of exchanges to show, newest first; 0 shows all that the server remembers." default:"10"`
	JSON bool `name:"json" help:"Print JSON."`
}

// diagnosis is a failed exchange as JSON.
type diagnosis struct {
	At      time.Time   `json:"at"`
	Peer    string      `json:"peer"`
	Client  string      `json:"client,omitempty"`
	Earlier uint32      `json:"requests_before"`
	Request string      `json:"request"`
	Reason  string      `json:"reason"`
	Rule    string      `json:"rule"`
	Usually string      `json:"usually"`
	Fields  []wireField `json:"fields"`
}

type wireField struct {
	Offset  int    `json:"offset"`
	Bytes   string `json:"bytes"`
	Meaning string `json:"meaning"`
}

func diagnosed(e *protocol.FailedExchange) diagnosis {
	found := diagnose.Exchange(e)
	d := diagnosis{At: found.At, Peer: found.Peer, Client: found.Client, Earlier: found.Earlier, Request: found.Request,
		Reason: found.Reason, Rule: found.Rule, Usually: found.Usually}
	for _, f := range found.Fields {
		d.Fields = append(d.Fields, wireField(f))
	}
	return d
}

// Run asks the running server and prints.
func (cmd *doctorCmd) Run(ctx context.Context, std program.Streams) error {
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	conn, err := cmd.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	exchanges, err := conn.ListFailures(ctx)
	if err != nil {
		return err
	}
	if cmd.Last > 0 && len(exchanges) > cmd.Last {
		exchanges = exchanges[:cmd.Last]
	}
	found := make([]diagnosis, 0, len(exchanges))
	for _, e := range exchanges {
		found = append(found, diagnosed(&e))
	}
	if cmd.JSON {
		e := program.NewJSON(std.Out)
		e.SetIndent("", "  ")
		return e.Encode(found)
	}
	if len(found) == 0 {
		_, err := fmt.Fprintln(std.Out, "no client request has failed since the server started")
		return err
	}
	for _, d := range found {
		if err := d.print(std.Out); err != nil {
			return err
		}
	}
	return nil
}

func (d diagnosis) print(w io.Writer) error {
	who := d.Peer
	if d.Client != "" {
		who += ", " + d.Client
	}
	fmt.Fprintf(w, "%s  %s  %s (after %s on this connection)\n", d.At.Local().Format(time.DateTime), who, d.Request, program.Count(d.Earlier, "request", "requests"))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range d.Fields {
		fmt.Fprintf(t, "  %d\t%s\t%s\n", p.Offset, p.Bytes, p.Meaning)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "  answer:   %s\n  rule:     %s\n  usually:  %s\n\n", d.Reason, d.Rule, d.Usually)
	return err
}
