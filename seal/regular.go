package seal

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"coffer/internal/fileattr"
)

// patience is how long a read may take of what poses as a regular file and
// waits for an event, as the kernel's files do.
const patience = 2 * time.Second

// file writes a regular file: one look at it before it is read, one after.
func (a *archiver) file(e entry) error {
	f, info, err := openRegular(e)
	if errors.Is(err, errReplaced) {
		return err
	}
	if err != nil {
		a.skipped(e.path, reason(err))
		return nil
	}
	if first, ok := a.links.find(info, ""); ok {
		f.Close()
		header := a.header(e.path, info)
		header.Typeflag, header.Linkname = tar.TypeLink, first
		return a.writeHeader(header)
	}
	after, err := a.regular(f, e, info)
	if err != nil || after == nil {
		f.Close()
		return err
	}
	a.links.addFile(f, after, e.path)
	return nil
}

// regular writes the content of f, which was in the state of info when it was
// opened. It gives the file's state at the end, or nil if that is not known.
func (a *archiver) regular(f *os.File, e entry, info fs.FileInfo) (after fs.FileInfo, err error) {
	// What fits into memory is read before its size is written.
	n, ended, err := a.fill(f, info.Size(), e.kernel)
	switch {
	case a.ctx.Err() != nil:
		return nil, a.ctx.Err()
	case err != nil:
		a.skipped(e.path, reason(err))
		return nil, nil
	case e.kernel && !ended:
		a.skipped(e.path, fmt.Sprintf("it is a kernel file of more than %d bytes", n))
		return nil, nil
	}
	a.attributes(f, e.path)
	a.sparse(f, e.path, info)
	size := info.Size()
	if ended {
		size = int64(n)
	}
	header := a.header(e.path, info)
	header.Typeflag, header.Size = tar.TypeReg, size
	if err := a.writeHeader(header); err != nil {
		return nil, err
	}
	if err := a.write(e.path, a.buf[:n]); err != nil {
		return nil, err
	}
	broken, err := a.rest(f, e.path, size-int64(n))
	if err != nil {
		return nil, err
	}
	after, err = f.Stat()
	switch {
	case e.kernel:
		return nil, nil
	case err != nil:
		a.changed(e.path, "it can no longer be examined: "+reason(err))
		return nil, nil
	}
	if how := difference(info, after, size, broken); how != "" {
		a.changed(e.path, how)
		return nil, nil
	}
	return after, nil
}

// fill reads the beginning of f into a.buf, and reports whether that is all
// there is. all has it look for the end even where the size says it was
// reached.
func (a *archiver) fill(f *os.File, size int64, all bool) (n int, ended bool, err error) {
	for n < len(a.buf) {
		if int64(n) == size && size > 0 && !all {
			return n, true, nil
		}
		read, err := readPatiently(f, a.buf[n:])
		n += read
		if err == io.EOF {
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}
	}
	return n, size <= int64(n) && !all, nil
}

func readPatiently(f *os.File, p []byte) (int, error) {
	// An error says that f is a file like any other, whose reads cannot wait.
	_ = f.SetReadDeadline(time.Now().Add(patience))
	return f.Read(p)
}

// rest copies what follows the beginning of f, left bytes. What cannot be had
// is zeros; broken says where they begin, counted from the end, and why.
func (a *archiver) rest(f *os.File, path string, left int64) (broken *breakOff, err error) {
	for left > 0 {
		if err := a.ctx.Err(); err != nil {
			return nil, err
		}
		piece := a.buf[:min(left, copySize)]
		n := len(piece)
		if broken == nil {
			n, err = readPatiently(f, piece)
			if err != nil && n == 0 {
				broken = &breakOff{missing: left, err: err}
				clear(piece)
				n = len(piece)
			}
		}
		if err := a.write(path, piece[:n]); err != nil {
			return nil, err
		}
		left -= int64(n)
	}
	return broken, nil
}

// A breakOff is where the content of a file ended too early: io.EOF if it
// became shorter.
type breakOff struct {
	missing int64
	err     error
}

// write writes content of a file.
func (a *archiver) write(path string, content []byte) error {
	if _, err := a.tar.Write(content); err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	a.read += int64(len(content))
	if a.opts.Progress != nil && len(content) > 0 {
		a.opts.Progress(a.read)
	}
	return nil
}

// difference says how a file changed while size bytes of it were read, "" if
// it did not.
func difference(before, after fs.FileInfo, size int64, broken *breakOff) string {
	was, is := stateOf(before), stateOf(after)
	switch {
	case broken != nil && errors.Is(broken.err, io.EOF):
		return fmt.Sprintf("it shrank from %d bytes to %d while being read: the rest is stored as zeros", was.size, was.size-broken.missing)
	case broken != nil:
		return fmt.Sprintf("it cannot be read from byte %d on (%s): the rest is stored as zeros", was.size-broken.missing, reason(broken.err))
	case is.size > was.size:
		return fmt.Sprintf("it grew from %d bytes to %d while being read: %d are stored", was.size, is.size, size)
	case is.size < was.size:
		return fmt.Sprintf("it shrank from %d bytes to %d while being read: %d are stored", was.size, is.size, size)
	case size != is.size:
		return fmt.Sprintf("its reported size is %d bytes: the %d that could be read are stored", is.size, size)
	case is.written != was.written:
		return "it was modified while being read"
	case is.changed == was.changed:
		return ""
	case fileattr.IsGone(after):
		return "it was removed or replaced while being read: the original is stored"
	default:
		return "it was changed while being read"
	}
}

// reason is what an error says about a thing that was named already.
func reason(err error) string {
	var path *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return vanished
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "reading it would block"
	case errors.As(err, &path):
		return path.Err.Error()
	default:
		return err.Error()
	}
}

// OpenFile opens a regular file to be read, and nothing else: neither a pipe
// that has taken its place, nor a device.
func OpenFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|fileattr.OpenNonblock, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", path, errReplaced)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// A Watched file is one that may change while it is read.
type Watched struct {
	f      *os.File
	before fs.FileInfo
}

// Watch begins to watch a file.
func Watch(f *os.File) (*Watched, error) {
	info, err := f.Stat()
	return &Watched{f, info}, err
}

// Changed says how the file changed since Watch, "" if it did not; content
// reports that its content did for certain.
func (w *Watched) Changed() (how string, content bool, err error) {
	after, err := w.f.Stat()
	if err != nil {
		return "", false, err
	}
	was, is := stateOf(w.before), stateOf(after)
	return difference(w.before, after, is.size, nil), was.size != is.size || was.written != is.written, nil
}
