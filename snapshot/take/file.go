package take

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"coffer/internal/fileattr"
	"coffer/snapshot"
	"coffer/snapshot/cut"
	"coffer/snapshot/scan"
)

// A file is an open regular file.
type file interface {
	io.ReadSeekCloser
	Stat() (os.FileInfo, error)
}

// A job is a file whose content is read. One goroutine works on it, and then
// the assembler has it.
type job struct {
	path    string
	f       file
	entry   snapshot.Entry
	sparse  bool
	kernel  bool // its size is known when it has been read
	began   time.Time
	content []*ref
	failed  error // it is left out because of this
	anew    bool  // read again next time
	how     How
	counted uint64 // bytes
	done    chan struct{}

	mu sync.Mutex // held to change content while its chunks are worked on
}

// patience is how long a read may take of what poses as a regular file and
// waits for something to happen, as files of the kernel's do.
const patience = 2 * time.Second

// maxKernel bounds what is read of a file that the kernel makes as it is read.
const maxKernel = 8 << 20

// work reads the content of files until there are no more.
func (r *run) work(ctx context.Context) error {
	w := &worker{run: r, cuts: r.cutter.NewReader(nil)}
	for {
		select {
		case j, ok := <-r.jobs:
			if !ok {
				return nil
			}
			err := w.file(ctx, j)
			j.f.Close()
			close(j.done)
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// A worker reads one file after another.
type worker struct {
	run   *run
	cuts  *cut.Reader
	chunk []byte
	frame []byte
}

// file reads a file and what it has beside content. Its error is none of the
// file's.
func (w *worker) file(ctx context.Context, j *job) error {
	if f, ok := j.f.(*os.File); ok {
		attributes, err := fileattr.Attributes(f)
		if err != nil {
			j.entry.Error = err.Error()
			j.anew = true
		}
		j.entry.Xattrs = xattrs(attributes)
		if j.sparse {
			j.entry.Holes = holes(f, j.entry.Size)
		}
	}
	src := newSource(j)
	if err := w.content(ctx, j, src, j.entry.Size); err != nil {
		if src.err == nil {
			return err
		}
		j.failed = src.err
		return nil
	}
	after, err := j.f.Stat()
	if err != nil {
		j.failed = err
		return nil
	}
	src.settle(j)
	if stat := scan.StatOf(after); !j.kernel && (j.entry.Changed || stat.MTime != j.entry.MTime || stat.CTime != j.entry.CTime || stat.Size != j.entry.Size) {
		j.entry.Changed, j.anew = true, true
	}
	return nil
}

// content cuts what src gives, and has the chunks packed that are new.
func (w *worker) content(ctx context.Context, j *job, src io.Reader, size uint64) error {
	if size == 0 && !j.kernel {
		return nil
	}
	r := w.run
	w.cuts.Reset(src)
	if size < cut.Min && !j.kernel {
		return w.small(j)
	}
	// Chunks of a large file are worked on side by side.
	group, ctx := errgroup.WithContext(ctx)
	for {
		buf := r.buffers.Get().(*chunkBuffer)
		chunk, err := w.cuts.Next(buf.chunk)
		if err != nil {
			r.buffers.Put(buf)
			if waitErr := group.Wait(); waitErr != nil {
				return waitErr
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		buf.chunk = chunk
		r.readBytes.Add(uint64(len(chunk)))
		at := j.room()
		select {
		case r.chunks <- struct{}{}:
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), group.Wait())
		}
		set := &chunkJob{run: r, job: j, at: at, buf: buf}
		group.Go(set.work)
		r.progress.at(j.path)
	}
}

// A chunkBuffer is room for a chunk and its frame.
type chunkBuffer struct{ chunk, frame []byte }

type chunkJob struct {
	run *run
	job *job
	at  int
	buf *chunkBuffer
}

func (c *chunkJob) work() error {
	ref, frame, err := c.run.keep(c.buf.chunk, c.buf.frame)
	c.buf.frame = frame
	<-c.run.chunks
	c.run.buffers.Put(c.buf)
	c.job.set(c.at, ref)
	return err
}

// room makes room for one more chunk.
func (j *job) room() (at int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.content = append(j.content, nil)
	return len(j.content) - 1
}

// set notes a chunk.
func (j *job) set(at int, r *ref) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.content[at] = r
}

// small reads a file that is one chunk.
func (w *worker) small(j *job) error {
	for {
		chunk, err := w.cuts.Next(w.chunk)
		if cap(chunk) > cap(w.chunk) {
			w.chunk = chunk
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		w.run.readBytes.Add(uint64(len(chunk)))
		ref, frame, err := w.run.keep(chunk, w.frame)
		w.frame = frame
		if err != nil {
			return err
		}
		j.content = append(j.content, ref)
		w.run.progress.at(j.path)
	}
}

// keep has a chunk packed if it is new.
func (r *run) keep(chunk, buf []byte) (*ref, []byte, error) {
	id := r.keys.Keys.ChunkID(snapshot.Data, chunk)
	ref, mine := r.data.claim(id)
	if !mine {
		return ref, buf, nil
	}
	frame := r.zstd.Compress(buf[:0], chunk)
	r.added.Add(uint64(len(chunk)))
	return ref, frame, r.data.add(ref, id, len(chunk), frame)
}

func xattrs(attributes []fileattr.Attribute) []snapshot.Xattr {
	var list []snapshot.Xattr
	for _, a := range attributes {
		list = append(list, snapshot.Xattr{Name: a.Name, Value: a.Value})
	}
	return list
}

// holes are those of a sparse file, the largest ones if there are too many.
func holes(f *os.File, size uint64) []snapshot.Extent {
	found := fileattr.Holes(f, int64(size))
	if len(found) > snapshot.MaxHoles {
		slices.SortFunc(found, func(a, b fileattr.Range) int { return int(min(max(b.Length-a.Length, -1), 1)) })
		found = found[:snapshot.MaxHoles]
		slices.SortFunc(found, func(a, b fileattr.Range) int { return int(min(max(a.Offset-b.Offset, -1), 1)) })
	}
	list := make([]snapshot.Extent, 0, len(found))
	for _, h := range found {
		list = append(list, snapshot.Extent{Offset: uint64(h.Offset), Length: uint64(h.Length)})
	}
	if len(list) == 0 {
		return nil
	}
	return list
}

// A source reads the content of a file without its holes, up to the size that
// it had when it was opened.
type source struct {
	f     file
	holes []snapshot.Extent // still to come
	at    uint64
	end   uint64
	data  uint64 // bytes that were read
	short bool   // the file ended before that
	err   error  // of reading
}

func newSource(j *job) *source {
	s := &source{f: j.f, holes: j.entry.Holes, end: j.entry.Size}
	if j.kernel {
		s.end = maxKernel + 1
	}
	return s
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func (s *source) read(p []byte) (int, error) {
	for len(s.holes) > 0 && s.at == s.holes[0].Offset {
		s.at += s.holes[0].Length
		s.holes = s.holes[1:]
		if _, err := s.f.Seek(int64(s.at), io.SeekStart); err != nil {
			return 0, err
		}
	}
	end := s.end
	if len(s.holes) > 0 {
		end = s.holes[0].Offset
	}
	if s.at >= end || s.short {
		return 0, io.EOF
	}
	if f, ok := s.f.(interface{ SetReadDeadline(time.Time) error }); ok && s.end > maxKernel {
		_ = f.SetReadDeadline(time.Now().Add(patience))
	}
	n, err := s.f.Read(p[:min(uint64(len(p)), end-s.at)])
	s.at += uint64(n)
	s.data += uint64(n)
	if errors.Is(err, io.EOF) {
		s.short = true
	}
	if n > 0 {
		err = nil
	}
	return n, err
}

// settle has the entry say what was read of the file.
func (s *source) settle(j *job) {
	e := &j.entry
	switch {
	case j.kernel && s.data > maxKernel:
		j.failed = fmt.Errorf("it belongs to the kernel and has more than %d bytes", maxKernel)
	case j.kernel:
		e.Size = s.data
		j.anew = true
	case s.short:
		var kept []snapshot.Extent
		for _, h := range e.Holes {
			if h.Offset+h.Length <= s.at {
				kept = append(kept, h)
			}
		}
		e.Holes, e.Size, e.Changed = kept, s.at, true
	}
}
