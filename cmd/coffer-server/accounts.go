package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"coffer/console/contract"
	"coffer/internal/program"
)

// accountsCmd lists the accounts of a running server.
type accountsCmd struct {
	consoleAccess

	JSON    bool          `name:"json" help:"Print JSON."`
	Timeout time.Duration `help:"Maximum time to wait for an answer." default:"30s"`
}

// Run asks the running server and prints.
func (cmd *accountsCmd) Run(ctx context.Context, std program.Streams) error {
	source, err := cmd.source(cmd.Timeout)
	if err != nil {
		return err
	}
	defer source.HTTP.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	accounts, err := source.Clients(ctx)
	if err != nil {
		return err
	}
	if cmd.JSON {
		e := program.NewJSON(std.Out)
		e.SetIndent("", "  ")
		return e.Encode(accounts)
	}
	return printAccounts(std.Out, accounts)
}

func printAccounts(w io.Writer, accounts []contract.Client) error {
	if len(accounts) == 0 {
		_, err := fmt.Fprintln(w, "no account is registered")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tFINGERPRINT\tREGISTERED\tLAST SEEN\tFILES\tSIZE\tNOTES")
	for _, c := range accounts {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", program.Printable(c.Name), c.Fingerprint, c.Created.Local().Format(time.DateTime),
			c.LastSeen.Local().Format(time.DateTime), c.Files, program.Size(uint64(max(0, c.Bytes))), accountNotes(c))
	}
	return t.Flush()
}

// accountNotes is what is out of the ordinary about an account.
func accountNotes(c contract.Client) (notes string) {
	note := func(text string) {
		if notes != "" {
			notes += "; "
		}
		notes += text
	}
	if c.LooksLike != nil {
		note("looks like " + program.Printable(*c.LooksLike))
	}
	if c.Suspended {
		note("suspended")
	}
	if c.KeyBits == 0 {
		note("without a key")
	}
	if notes == "" {
		return "-"
	}
	return notes
}
