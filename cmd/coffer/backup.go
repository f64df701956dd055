package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"coffer/backup"
	"coffer/internal/program"
	"coffer/internal/quantity"
	"coffer/protocol"
)

type backupCommand struct {
	Paths   []string `arg:"" optional:"" name:"path" type:"filename" help:"Files and folders to back up, or - for standard input."`
	Name    string   `help:"Name of the backup (default: the name of the file or folder)."`
	NoSeal  bool     `name:"no-seal" help:"Do not encrypt: the server can read the backup. Sends one file or folder as a whole."`
	Archive bool     `help:"Send one file or folder as a whole, encrypted, instead of a snapshot: the web client can open it."`
	Adopt   bool     `help:"Use the name for this source, even if it belonged to another source or machine."`

	scanFlags
	StdinFromCommand bool           `help:"Back up the output of a command: coffer backup --name db --stdin-from-command -- pg_dump db. Nothing is kept if the command fails."`
	Tag              []string       `placeholder:"TAG" help:"Mark the snapshot with a tag. Repeatable."`
	DryRun           bool           `short:"n" help:"Send nothing; report what would be sent. With --verbose, list it."`
	Verbose          bool           `short:"v" help:"List what is new or changed, and what is left out by which rule."`
	Force            bool           `help:"Read every file, even if it looks unchanged."`
	IgnoreInode      bool           `help:"Ignore inode numbers when looking for changed files, for file systems that do not keep them."`
	IgnoreCTime      bool           `name:"ignore-ctime" help:"Ignore change times when looking for changed files."`
	LimitUpload      quantity.Bytes `placeholder:"SIZE" help:"Send at most this many bytes per second, such as 2MiB."`
}

// Validate checks what flags mean together.
func (c *backupCommand) Validate() error {
	switch {
	case len(c.Paths) == 0 && c.StdinFromCommand:
		return errors.New("--stdin-from-command needs the command after --")
	case len(c.Paths) == 0 && len(c.FilesFrom) == 0:
		return errors.New("nothing to back up: name a file or folder")
	case c.NoSeal && c.Archive:
		return errors.New("--no-seal and --archive exclude each other: --archive encrypts")
	case (c.NoSeal || c.Archive) && c.needsSnapshot():
		return errors.New("--no-seal and --archive send one file or folder as a whole: they exclude several paths and the flags of snapshots")
	case !c.StdinFromCommand && len(c.Paths) > 1 && slices.Contains(c.Paths, "-"):
		return errors.New("- stands alone: standard input cannot be combined with paths")
	}
	return nil
}

// needsSnapshot reports whether only a snapshot can be what the command line
// asks for.
func (c *backupCommand) needsSnapshot() bool {
	return c.any() || len(c.Paths) > 1 || c.StdinFromCommand || len(c.Tag) > 0 || c.DryRun || c.Verbose ||
		c.Force || c.IgnoreInode || c.IgnoreCTime || c.LimitUpload > 0
}

func (c *backupCommand) Run(a *app) error {
	switch {
	case c.Name != "":
		if err := checkName(c.Name); err != nil {
			return err
		}
	case c.stream() || len(c.Paths) != 1:
		what := "several paths need"
		if c.stream() {
			what = "standard input needs"
		}
		return fmt.Errorf("%w: %s --name", program.ErrUsage, what)
	default:
		var err error
		if c.Name, err = nameFor(c.Paths[0]); err != nil {
			return err
		}
	}
	if !c.stream() {
		for _, path := range c.Paths {
			if _, err := os.Stat(path); err != nil {
				return err
			}
		}
	}
	u, err := a.openSender()
	if err != nil {
		return err
	}
	defer u.session.Close()
	if u.profile.sendOnly() && (c.NoSeal || c.Archive) {
		return fmt.Errorf("%w: a send-only machine makes snapshots: leave out --archive and --no-seal", program.ErrUsage)
	}
	if !c.NoSeal && !c.Archive {
		return c.snapshot(a, u)
	}
	return c.whole(a, u)
}

// whole sends one file or folder as a whole.
func (c *backupCommand) whole(a *app, u *user) error {
	source, err := c.source(a)
	if err != nil {
		return err
	}
	origin, err := c.origin()
	if err != nil {
		return err
	}
	bar := program.NewBar(a.stderr, a.quiet)
	opts := backup.Options{Identity: u.identity, Progress: bar.Show, Memory: u.memory, Origin: origin, Adopt: c.Adopt,
		Skipped: func(path, reason string) {
			bar.Clear()
			fmt.Fprintf(a.stderr, "coffer: left out %s: %s\n", quoted(path), reason)
		},
		Changed: func(path, how string) {
			bar.Clear()
			fmt.Fprintf(a.stderr, "coffer: changed %s: %s\n", quoted(path), how)
		},
		NotKept: func(kind, path string) {
			bar.Clear()
			fmt.Fprintf(a.stderr, "coffer: not kept: %s (first seen at %s)\n", kind, quoted(path))
		}}
	if c.NoSeal {
		opts.Identity = nil
	}
	result, err := backup.Backup(a.ctx, u.session, c.Name, source, opts)
	bar.Clear()
	if err != nil {
		return err
	}
	a.remembers(result.Unremembered)
	if result.Version <= result.Before && !c.Adopt {
		fmt.Fprintf(a.stderr, "coffer: this is version %d, but this machine has seen version %d: newer versions were removed elsewhere, or the server lost them\n",
			result.Version, result.Before)
	}
	if a.json {
		err = a.printJSON(struct {
			Name     string `json:"name"`
			Version  uint32 `json:"version"`
			Size     uint64 `json:"size"`
			Stored   uint64 `json:"stored_size"`
			Cksum    uint32 `json:"cksum"`
			Verified bool   `json:"verified"`
			Sealed   bool   `json:"sealed"`
			Kind     string `json:"kind"`
			LeftOut  int    `json:"left_out"`
			Changed  int    `json:"changed"`
		}{result.Name, result.Version, result.Size, result.Stored, result.Cksum, true, backup.IsSealed(result.Format), kind(result.Format), result.Skipped, result.Changed})
	} else {
		_, err = fmt.Fprintf(a.stdout, "backed up %s as %s, version %d: %s, %s stored, cksum %s, verified\n",
			program.Printable(c.Paths[0]), result.Name, result.Version, program.Size(result.Size), program.Size(result.Stored), program.Checksum(result.Cksum))
	}
	if err == nil && result.Skipped+result.Changed > 0 {
		err = leftOut(result.Skipped, result.Changed)
	}
	return err
}

// leftOut says how many were left out, and how many changed; one of them is not
// 0.
func leftOut(skipped, changed int) error {
	var parts []string
	if skipped > 0 {
		parts = append(parts, fmt.Sprintf("%d left out", skipped))
	}
	if changed > 0 {
		parts = append(parts, fmt.Sprintf("%d changed during the backup", changed))
	}
	return incomplete(strings.Join(parts, ", ") + "; everything else is backed up")
}

func (c *backupCommand) source(a *app) (backup.Source, error) {
	if c.Paths[0] != "-" {
		return backup.Path(c.Paths[0])
	}
	if program.Closed(a.stdin) {
		return backup.Source{}, errors.New("standard input is closed: nothing to back up")
	}
	return backup.Stream(interruptible(a.ctx, a.stdin)), nil
}

// checkName refuses a name that the server would, and one that has empty parts,
// which no path here has.
func checkName(name string) error {
	err := protocol.CheckName(name)
	if err == nil && path.Clean(name) != name {
		err = errors.New("it has an empty part: separate names with single slashes")
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: it cannot be called %q on the server: %w", program.ErrUsage, name, err)
}

// nameFor is what a file or folder is called on the server: its last name, with
// its accents in the letters. Disks of macOS have them apart, which the server
// refuses, and other machines could not type.
func nameFor(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	name := filepath.Base(abs)
	if !utf8.ValidString(name) {
		return "", fmt.Errorf("%w: the name %q is not valid UTF-8: choose another with --name", program.ErrUsage, name)
	}
	name = norm.NFC.String(name)
	if err := checkName(name); err != nil {
		return "", fmt.Errorf("%w (--name chooses another name)", err)
	}
	return name, nil
}

// origin is what the name will mean: this machine, and where the source is on
// it.
func (c *backupCommand) origin() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("get the host name: %w", err)
	}
	if c.stream() {
		return "standard input on " + host, nil
	}
	if len(c.Paths) != 1 || len(c.FilesFrom) > 0 {
		// Which paths there are may change from time to time: what stays is the name.
		return host + ": several paths", nil
	}
	path, err := filepath.Abs(c.Paths[0])
	if err != nil {
		return "", err
	}
	// What a folder is reached by may be a link; the last part may be one that
	// its owner lets lead elsewhere from time to time.
	if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(folder, filepath.Base(path))
	}
	if !utf8.ValidString(path) {
		path = strconv.Quote(path)
	}
	return host + ":" + path, nil
}

// interruptible reads r until ctx ends. A read that hangs in the system then
// stays behind until the process ends: nothing can call it back.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	pr, pw := io.Pipe()
	context.AfterFunc(ctx, func() { pr.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.CopyBuffer(pw, onlyReader{r}, make([]byte, 256<<10))
		pw.CloseWithError(err)
	}()
	return pr
}

// onlyReader hides WriteTo, which would choose its own buffer.
type onlyReader struct{ io.Reader }
