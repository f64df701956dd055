package seal

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/klauspost/compress/zstd"
)

// copySize is how much of a file is read or written at once, in bytes.
const copySize = 128 << 10

// windowSize bounds how far back zstd looks, and with it the memory that an
// archive takes on both sides, in bytes.
const windowSize = 4 << 20

// ArchiveOptions are what a caller may want to hear while a folder is read.
// Both functions are called by the goroutine that called [Archive]; nil is
// allowed.
type ArchiveOptions struct {
	// Progress is told how many bytes of file content were read so far; it ends
	// at what [Measure] said, unless the folder changes.
	Progress func(read int64)
	// Skipped is told what is left out and why: sockets, devices and named
	// pipes, and what vanished before it could be read. The path is relative to
	// the folder, with slashes.
	Skipped func(path, reason string)
}

// Archive writes the folder root to w as one tar archive (PAX) compressed with
// zstd, which [Unpack] and "tar --zstd -x" read. Entries are sorted by name, so
// that the same tree gives the same bytes. Kept are modes, times to the
// nanosecond, owners, symbolic links as they are, hard links inside the folder
// (on Unix), empty folders and the folder's own mode and time. Access lists and
// extended attributes are not.
//
// A file that grows while it is read is cut at the size it had when it was
// opened; one that shrinks, or that cannot be read, is an error that names it.
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
		linked:   map[inode]string{},
		accounts: newAccounts(),
		buf:      make([]byte, copySize),
	}
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

	linked   map[inode]string // where a file with several names was written first
	accounts *accounts
	read     int64
	buf      []byte
}

func (a *archiver) skipped(path, reason string) {
	if a.opts.Skipped != nil {
		a.opts.Skipped(path, reason)
	}
}

// add writes one entry.
func (a *archiver) add(e entry) error {
	switch kind := e.info.Mode().Type(); kind {
	case fs.ModeDir:
		header := a.header(e.path+"/", e.info)
		header.Typeflag = tar.TypeDir
		return a.writeHeader(header)
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
		return "neither a file nor a folder nor a link"
	}
}

func (a *archiver) symlink(e entry) error {
	target, err := e.dir.Readlink(e.name)
	if errors.Is(err, fs.ErrNotExist) {
		a.skipped(e.path, vanished)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the link %q: %w", e.path, err)
	}
	header := a.header(e.path, e.info)
	if !a.hardLinked(header, e.info) {
		header.Typeflag = tar.TypeSymlink
		header.Linkname = target
	}
	return a.writeHeader(header)
}

func (a *archiver) file(e entry) error {
	f, info, err := openRegular(e)
	if errors.Is(err, fs.ErrNotExist) {
		a.skipped(e.path, vanished)
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %q: %w", e.path, err)
	}
	defer f.Close()

	header := a.header(e.path, info)
	if a.hardLinked(header, info) {
		return a.writeHeader(header)
	}
	header.Typeflag = tar.TypeReg
	header.Size = info.Size()
	if err := a.writeHeader(header); err != nil {
		return err
	}
	return a.content(f, e.path, info.Size())
}

// hardLinked makes the header that of a hard link if what it describes was
// written under another name, and else remembers it for its next name.
func (a *archiver) hardLinked(header *tar.Header, info fs.FileInfo) bool {
	id, shared := sharedInode(info)
	if !shared {
		return false
	}
	first, written := a.linked[id]
	if !written {
		a.linked[id] = header.Name
		return false
	}
	header.Typeflag = tar.TypeLink
	header.Linkname = first
	return true
}

// content writes exactly size bytes of f.
func (a *archiver) content(f *os.File, path string, size int64) error {
	for left := size; left > 0; {
		if err := a.ctx.Err(); err != nil {
			return err
		}
		n, err := f.Read(a.buf[:min(left, copySize)])
		if n > 0 {
			if _, err := a.tar.Write(a.buf[:n]); err != nil {
				return fmt.Errorf("write %q: %w", path, err)
			}
			left -= int64(n)
			a.read += int64(n)
			if a.opts.Progress != nil {
				a.opts.Progress(a.read)
			}
		}
		if err == io.EOF && left > 0 {
			return fmt.Errorf("read %q: it shrank from %d bytes to %d while it was read", path, size, size-left)
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("read %q: %w", path, err)
		}
	}
	return nil
}

// header describes what all kinds of entries have.
func (a *archiver) header(path string, info fs.FileInfo) *tar.Header {
	header := &tar.Header{
		Name:    path,
		Mode:    tarMode(info.Mode()),
		ModTime: info.ModTime(),
		Format:  tar.FormatPAX, // without it times are rounded to seconds
	}
	a.accounts.describe(header, info)
	return header
}

func (a *archiver) writeHeader(header *tar.Header) error {
	if err := a.tar.WriteHeader(header); err != nil {
		return fmt.Errorf("write %q: %w", header.Name, err)
	}
	return nil
}

// tarMode is a mode in tar's bits, which are those of POSIX.
func tarMode(mode fs.FileMode) int64 {
	bits := int64(mode.Perm())
	if mode&fs.ModeSetuid != 0 {
		bits |= 0o4000
	}
	if mode&fs.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if mode&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}
