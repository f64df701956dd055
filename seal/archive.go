package seal

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/klauspost/compress/zstd"

	"coffer/internal/fileattr"
)

// copySize is how much of a file is read or written at once, in bytes.
const copySize = 128 << 10

// windowSize bounds how far back zstd looks, and with it the memory that an
// archive takes on both sides, in bytes.
const windowSize = 4 << 20

// ArchiveOptions are what a caller may want to hear while a folder is read. Its
// functions are called by the goroutine that called [Archive]; nil is allowed.
// Paths are relative to the folder, with slashes; "." is the folder itself.
type ArchiveOptions struct {
	// Progress receives the bytes of file content read so far; the last value
	// is the result of [Measure], unless the folder changes.
	Progress func(read int64)
	// Skipped receives what is left out and why: what cannot be read, sockets,
	// devices and named pipes, virtual file systems of the kernel, and what
	// vanished before it could be read.
	Skipped func(path, reason string)
	// Changed receives files that changed while they were read, and how: they
	// are kept, but may mix two states.
	Changed func(path, how string)
	// NotKept receives, once for each kind, what no archive keeps: extended
	// attributes, access lists and the like.
	NotKept func(kind, path string)
}

// Archive writes the folder root to w as one tar archive (PAX) compressed with
// zstd, which [Unpack] and "tar --zstd -x" read. Entries are sorted by name, so
// that the same tree gives the same bytes. Kept are modes, times to the
// nanosecond, owners, symbolic links as they are, hard links inside the folder
// (on Unix), empty folders and the folder's own mode and time. Access lists and
// extended attributes are not.
//
// Nothing in the folder but the folder itself can make it fail: what cannot be
// read is left out. A file that grows while it is read is cut at the size it
// had when it was opened; one that shrinks, or breaks off, is filled up with
// zeros, for its size was written by then; in both cases Changed is called.
// After an error w holds no complete archive. Memory does not grow with the
// size of files; a record is kept for each file that has more than one name.
func Archive(ctx context.Context, root string, w io.Writer, opts ArchiveOptions) error {
	if err := archive(ctx, root, w, opts); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

func archive(ctx context.Context, root string, w io.Writer, opts ArchiveOptions) error {
	// At a concurrency of one the encoder starts no goroutines.
	compressed, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(windowSize))
	if err != nil {
		return err
	}
	a := &archiver{
		ctx:      ctx,
		opts:     opts,
		tar:      tar.NewWriter(compressed),
		accounts: fileattr.NewAccounts(),
		buf:      make([]byte, copySize),
	}
	defer a.links.close()
	walker := walker{visit: a.add, skipped: a.skipped}
	if err := walker.walk(ctx, root); err != nil {
		return err
	}
	if err := a.tar.Close(); err != nil {
		return fmt.Errorf("write the end: %w", err)
	}
	if err := compressed.Close(); err != nil {
		return fmt.Errorf("write the end: %w", err)
	}
	return nil
}

// archiver writes the entries of one archive.
type archiver struct {
	ctx  context.Context
	opts ArchiveOptions
	tar  *tar.Writer

	links    links
	accounts *fileattr.Accounts
	notKept  map[string]bool // kinds that were reported
	read     int64
	buf      []byte
}

func (a *archiver) skipped(path, reason string) {
	if a.opts.Skipped != nil {
		a.opts.Skipped(path, reason)
	}
}

func (a *archiver) changed(path, how string) {
	if a.opts.Changed != nil {
		a.opts.Changed(path, how)
	}
}

// lose reports something that no archive keeps.
func (a *archiver) lose(kind, path string) {
	if a.notKept[kind] {
		return
	}
	if a.notKept == nil {
		a.notKept = map[string]bool{}
	}
	a.notKept[kind] = true
	if a.opts.NotKept != nil {
		a.opts.NotKept(kind, path)
	}
}

// add writes one entry. Its error is one of writing, or errReplaced before
// anything was written.
func (a *archiver) add(e entry) error {
	switch kind := e.info.Mode().Type(); kind {
	case fs.ModeDir:
		return a.folder(e)
	case fs.ModeSymlink:
		return a.symlink(e)
	case 0:
		return a.file(e)
	default:
		a.skipped(e.path, "it is "+describe(kind))
		return nil
	}
}

func describe(kind fs.FileMode) string {
	switch {
	case kind&fs.ModeSocket != 0:
		return "a socket"
	case kind&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case kind&fs.ModeDevice != 0:
		return "a device"
	default:
		return "not a file, folder or link"
	}
}

func (a *archiver) folder(e entry) error {
	a.attributes(e.open, e.path)
	header := a.header(e.path+"/", e.info)
	header.Typeflag = tar.TypeDir
	return a.writeHeader(header)
}

func (a *archiver) symlink(e entry) error {
	target, err := e.dir.Readlink(e.name)
	if errors.Is(err, syscall.EINVAL) { // it is no link any more
		return errReplaced
	}
	if err != nil {
		a.skipped(e.path, reason(err))
		return nil
	}
	header := a.header(e.path, e.info)
	if first, ok := a.links.find(e.info, target); ok {
		header.Typeflag, header.Linkname = tar.TypeLink, first
		return a.writeHeader(header)
	}
	header.Typeflag, header.Linkname = tar.TypeSymlink, target
	a.links.addLink(e.info, e.path, target)
	return a.writeHeader(header)
}

// header describes what all kinds of entries have.
func (a *archiver) header(path string, info fs.FileInfo) *tar.Header {
	header := &tar.Header{
		Name:    path,
		Mode:    int64(fileattr.Mode(info.Mode())),
		ModTime: info.ModTime(),
		Format:  tar.FormatPAX, // without it times are rounded to seconds
	}
	if uid, gid, ok := fileattr.OwnerOf(info); ok {
		header.Uid, header.Gid = uid, gid
		header.Uname, header.Gname = a.accounts.Names(uid, gid)
	}
	return header
}

func (a *archiver) writeHeader(header *tar.Header) error {
	if err := a.tar.WriteHeader(header); err != nil {
		return fmt.Errorf("write %q: %w", header.Name, err)
	}
	return nil
}
