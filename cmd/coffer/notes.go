package main

import (
	"errors"
	"fmt"
	"strconv"
	"unicode"

	"coffer/backup"
	"coffer/client"
	"coffer/export"
	"coffer/internal/program"
	"coffer/protocol"
)

// errClosedOutput: what the command is for would be lost.
var errClosedOutput = errors.New("standard output is closed, or is a null device opened for reading too: use a file, a pipe or >/dev/null")

// needOutput fails if what a command prints, which is all that it is for, would
// be lost.
func (a *app) needOutput() error {
	if program.Closed(a.stdout) {
		return errClosedOutput
	}
	return nil
}

// incomplete says what a command that did its work had to leave out or change.
type incomplete string

func (e incomplete) Error() string { return string(e) }

func (e incomplete) Unwrap() error { return program.ErrIncomplete }

// mostNotes is how many notes about one command's work are printed: what an
// archive is made of may be somebody else's idea.
const mostNotes = 20

// notes prints what is kept otherwise than it was.
type notes struct {
	a    *app
	kept string // what was done with it: "restored"
	n    int
}

func (n *notes) add(path, how string) {
	if n.n++; n.n <= mostNotes {
		fmt.Fprintf(n.a.stderr, "coffer: %s %s %s\n", n.kept, quoted(path), how)
	}
}

// incomplete is the error that says how many there were, nil if there were
// none.
func (n *notes) incomplete() error {
	if n.n == 0 {
		return nil
	}
	return incomplete(fmt.Sprintf("%d %s with fewer permissions than before (--trust restores them fully)", n.n, n.kept))
}

// quoted is a path as a terminal may be shown it, and as a person can read it.
func quoted(path string) string {
	for _, r := range path {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return strconv.Quote(path)
		}
	}
	return `"` + path + `"`
}

// noBackup is what every command says of a name, or a version of it, that is
// not on the server.
func noBackup(name string, version uint32) error {
	if version > 0 {
		return fmt.Errorf("no version %d of backup %q", version, name)
	}
	return fmt.Errorf("no backup is named %q", name)
}

// about says what was being done with a backup when err came.
func about(doing, name string, version uint32, err error) error {
	if !errors.Is(err, backup.ErrMissing) && (client.IsStatus(err, protocol.StatusNotFound) || errors.Is(err, export.ErrNoFile)) {
		return noBackup(name, version)
	}
	return fmt.Errorf("%s %s: %w", doing, name, err)
}
