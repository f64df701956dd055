package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"sync/atomic"

	"coffer/store"
)

// writebackEvery is how many bytes gather before the kernel begins to write
// them, so that little is left for the sync at the end.
const writebackEvery = 8 << 20

const (
	contentSuffix = ".content"
	waitingSuffix = ".waiting"
	logSuffix     = ".log"
)

// A part is a store.Part of up to three files. They are made when something is
// first written to them, the log before the others.
type part struct {
	store   *Store
	id      store.UploadID
	log     *partLog
	content partFile
	waiting partFile
}

func (s *Store) newPart(id store.UploadID, log *partLog) *part {
	p := &part{store: s, id: id, log: log}
	p.content = partFile{handles: s.handles, root: s.root, name: partName(id, contentSuffix), before: log.begin, isContent: true}
	p.waiting = partFile{handles: s.handles, root: s.root, name: partName(id, waitingSuffix), before: log.begin}
	return p
}

func partName(id store.UploadID, suffix string) string {
	return path.Join(incomingDir, id.String()+suffix)
}

// NewPart begins a part for an upload. There is nothing on disk before the
// first write to it.
func (s *Store) NewPart(ctx context.Context, id store.UploadID, header []byte) (store.Part, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(header) > maxHeader {
		return nil, fmt.Errorf("begin a part: a header of %d bytes is too large", len(header))
	}
	if !s.hold(id) {
		return nil, fmt.Errorf("begin a part: upload %s has one", id)
	}
	header = append(make([]byte, 0, len(header)), header...) // not nil
	return s.newPart(id, &partLog{handles: s.handles, root: s.root, name: partName(id, logSuffix), header: header}), nil
}

// hold marks the part as in use, unless it is.
func (s *Store) hold(id store.UploadID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parts[id] {
		return false
	}
	s.parts[id] = true
	return true
}

func (s *Store) release(id store.UploadID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.parts, id)
}

// ID implements store.Part.
func (p *part) ID() store.UploadID { return p.id }

// Content implements store.Part.
func (p *part) Content() store.File { return &p.content }

// Waiting implements store.Part.
func (p *part) Waiting() store.File { return &p.waiting }

// Log implements store.Part.
func (p *part) Log(record []byte) error {
	if len(record) > maxRecord {
		return fmt.Errorf("log to a part: a record of %d bytes is too large", len(record))
	}
	if err := p.log.append(record, 0); err != nil {
		return fmt.Errorf("log to a part: %w", explain(err))
	}
	return nil
}

// Commit implements store.Part.
func (p *part) Commit(ctx context.Context, meta store.Metadata) (store.BlobRef, error) {
	ref, err := p.seal(ctx, meta)
	if err != nil {
		return "", fmt.Errorf("seal a part: %w", explain(err))
	}
	// The blob is stored, so this is no failure of Commit's: what it should
	// leave behind, Parts removes in the next run.
	_ = p.drop()
	return ref, nil
}

func (p *part) seal(ctx context.Context, meta store.Metadata) (store.BlobRef, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := p.content.cut(meta.Size); err != nil {
		return "", err
	}
	if err := p.log.append(nil, sealingFlag); err != nil {
		return "", err
	}
	if meta.Size <= store.SmallBlob && fitsRecord(&meta) {
		content := make([]byte, meta.Size)
		if n, err := p.content.ReadAt(content, 0); n < len(content) {
			return "", err
		}
		return p.store.packs.put(ctx, meta, content)
	}
	if err := p.content.sync(); err != nil {
		return "", err
	}
	if err := p.content.close(); err != nil {
		return "", err
	}
	at, err := p.store.storeLarge(p.content.name, &meta)
	if err != nil {
		return "", err
	}
	return at.ref(), nil
}

// Discard implements store.Part.
func (p *part) Discard() error {
	if err := p.drop(); err != nil {
		return fmt.Errorf("discard a part: %w", err)
	}
	return nil
}

// drop removes the part's files, the log last: what is there has one.
func (p *part) drop() error {
	defer p.store.release(p.id)
	err := p.Close()
	for _, name := range []string{p.content.name, p.waiting.name, p.log.name} {
		err = errors.Join(err, ifThere(p.store.root.Remove(name)))
	}
	return err
}

// Close implements store.Part.
func (p *part) Close() error {
	return errors.Join(p.content.close(), p.waiting.close(), p.log.close())
}

// A partFile is a store.File that is opened when it is used.
type partFile struct {
	handles   *handles
	used      atomic.Int64
	root      *os.Root
	name      string
	before    func() error // called before the file is made
	isContent bool         // it will be synced, Waiting never

	written atomic.Int64 // since the last writeback was started

	mu   sync.RWMutex // held for reading while file is used
	file *os.File     // nil while closed; guarded by mu
}

// with calls use with the open file. If it is not there, it is made if create
// says so, else fs.ErrNotExist is returned.
func (f *partFile) with(create bool, use func(*os.File) error) error {
	for {
		f.mu.RLock()
		if f.file != nil {
			defer f.mu.RUnlock()
			f.handles.use(&f.used)
			return use(f.file)
		}
		f.mu.RUnlock()
		if err := f.open(create); err != nil {
			return err
		}
	}
}

func (f *partFile) open(create bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		return nil
	}
	file, err := f.root.OpenFile(f.name, os.O_RDWR, 0)
	if create && errors.Is(err, fs.ErrNotExist) {
		if err := f.before(); err != nil {
			return err
		}
		file, err = f.root.OpenFile(f.name, os.O_RDWR|os.O_CREATE, fileMode)
	}
	if err != nil {
		return err
	}
	f.file = file
	f.handles.use(&f.used)
	f.handles.opened(f)
	return nil
}

// ReadAt implements io.ReaderAt.
func (f *partFile) ReadAt(b []byte, offset int64) (n int, err error) {
	err = f.with(false, func(file *os.File) (err error) {
		n, err = file.ReadAt(b, offset)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return 0, io.EOF
	}
	return n, err
}

// WriteAt implements io.WriterAt.
func (f *partFile) WriteAt(b []byte, offset int64) (n int, err error) {
	err = f.with(true, func(file *os.File) (err error) {
		n, err = file.WriteAt(b, offset)
		if f.isContent && f.written.Add(int64(n)) >= writebackEvery {
			f.written.Store(0)
			startWriteback(file)
		}
		return err
	})
	return n, explain(err)
}

// Truncate implements store.File.
func (f *partFile) Truncate(size int64) error {
	err := f.with(size > 0, func(file *os.File) error { return file.Truncate(size) })
	return explain(ifThere(err))
}

// cut drops what lies beyond size, and fails if there is less.
func (f *partFile) cut(size int64) error {
	return f.with(size == 0, func(file *os.File) error {
		info, err := file.Stat()
		switch {
		case err != nil:
			return err
		case info.Size() < size:
			return fmt.Errorf("it has %d of %d bytes: %w", info.Size(), size, io.ErrUnexpectedEOF)
		case info.Size() > size:
			return file.Truncate(size)
		}
		return nil
	})
}

func (f *partFile) sync() error {
	return f.with(false, func(file *os.File) error { return file.Sync() })
}

func (f *partFile) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	f.handles.closed(f)
	return err
}

func (f *partFile) lastUsed() int64 { return f.used.Load() }

// tryClose implements handle. What was written is the kernel's by then, and
// Commit syncs it by another handle as well.
func (f *partFile) tryClose() bool {
	if !f.mu.TryLock() {
		return false
	}
	defer f.mu.Unlock()
	if f.file != nil && f.file.Close() != nil {
		return false
	}
	f.file = nil
	return true
}
