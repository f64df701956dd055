package backup

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"coffer/protocol"
	"coffer/seal"
)

// A Source is what is to be backed up: a file, a folder or a stream.
type Source struct {
	path   string // of a file or folder
	folder bool
	stream io.Reader // if not nil: of unknown length, read once
}

// Stream is a source of unknown length that can be read only once.
func Stream(r io.Reader) Source { return Source{stream: r} }

// Path is the file or folder at path. Anything else is refused: a pipe is a
// [Stream] for whoever opens it.
func Path(path string) (Source, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return Source{}, err
	case info.IsDir():
		return Source{path: path, folder: true}, nil
	case info.Mode().IsRegular():
		return Source{path: path}, nil
	}
	return Source{}, fmt.Errorf("%s is neither a file nor a folder", path)
}

// Repeatable reports whether the source can be read a second time.
func (s Source) Repeatable() bool { return s.stream == nil }

// format is what the source becomes on the server.
func (s Source) format(sealed bool) protocol.Format {
	switch {
	case s.folder && sealed:
		return protocol.FormatSealedFolder
	case s.folder:
		return protocol.FormatFolder
	case sealed:
		return protocol.FormatSealedFile
	}
	return protocol.FormatFile
}

// size is how many bytes there are to read, -1 if nobody knows.
func (s Source) size(ctx context.Context) (int64, error) {
	switch {
	case s.stream != nil:
		return -1, nil
	case s.folder:
		_, size, err := seal.Measure(ctx, s.path)
		return size, err
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// copyBuffer is how much of a source is read at once, in bytes.
const copyBuffer = 256 << 10

// writeTo reads the source to its end, as the one stream that is backed up
// before it is sealed. size is the result of size; opts receives and counts
// reports.
func (s Source) writeTo(ctx context.Context, w io.Writer, size int64, opts Options) (read int64, err error) {
	switch {
	case s.stream != nil:
		return copyAll(ctx, w, s.stream, -1, opts)
	case s.folder:
		return s.folderTo(ctx, w, size, opts)
	}
	f, err := seal.OpenFile(s.path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	watch, err := seal.Watch(f)
	if err != nil {
		return 0, err
	}
	read, err = copyAll(ctx, w, f, size, opts)
	if err != nil {
		return read, err
	}
	how, content, err := watch.Changed()
	switch {
	case err != nil:
		return read, err
	case read != size || content:
		return read, fmt.Errorf("%s: %w", s.path, ErrChanged)
	case how != "":
		opts.Changed(s.path, how)
	}
	return read, nil
}

func (s Source) folderTo(ctx context.Context, w io.Writer, size int64, opts Options) (read int64, err error) {
	root, err := filepath.Abs(s.path)
	if err != nil {
		return 0, err
	}
	full := func(path string) string { return filepath.Join(root, filepath.FromSlash(path)) }
	err = seal.Archive(ctx, s.path, w, seal.ArchiveOptions{
		Skipped: func(path, reason string) { opts.Skipped(full(path), reason) },
		Changed: func(path, how string) { opts.Changed(full(path), how) },
		NotKept: func(kind, path string) {
			if opts.NotKept != nil {
				opts.NotKept(kind, full(path))
			}
		},
		Progress: func(n int64) {
			read = n
			opts.Progress.report(Sending, n, size)
		},
	})
	return read, err
}

func copyAll(ctx context.Context, w io.Writer, r io.Reader, size int64, opts Options) (read int64, err error) {
	buf := make([]byte, copyBuffer)
	for {
		if err := ctx.Err(); err != nil {
			return read, err
		}
		n, err := r.Read(buf)
		if n > 0 {
			if size >= 0 && read+int64(n) > size {
				return read, ErrChanged // more than was announced; the server would refuse it
			}
			if _, err := w.Write(buf[:n]); err != nil {
				return read, err
			}
			read += int64(n)
			opts.Progress.report(Sending, read, size)
		}
		if err == io.EOF {
			return read, nil
		}
		if err != nil {
			return read, fmt.Errorf("read the source: %w", err)
		}
	}
}
