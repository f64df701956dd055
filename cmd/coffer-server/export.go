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

	Client string `required:"" help:"Name of the client." placeholder:"NAME"`
	To     string `required:"" help:"Folder for the export; created if missing. An earlier export of the same client is updated." type:"path" placeholder:"FOLDER"`
	Quiet  bool   `help:"Do not show progress."`
}

// Run exports. The server must not be running on the data folder.
func (cmd *exportCmd) Run(ctx context.Context, std program.Streams) (err error) {
	switch same, err := sameFolder(cmd.Data, cmd.To); {
	case err != nil:
		return err
	case same:
		return fmt.Errorf("%w: --to must not be the data folder", program.ErrUsage)
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
	_, err = fmt.Fprintf(std.Out, "exported %s: %s, %s, %d of them already present\n",
		program.Printable(cmd.Client), program.Count(done.Versions, "file version", "file versions"), program.Size(uint64(done.Bytes)), done.Present)
	if err == nil && done.Packs+done.Lost > 0 {
		_, err = fmt.Fprintf(std.Out, "with %s of snapshots\n", program.Count(done.Packs, "pack", "packs"))
	}
	if err == nil && done.Lost > 0 {
		err = fmt.Errorf("%s damaged or missing; what else the snapshots need is in the export", program.Count(done.Lost, "pack is", "packs are"))
	}
	return err
}
