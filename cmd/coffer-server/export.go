package main

import (
	"context"
	"errors"
	"fmt"

	"coffer/internal/program"
	"coffer/maintain"
)

// exportCmd writes everything of one client into a folder.
type exportCmd struct {
	dataFlags
	program.LogFlags `envprefix:"COFFER_SERVER_"`

	Client string `required:"" help:"The client's name." placeholder:"NAME"`
	To     string `required:"" help:"Folder for the export; made if it is missing. An earlier export of the same client is brought up to date." type:"path" placeholder:"FOLDER"`
	Quiet  bool   `help:"Show no progress."`
}

// Run exports. The server must not be running on the data folder.
func (cmd *exportCmd) Run(ctx context.Context, std program.Streams) (err error) {
	switch same, err := sameFolder(cmd.Data, cmd.To); {
	case err != nil:
		return err
	case same:
		return fmt.Errorf("%w: --to is the data folder itself", program.ErrUsage)
	}
	d, err := cmd.open(ctx, cmd.Logger(std))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	bar := program.NewBar(std.Err, cmd.Quiet)
	done, err := maintain.Export(ctx, d.catalog, d.blobs, cmd.Client, cmd.To, func(done, total int64) { bar.Show("exporting", done, total) })
	bar.Clear()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "exported %s: %s, %s, %d of them there already\n",
		program.Printable(cmd.Client), program.Count(done.Versions, "file version", "file versions"), program.Size(uint64(done.Bytes)), done.Present)
	return err
}
