package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"coffer/backup"
	"coffer/internal/program"
	"coffer/protocol"
)

type listCommand struct {
	Versions bool `help:"List all versions, not only the newest."`
}

// listed is a version of a file as JSON.
type listed struct {
	Name     string    `json:"name"`
	Version  uint32    `json:"version"`
	Size     uint64    `json:"size"`
	Stored   uint64    `json:"stored_size"`
	Cksum    uint32    `json:"cksum"`
	SHA256   string    `json:"sha256"`
	Created  time.Time `json:"created"`
	Verified bool      `json:"verified"`
	Sealed   bool      `json:"sealed"`
	Kind     string    `json:"kind"`
}

func describe(e protocol.FileEntry) listed {
	return listed{
		Name: e.Name, Version: e.Version, Size: e.OriginalSize, Stored: e.Size, Cksum: e.Cksum,
		SHA256: hex.EncodeToString(e.SHA256[:]), Created: e.Created, Verified: e.Verified,
		Sealed: backup.IsSealed(e.Format), Kind: kind(e.Format),
	}
}

func kind(f protocol.Format) string {
	switch f {
	case protocol.FormatFile, protocol.FormatSealedFile:
		return "file"
	case protocol.FormatFolder, protocol.FormatSealedFolder:
		return "folder"
	}
	return "unknown"
}

func (c *listCommand) Run(a *app) error {
	session, _, err := a.open()
	if err != nil {
		return err
	}
	defer session.Close()
	if a.json {
		return a.printArray(func(print func(any) error) error {
			return backup.Each(a.ctx, session, c.Versions, func(e protocol.FileEntry) error { return print(describe(e)) })
		})
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tVERSION\tSIZE\tCREATED\tKIND\tSEALED\tCKSUM")
	err = backup.Each(a.ctx, session, c.Versions, func(e protocol.FileEntry) error {
		l := describe(e)
		_, err := fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%d\n", program.Printable(l.Name), l.Version, humanize.IBytes(l.Size),
			l.Created.Local().Format(time.DateTime), l.Kind, yes(l.Sealed), l.Cksum)
		return err
	})
	if err != nil {
		return err
	}
	return w.Flush()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// printJSON prints a value for programs.
func (a *app) printJSON(v any) error {
	encoder := json.NewEncoder(a.stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// printArray prints an array whose elements come one by one.
func (a *app) printArray(each func(print func(any) error) error) error {
	separator := "[\n  "
	if err := each(func(v any) error {
		element, err := json.MarshalIndent(v, "  ", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "%s%s", separator, element)
		separator = ",\n  "
		return err
	}); err != nil {
		return err
	}
	end := "\n]"
	if separator[0] == '[' {
		end = "[]"
	}
	_, err := fmt.Fprintln(a.stdout, end)
	return err
}
