package main

import (
	"fmt"
	"io"

	"coffer/internal/program"
	"coffer/snapshot/mend"
)

// mendedIn is what a backup mended of a version, as JSON.
type mendedIn struct {
	Name    string `json:"name"`
	Version uint32 `json:"version"`
	Files   uint64 `json:"files"`
	Folders uint64 `json:"folders"`
	Lost    uint64 `json:"lost"` // files and folders that are still damaged
}

func mendedVersions(versions []mend.Version) (list []mendedIn) {
	for _, v := range versions {
		list = append(list, mendedIn{Name: v.Label, Version: v.Number, Files: v.Files, Folders: v.Folders, Lost: v.Lost})
	}
	return list
}

// printMended prints what was mended, and what stays lost.
func printMended(w io.Writer, versions []mend.Version) error {
	for _, v := range versions {
		what := program.Count(v.Files, "file", "files")
		if v.Folders > 0 {
			what += " and " + program.Count(v.Folders, "folder", "folders")
		}
		still := ""
		if v.Lost > 0 {
			still = fmt.Sprintf("; %d still damaged", v.Lost)
		}
		if _, err := fmt.Fprintf(w, "mended %s of %s, version %d%s\n", what, program.Printable(v.Label), v.Number, still); err != nil {
			return err
		}
	}
	return nil
}
