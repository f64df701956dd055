package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"coffer/backup"
	"coffer/internal/program"
	"coffer/internal/quantity"
	"coffer/snapshot/cache"
	"coffer/snapshot/mend"
	"coffer/snapshot/scan"
	"coffer/snapshot/take"
)

// scanFlags say what a snapshot leaves out.
type scanFlags struct {
	Exclude          []string       `sep:"none" placeholder:"PATTERN" help:"Leave out files and folders that match, such as '*.tmp', node_modules/ or /var/cache. A leading ! includes what matches again. Repeatable."`
	IExclude         []string       `name:"iexclude" sep:"none" placeholder:"PATTERN" help:"Like --exclude, ignoring case. Repeatable."`
	ExcludeFile      []string       `type:"filename" sep:"none" placeholder:"FILE" help:"Read patterns to leave out from a file, one per line. Repeatable."`
	ExcludeCaches    bool           `help:"Leave out the content of folders marked as caches by a CACHEDIR.TAG file."`
	ExcludeLarger    quantity.Bytes `name:"exclude-larger-than" placeholder:"SIZE" help:"Leave out files larger than this, such as 1GiB."`
	ExcludeIfPresent []string       `sep:"none" placeholder:"NAME[:TEXT]" help:"Leave out the content of folders that contain a file of this name, which begins with TEXT if given. Repeatable."`
	IgnoreFiles      bool           `help:"Leave out what .cofferignore files list for their folders."`
	OneFileSystem    bool           `short:"x" help:"Leave out other file systems mounted inside the folders."`
	FilesFrom        []string       `type:"filename" sep:"none" placeholder:"FILE" help:"Also back up the paths listed in a file, one per line or separated by zero bytes; - reads standard input. Repeatable."`
}

// rules are what the flags leave out, and how a person wrote them.
func (f *scanFlags) rules() (rules *scan.Rules, excludes []string, err error) {
	rules = new(scan.Rules)
	say := func(rule string) string {
		excludes = append(excludes, rule)
		return rule
	}
	for _, p := range f.Exclude {
		err = errors.Join(err, rules.Exclude(p, say("--exclude "+p), false))
	}
	for _, p := range f.IExclude {
		err = errors.Join(err, rules.Exclude(p, say("--iexclude "+p), true))
	}
	for _, file := range f.ExcludeFile {
		text, readErr := os.ReadFile(file)
		if readErr != nil {
			return nil, nil, readErr
		}
		say("--exclude-file " + file)
		err = errors.Join(err, rules.ExcludeLines(text, file))
	}
	if f.ExcludeCaches {
		say("--exclude-caches")
		rules.ExcludeCaches()
	}
	if f.ExcludeLarger > 0 {
		say("--exclude-larger-than " + f.ExcludeLarger.String())
		rules.ExcludeLarger(uint64(f.ExcludeLarger))
	}
	for _, tag := range f.ExcludeIfPresent {
		name, header, _ := strings.Cut(tag, ":")
		err = errors.Join(err, rules.ExcludeIfPresent(name, header, say("--exclude-if-present "+tag)))
	}
	if f.IgnoreFiles {
		say("--ignore-files")
		rules.ReadIgnoreFiles()
	}
	if f.OneFileSystem {
		say("--one-file-system")
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", program.ErrUsage, err)
	}
	return rules, excludes, err
}

// listed are the paths that files list.
func (f *scanFlags) listed(stdin io.Reader) (paths []string, err error) {
	for _, name := range f.FilesFrom {
		var text []byte
		if name == "-" {
			text, err = io.ReadAll(stdin)
		} else {
			text, err = os.ReadFile(name)
		}
		if err != nil {
			return nil, err
		}
		paths = append(paths, scan.ReadPaths(text)...)
	}
	return paths, nil
}

// any reports whether one of the flags is given.
func (f *scanFlags) any() bool {
	return len(f.Exclude)+len(f.IExclude)+len(f.ExcludeFile)+len(f.ExcludeIfPresent)+len(f.FilesFrom) > 0 ||
		f.ExcludeCaches || f.ExcludeLarger > 0 || f.IgnoreFiles || f.OneFileSystem
}

// taken is a snapshot that was made, as JSON.
type taken struct {
	Name       string     `json:"name"`
	Version    uint32     `json:"version,omitempty"` // 0: of a dry run
	Before     uint32     `json:"before,omitempty"`
	Kind       string     `json:"kind"` // "snapshot"
	Sealed     bool       `json:"sealed"`
	DryRun     bool       `json:"dry_run,omitempty"`
	New        uint64     `json:"new"`
	Changed    uint64     `json:"changed"`
	Unchanged  uint64     `json:"unchanged"`
	LeftOut    uint64     `json:"left_out"`
	Unsettled  uint64     `json:"changed_while_read"`
	Files      uint64     `json:"files"`
	Folders    uint64     `json:"folders"`
	Size       uint64     `json:"size"`
	Read       uint64     `json:"read"`
	Added      uint64     `json:"added"`
	Stored     uint64     `json:"stored_size"`
	Seconds    float64    `json:"seconds"`
	LeftOutAll []leftFile `json:"unreadable,omitempty"`
	Mended     []mendedIn `json:"mended,omitempty"`
}

type leftFile struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// snapshot makes a snapshot.
func (c *backupCommand) snapshot(a *app, u *user) error {
	rules, excludes, err := c.rules()
	if err != nil {
		return err
	}
	if err := checkLabel(c.Name); err != nil {
		return err
	}
	source, err := c.origin()
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("get the host name: %w", err)
	}
	snaps, err := u.snapshots(uint64(c.LimitUpload))
	if err != nil {
		return err
	}
	remembered, err := a.openCache(u)
	if err != nil {
		return err
	}
	defer remembered.Close()

	if !u.profile.sendOnly() { // which can read neither snapshots nor files
		if err := c.learn(a, snaps, u, remembered, source); err != nil {
			return err
		}
	}
	bar := program.NewBar(a.stderr, a.quiet)
	var left []leftFile
	opts := take.Options{
		Label: c.Name, Host: host, Source: source, Adopt: c.Adopt, Tags: c.Tag, Tool: "coffer " + version, Excludes: excludes,
		Force: c.Force, IgnoreInode: c.IgnoreInode, IgnoreCTime: c.IgnoreCTime, DryRun: c.DryRun,
		Scan: scan.Options{Rules: rules, OneFileSystem: c.OneFileSystem, Skipped: func(path, reason string) {
			bar.Clear()
			fmt.Fprintf(a.stderr, "coffer: left out %s: %s\n", quoted(path), reason)
			left = append(left, leftFile{path, reason})
		}},
		Changed: func(path string) {
			bar.Clear()
			fmt.Fprintf(a.stderr, "coffer: changed %s: it was changed while it was read\n", quoted(path))
		},
		Progress: func(p take.Progress) { bar.ShowFiles(p.Path, p.Files, p.Bytes, p.BytesBefore) },
	}
	if c.Verbose {
		opts.Scan.Excluded = func(path, rule string) { c.say(a, bar, "excluded", path, " ("+rule+")") }
		opts.Visited = func(path string, how take.How) {
			switch how {
			case take.New:
				c.say(a, bar, "new", path, "")
			case take.Modified:
				c.say(a, bar, "changed", path, "")
			}
		}
	}
	result, err := c.take(a, snaps, u, func() (take.Result, error) {
		if c.stream() {
			content, wait, err := c.content(a)
			if err != nil {
				return take.Result{}, err
			}
			defer wait()
			return take.Stream(a.ctx, snaps.repo, snaps.forTaking(), remembered, c.streamName(), content, opts)
		}
		paths, err := c.listed(a.stdin)
		if err != nil {
			return take.Result{}, err
		}
		sources, err := scan.NewSources(slices.Concat(c.Paths, paths)...)
		if err != nil {
			return take.Result{}, err
		}
		return take.Folder(a.ctx, snaps.repo, snaps.forTaking(), remembered, sources, opts)
	})
	bar.Clear()
	if err != nil {
		return err
	}
	if result.CacheErr != nil {
		fmt.Fprintf(a.stderr, "coffer: %s: the next backup takes longer\n", program.Printable(result.CacheErr.Error()))
	}
	var mended []mend.Version
	if !c.DryRun && !u.profile.sendOnly() {
		if mended, err = mend.Snapshots(a.ctx, snaps.repo, mend.Keys{Keys: snaps.forReading(), Recipient: snaps.to}, remembered); err != nil {
			// The snapshot is whole; what is not mended now the next backup mends.
			fmt.Fprintf(a.stderr, "coffer: older snapshots could not be mended: %s: the next backup tries again\n", program.Printable(err.Error()))
		}
	}
	if err := c.report(a, result, left, mended); err != nil {
		return err
	}
	if result.Unreadable+result.Unsettled > 0 {
		return leftOut(int(result.Unreadable), int(result.Unsettled))
	}
	return nil
}

// learn has the cache know what it can of what is there, and refuses a name that
// stands for something else.
func (c *backupCommand) learn(a *app, snaps *snapshots, u *user, remembered *cache.Cache, source string) error {
	if err := snaps.learn(a, remembered, c.Name); err != nil {
		return err
	}
	if _, has := remembered.Snapshot(snaps.keys.WireName(c.Name)); has || c.Adopt {
		return nil
	}
	return backup.CheckSource(a.ctx, u.session, c.Name, u.memory, source)
}

// take makes a snapshot, unless the newest one is older than what this machine
// has seen.
func (c *backupCommand) take(a *app, snaps *snapshots, u *user, make func() (take.Result, error)) (take.Result, error) {
	result, err := make()
	if err != nil || c.DryRun {
		return result, err
	}
	before, err := u.memory.seeSnapshot(snaps.keys.WireName(c.Name), c.Name, result.Version, result.Manifest)
	a.remembers(err)
	if before > result.Before && !c.Adopt {
		fmt.Fprintf(a.stderr, "coffer: this is version %d, but this machine has seen version %d: newer versions were removed elsewhere, or the server lost them\n",
			result.Version, before)
	}
	return result, nil
}

func (c *backupCommand) say(a *app, bar *program.Bar, what, path, more string) {
	bar.Clear()
	out := a.stdout
	if a.json {
		out = a.stderr
	}
	fmt.Fprintf(out, "%-9s %s%s\n", what, quoted(path), more)
}

// report prints what was made.
func (c *backupCommand) report(a *app, r take.Result, left []leftFile, mended []mend.Version) error {
	seconds := r.End.Sub(r.Start).Seconds()
	if a.json {
		return a.printJSON(taken{
			Name: r.Label, Version: r.Version, Before: r.Before, Kind: "snapshot", Sealed: true, DryRun: c.DryRun,
			New: r.New, Changed: r.Changed, Unchanged: r.Unchanged, LeftOut: r.Unreadable, Unsettled: r.Unsettled,
			Files: r.Files, Folders: r.Dirs, Size: r.Bytes, Read: r.Read, Added: r.Added, Stored: r.Stored, Seconds: seconds, LeftOutAll: left, Mended: mendedVersions(mended),
		})
	}
	done := fmt.Sprintf("backed up %s, version %d", program.Printable(r.Label), r.Version)
	if c.DryRun {
		done = fmt.Sprintf("would back up %s", program.Printable(r.Label))
	}
	_, err := fmt.Fprintf(a.stdout, "%s: %s, %s\nfiles: %d new, %d changed, %d unchanged, %d left out\ndata: %s read, %s added, %s stored in %s\n",
		done, program.Count(r.Files, "file", "files"), program.Size(r.Bytes), r.New, r.Changed, r.Unchanged, r.Unreadable,
		program.Size(r.Read), program.Size(r.Added), program.Size(r.Stored), (time.Duration(seconds * float64(time.Second))).Round(10*time.Millisecond))
	if err != nil {
		return err
	}
	return printMended(a.stdout, mended)
}

// stream reports whether what is backed up comes from a program.
func (c *backupCommand) stream() bool {
	return c.StdinFromCommand || len(c.Paths) == 1 && c.Paths[0] == "-"
}

// streamName is what the content of a stream is called in its snapshot.
func (c *backupCommand) streamName() string {
	parts := strings.Split(c.Name, "/")
	return parts[len(parts)-1]
}

// content is what a stream is read from: standard input, or what a command
// prints. A command that fails has the reader fail.
func (c *backupCommand) content(a *app) (content io.Reader, wait func(), err error) {
	if !c.StdinFromCommand {
		if program.Closed(a.stdin) {
			return nil, nil, errors.New("standard input is closed: nothing to back up")
		}
		return interruptible(a.ctx, a.stdin), func() {}, nil
	}
	ctx, cancel := context.WithCancel(a.ctx)
	cmd := exec.CommandContext(ctx, c.Paths[0], c.Paths[1:]...)
	cmd.Stderr, cmd.WaitDelay = a.stderr, 5*time.Second
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, nil, fmt.Errorf("run %s: %w", c.Paths[0], err)
	}
	r := &commandReader{pipe: pipe, cmd: cmd}
	return r, func() { cancel(); r.wait() }, nil
}

// A commandReader is what a command prints. Its end is one only if the command
// succeeded.
type commandReader struct {
	pipe   io.Reader
	cmd    *exec.Cmd
	waited bool
	err    error
}

func (r *commandReader) Read(p []byte) (int, error) {
	n, err := r.pipe.Read(p)
	if !errors.Is(err, io.EOF) || n > 0 {
		return n, err
	}
	if err := r.wait(); err != nil {
		return 0, fmt.Errorf("the command failed, and nothing is kept of what it printed: %w", err)
	}
	return 0, io.EOF
}

func (r *commandReader) wait() error {
	if !r.waited {
		r.waited, r.err = true, r.cmd.Wait()
	}
	return r.err
}
