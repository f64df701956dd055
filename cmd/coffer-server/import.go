package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/text/encoding/htmlindex"

	"coffer/internal/program"
	"coffer/maintain/importer"
)

// importCmd takes over what an earlier server kept.
type importCmd struct {
	dataFlags
	program.LogFlags `envprefix:"COFFER_SERVER_"`

	From          string `required:"" help:"Folder of the earlier server, with defensive.db and received_files. It is not changed." type:"existingdir" placeholder:"FOLDER"`
	DryRun        bool   `help:"Check and report everything, but write nothing."`
	JSON          bool   `name:"json" help:"Print the report as JSON."`
	Quiet         bool   `help:"Do not show progress."`
	OAEPHash      string `name:"oaep-hash" help:"OAEP hash for wrapping session keys; auto is SHA-1 for a 160-byte key and SHA-256 otherwise." enum:"auto,sha256,sha1" default:"auto"`
	LegacyCharset string `help:"Character set of names that are not UTF-8." default:"windows-1252"`
}

// Run takes over. What was left out makes the exit code ExitIncomplete.
func (cmd *importCmd) Run(ctx context.Context, std program.Streams) error {
	charset, err := htmlindex.Get(cmd.LegacyCharset)
	if err != nil {
		return fmt.Errorf("%w: --legacy-charset %q: unknown", program.ErrUsage, cmd.LegacyCharset)
	}
	switch same, err := sameFolder(cmd.From, cmd.Data); {
	case err != nil:
		return err
	case same:
		return fmt.Errorf("%w: --from must not be the data folder", program.ErrUsage)
	}
	bar := program.NewBar(std.Err, cmd.Quiet)
	opts := importer.Options{From: cmd.From, DryRun: cmd.DryRun, OAEPHash: cmd.OAEPHash, LegacyCharset: charset,
		Progress: func(done, total int64) { bar.Show("importing", done, total) }}
	// A dry run makes no data folder: without a catalog, nothing is here yet.
	_, statErr := os.Stat((&data{folder: cmd.Data}).path(catalogName))
	if statErr == nil || !cmd.DryRun {
		d, err := cmd.open(ctx, cmd.Logger(std))
		if err != nil {
			return err
		}
		opts.Catalog, opts.Blobs = d.catalog, d.blobs
		return errors.Join(cmd.importAll(ctx, std, opts, bar), d.close())
	}
	return cmd.importAll(ctx, std, opts, bar)
}

func (cmd *importCmd) importAll(ctx context.Context, std program.Streams, opts importer.Options, bar *program.Bar) error {
	report, err := importer.Run(ctx, opts)
	bar.Clear()
	if report != nil {
		err = errors.Join(err, cmd.print(std, report))
	}
	if ctx.Err() != nil {
		return program.ErrInterrupted
	}
	if err == nil && len(report.LeftOut) > 0 {
		err = fmt.Errorf("%w: %d", program.ErrIncomplete, len(report.LeftOut))
	}
	return err
}

func (cmd *importCmd) print(std program.Streams, report *importer.Report) error {
	if !cmd.JSON {
		return report.Print(std.Out)
	}
	if report.LeftOut == nil {
		report.LeftOut = []importer.Finding{}
	}
	e := program.NewJSON(std.Out)
	e.SetIndent("", "  ")
	return e.Encode(report)
}

// sameFolder reports whether two paths are one folder; one that is not there is
// no other's.
func sameFolder(a, b string) (bool, error) {
	infoA, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	infoB, err := os.Stat(b)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(infoA, infoB), err
}
