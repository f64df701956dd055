package importer

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// A Kind says what is irregular.
type Kind string

// What can be irregular in an earlier server's folder.
const (
	ClientUnusable    Kind = "client unusable"       // broken id, name that this server does not accept, or in conflict
	ClientWithoutKey  Kind = "client without key"    // taken over; nothing can be encrypted for it
	ClientKeyDiffers  Kind = "client's key differs"  // here it has another one than there
	RecordUnusable    Kind = "record unusable"       // of no client, bad name, or a path that leaves the folder
	RecordTwice       Kind = "recorded twice"        // one name of one client, two different records
	RecordWithoutFile Kind = "record without file"   // nothing lies where it points
	FileWithoutRecord Kind = "file without record"   // no record names its client
	FileClaimedTwice  Kind = "file claimed twice"    // by two clients, or under two names
	FileOfLeftOut     Kind = "file of such a client" // its client was left out, or has no key
	FileUnreadable    Kind = "file unreadable"       // or it changed while it was read
	FileNewerHere     Kind = "file is newer here"    // its client has backed it up here since
)

// A Finding is one thing that was left out.
type Finding struct {
	Kind   Kind   `json:"kind"`
	Client string `json:"client,omitempty"` // its name
	File   string `json:"file,omitempty"`
	Reason string `json:"reason"`
}

// Counts say what became of what was found.
type Counts struct {
	Found   int `json:"found"`
	Taken   int `json:"taken"`   // over, by this run
	Present int `json:"present"` // already, from an earlier run
}

// A Report is what a run did, for a person to check. It names clients by their
// names; ids and keys are secret.
type Report struct {
	DryRun  bool      `json:"dry_run"`
	Whole   bool      `json:"whole"` // false: it could not continue, and more was to come
	Clients Counts    `json:"clients"`
	Files   Counts    `json:"files"`
	Bytes   int64     `json:"bytes"` // plaintext of the files taken
	LeftOut []Finding `json:"left_out"`
}

func (r *Report) leaveOut(kind Kind, client, file, reason string) {
	r.LeftOut = append(r.LeftOut, Finding{kind, client, file, reason})
}

// Print writes the report as text.
func (r *Report) Print(w io.Writer) error {
	verb := "taken over"
	if r.DryRun {
		verb = "would be taken over"
	}
	fmt.Fprintf(w, "clients: %d found, %d %s, %d here already\n", r.Clients.Found, r.Clients.Taken, verb, r.Clients.Present)
	fmt.Fprintf(w, "files:   %d recorded, %d %s (%d bytes), %d here already\n", r.Files.Found, r.Files.Taken, verb, r.Bytes, r.Files.Present)
	if !r.Whole {
		fmt.Fprintln(w, "it stopped before the end: run it again")
	}
	if len(r.LeftOut) == 0 && r.Whole {
		_, err := fmt.Fprintln(w, "nothing was left out")
		return err
	}
	fmt.Fprintf(w, "left out: %d\n", len(r.LeftOut))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range r.LeftOut {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", f.Kind, dash(f.Client), dash(f.File), f.Reason)
	}
	return t.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
