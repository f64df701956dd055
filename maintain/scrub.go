package maintain

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/time/rate"

	"coffer/store"
)

// A Fault is what a scrub finds wrong with a blob.
type Fault string

// The faults. Only an orphan harms nobody.
const (
	FaultMissing Fault = "missing" // a version's blob is not there
	FaultDamaged Fault = "damaged" // it is not what was received
	FaultOrphan  Fault = "orphan"  // no version refers to it
)

// A Finding is one blob with a fault, and its owner.
type Finding struct {
	Fault  Fault
	Client store.Client // the zero Client if it is not known
	Name   string       // file name
	Number uint32       // version, 0 for an orphan
	Size   int64        // bytes of ciphertext
	Blob   store.BlobRef
	Detail string // for a person

	// Pack is the snapshots' pack that the blob is, zero if it is none. Name and
	// Number are then those of the first snapshot that needs it, and Needed is
	// how many do.
	Pack   store.PackID
	Needed int
}

// ScrubOptions change how a scrub goes about it. Zero fields are defaults.
type ScrubOptions struct {
	// Limit bounds how fast blobs are read; nil: as fast as it goes.
	Limit *ReadLimit
	// Unfinished is how long a blob that its client has not confirmed is left
	// alone; 0: UnfinishedBlobs.
	Unfinished time.Duration
	// Collect removes orphans.
	Collect bool
	// Progress receives the bytes of all versions read so far.
	Progress func(done, total int64)
}

// Scrubbed counts what a scrub went over.
type Scrubbed struct {
	Versions int   `json:"versions"` // file versions of which the blob was read
	Packs    int   `json:"packs"`    // packs of snapshots that were read
	Bytes    int64 `json:"bytes"`    // of them
	Missing  int   `json:"missing"`
	Damaged  int   `json:"damaged"`
	Orphans  int   `json:"orphans"`
	Freed    int64 `json:"freed"` // bytes of orphans that were removed
}

// Sound reports whether all that clients have stored is there as it came.
func (s Scrubbed) Sound() bool { return s.Missing == 0 && s.Damaged == 0 }

// UnfinishedBlobs is how long a blob that nobody confirmed is left alone.
const UnfinishedBlobs = 48 * time.Hour

// scrubPiece is how much of a blob is read at a time.
const scrubPiece = 256 << 10

// A ReadLimit bounds how many bytes of blobs are read in a second, and may
// change while a scrub runs.
type ReadLimit struct{ limiter *rate.Limiter }

// NewReadLimit makes a limit of so many bytes a second; 0 is none.
func NewReadLimit(bytes int) *ReadLimit {
	l := &ReadLimit{rate.NewLimiter(rate.Inf, scrubPiece)}
	l.Set(bytes)
	return l
}

// Set changes the limit; 0 is none.
func (l *ReadLimit) Set(bytes int) {
	if bytes == 0 {
		l.limiter.SetLimit(rate.Inf)
		return
	}
	l.limiter.SetLimit(rate.Limit(bytes))
}

// wait waits until n more bytes may be read.
func (l *ReadLimit) wait(ctx context.Context, n int64) error {
	if l == nil {
		return ctx.Err()
	}
	return l.limiter.WaitN(ctx, int(n))
}

// A Catalog is what a scrub asks of the catalog.
type Catalog interface {
	EachClient(ctx context.Context, visit func(store.Client) error) error
	Client(ctx context.Context, id store.ClientID) (store.Client, error)
	List(ctx context.Context, id store.ClientID, after store.Cursor, limit int, all bool) ([]store.Version, error)
	Refers(ctx context.Context, ref store.BlobRef) (bool, error)
	Totals(ctx context.Context) (store.Totals, error)
	ScrubbedPacks
}

// ScrubBlobs are what a scrub asks of the blobs.
type ScrubBlobs interface {
	store.Contents
	MarkedBlobs
}

// Scrub reads the blob of every file version and every pack back and compares
// it with the SHA-256 that was made as it came in, then looks for blobs that no
// version refers to. The catalog learns which packs are damaged. Each finding goes to found, whose error ends the scrub.
//
// It may run beside a server: what clients remove in the meantime is not
// missed.
func Scrub(ctx context.Context, catalog Catalog, blobs ScrubBlobs, opts ScrubOptions, found func(Finding) error) (Scrubbed, error) {
	totals, err := catalog.Totals(ctx)
	if err != nil {
		return Scrubbed{}, fmt.Errorf("asking how much there is: %w", err)
	}
	s := &scrub{catalog: catalog, blobs: blobs, opts: opts, found: found, total: totals.Bytes, buf: make([]byte, scrubPiece)}
	if opts.Unfinished == 0 {
		s.opts.Unfinished = UnfinishedBlobs
	}
	if err := catalog.EachClient(ctx, func(c store.Client) error { return s.client(ctx, c) }); err != nil {
		return s.done, fmt.Errorf("reading back what is stored: %w", err)
	}
	err = blobs.Walk(ctx, func(b store.StoredBlob) error { return s.orphan(ctx, b) })
	if err != nil && !errors.Is(err, store.ErrDamaged) { // which the versions it concerns have shown
		return s.done, fmt.Errorf("looking for orphans: %w", err)
	}
	if err := s.orphanPacks(ctx); err != nil {
		return s.done, fmt.Errorf("looking for orphans: %w", err)
	}
	return s.done, nil
}

// A scrub is one that runs.
type scrub struct {
	// static after construction
	catalog Catalog
	blobs   ScrubBlobs
	opts    ScrubOptions
	found   func(Finding) error
	total   int64
	buf     []byte

	done Scrubbed
}

// client reads back all versions of a client.
func (s *scrub) client(ctx context.Context, c store.Client) error {
	const page = 1000
	var after store.Cursor
	for {
		versions, err := s.catalog.List(ctx, c.ID, after, page, true)
		if err != nil {
			return err
		}
		for _, v := range versions {
			if err := s.version(ctx, c, v); err != nil {
				return err
			}
			after = store.Cursor{Name: v.Name, Number: v.Number}
		}
		if len(versions) < page {
			break
		}
	}
	if err := s.mends(ctx, c); err != nil {
		return err
	}
	return s.packs(ctx, c)
}

func (s *scrub) version(ctx context.Context, c store.Client, v store.Version) error {
	fault, detail, err := s.compare(ctx, v)
	if err != nil {
		return err
	}
	if fault != "" {
		// It may be that the version was removed while its blob was read.
		if refers, err := s.catalog.Refers(ctx, v.Blob); err != nil || !refers {
			return err
		}
	}
	s.done.Versions++
	s.read(v.Size)
	switch fault {
	case FaultMissing:
		s.done.Missing++
	case FaultDamaged:
		s.done.Damaged++
	default:
		return nil
	}
	return s.found(Finding{Fault: fault, Client: c, Name: v.Name, Number: v.Number, Size: v.Size, Blob: v.Blob, Detail: detail})
}

// read counts what was read.
func (s *scrub) read(bytes int64) {
	s.done.Bytes += bytes
	if s.opts.Progress != nil {
		s.opts.Progress(s.done.Bytes, max(s.total, s.done.Bytes))
	}
}

// compare reads a version's blob. The error is one of the scrub; a problem of
// the blob is a fault.
func (s *scrub) compare(ctx context.Context, v store.Version) (fault Fault, detail string, err error) {
	return s.readBack(ctx, v.Blob, v.Size, v.SHA256)
}

// readBack reads a blob and compares it with what it should be.
func (s *scrub) readBack(ctx context.Context, ref store.BlobRef, size int64, want [sha256.Size]byte) (fault Fault, detail string, err error) {
	blob, err := s.blobs.Open(ctx, ref)
	switch {
	case errors.Is(err, store.ErrNoBlob):
		return FaultMissing, "the blob is not there", nil
	case errors.Is(err, store.ErrDamaged):
		return FaultDamaged, "the blob cannot be read: what lies with it is broken", nil
	case err != nil:
		return "", "", err
	}
	defer blob.Close()
	if blob.Size() != size {
		return FaultDamaged, fmt.Sprintf("the blob has %d bytes in place of %d", blob.Size(), size), nil
	}
	sum := sha256.New()
	for at := int64(0); at < size; {
		if err := s.opts.Limit.wait(ctx, min(scrubPiece, size-at)); err != nil {
			return "", "", err
		}
		n, err := blob.ReadAt(s.buf[:min(scrubPiece, size-at)], at)
		sum.Write(s.buf[:n])
		at += int64(n)
		if err != nil && (err != io.EOF || at < size) {
			return FaultDamaged, fmt.Sprintf("the blob cannot be read from byte %d on", at), nil
		}
	}
	if [sha256.Size]byte(sum.Sum(nil)) != want {
		return FaultDamaged, "the blob's content is not what was received", nil
	}
	return "", "", nil
}

// orphan looks whether anything refers to a blob.
func (s *scrub) orphan(ctx context.Context, b store.StoredBlob) error {
	if b.Confirmed == nil && time.Since(b.Metadata.Received) < s.opts.Unfinished {
		return nil // its client may still confirm it
	}
	refers, err := s.catalog.Refers(ctx, b.Ref)
	if err != nil || refers {
		return err
	}
	s.done.Orphans++
	if s.opts.Collect {
		if err := s.blobs.Remove(ctx, b.Ref); err != nil {
			return err
		}
		s.done.Freed += b.Metadata.Size
	}
	owner, err := s.catalog.Client(ctx, b.Metadata.Client)
	if err != nil && !errors.Is(err, store.ErrNoClient) {
		return err
	}
	return s.found(Finding{Fault: FaultOrphan, Client: owner, Name: b.Metadata.Name, Size: b.Metadata.Size, Blob: b.Ref,
		Detail: "no version of any file refers to the blob"})
}
