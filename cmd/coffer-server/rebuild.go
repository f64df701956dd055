package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"coffer/internal/program"
	"coffer/maintain"
	"coffer/protocol"
)

// rebuildCmd makes a lost catalog anew.
type rebuildCmd struct {
	dataFlags
	program.LogFlags `envprefix:"COFFER_SERVER_"`
}

// Run rebuilds the catalog. It refuses to touch one that is there.
func (cmd *rebuildCmd) Run(ctx context.Context, std program.Streams) error {
	d := &data{folder: cmd.Data}
	fresh, err := d.isFresh()
	if err != nil {
		return err
	}
	if !fresh {
		return fmt.Errorf("the catalog %s exists; move it away first, with its -wal and -shm files", d.path(catalogName))
	}
	// What an earlier run left beside the lost catalog belongs to no other.
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(d.path(catalogName + suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the remains of the lost catalog: %w", err)
		}
	}
	if d, err = cmd.openAnyway(ctx, cmd.Logger(std), nil); err != nil {
		return err
	}
	r, err := maintain.Rebuild(ctx, d.catalog, d.blobs, func(format uint8) bool { return protocol.Format(format).Sealed() })
	if err := errors.Join(err, d.close()); err != nil {
		return err
	}
	fmt.Fprintf(std.Out, "rebuilt: %s, %s, %s\n", program.Count(r.Clients, "client", "clients"), program.Count(r.Versions, "file version", "file versions"), program.Size(uint64(r.Bytes)))
	if r.Unconfirmed > 0 {
		fmt.Fprintf(std.Out, "left out: %s never confirmed by the client\n", program.Count(r.Unconfirmed, "upload", "uploads"))
	}
	if r.Ownerless > 0 {
		fmt.Fprintf(std.Out, "left out: %s of unknown clients\n", program.Count(r.Ownerless, "file version", "file versions"))
	}
	if r.Damaged != nil {
		return fmt.Errorf("rebuilt everything readable; some records are not: %w", r.Damaged)
	}
	return nil
}
