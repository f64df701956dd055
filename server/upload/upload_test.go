package upload

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
	"coffer/store"
)

var testKey = crypt.SessionKey{1, 2, 3}

func encrypted(plain []byte) []byte {
	enc := crypt.NewEncrypter(testKey)
	return enc.Finish(enc.Append(nil, plain))
}

// begin begins an upload of a file with an id.
func begin(t *testing.T, r *Registry, total uint32) *Upload {
	t.Helper()
	u, err := r.Begin(t.Context(), File{Key: Key{store.ClientID{1}, Gateway, "f"}, Strict: true, Original: UnknownSize, Total: total,
		Session: Session{Key: testKey, Wrapped: []byte("wrapped")}})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func send(ctx context.Context, u *Upload, number uint32, content []byte) (*store.Metadata, error) {
	return u.Receive(ctx, Packet{Number: number, Size: int64(len(content)), Exact: true}, readerSource{bytes.NewReader(content)})
}

// recorded keeps what happened.
type recorded struct {
	noEvents
	mu   sync.Mutex
	list []string
}

func (e *recorded) add(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, what)
}

func (e *recorded) Committed(Info, time.Time, uint32) { e.add("committed") }
func (e *recorded) Failed(Info, error)                { e.add("failed") }
func (e *recorded) Dropped(Info, Cause)               { e.add("dropped") }
func (e *recorded) Unconfirmed(Info)                  { e.add("unconfirmed") }

// slowCatalog holds commits up.
type slowCatalog struct {
	memCatalog
	committing chan struct{} // gets a value when a commit has begun
	release    chan error    // what it ends with
}

func (c *slowCatalog) Commit(context.Context, store.Version, store.Retention) (uint32, []store.BlobRef, error) {
	c.committing <- struct{}{}
	return 7, nil, <-c.release
}

// An upload goes from receiving to complete, and becomes a version once.
func TestUpload(t *testing.T) {
	r := newTestRegistry(t)
	events := &recorded{}
	r.Events = events
	plain := bytes.Repeat([]byte("0123456789"), 30_000)
	content := encrypted(plain)
	u := begin(t, r, 2)
	if s := u.Glance(9); s.Phase != Receiving || s.Missing != 2 {
		t.Errorf("begun: %+v", s)
	}
	for _, n := range []uint32{2, 1} {
		whole, err := send(t.Context(), u, n, [][]byte{content[:150_000], content[150_000:]}[n-1])
		if err != nil || (whole != nil) != (n == 1) {
			t.Fatalf("packet %d: %v, %v", n, whole, err)
		}
	}
	s, err := u.State(t.Context(), 9)
	if err != nil || s.Phase != Complete || s.Cksum != cksum.Sum(plain) || s.Original != uint64(len(plain)) {
		t.Errorf("complete: %+v, %v", s, err)
	}
	for range 2 {
		if got, err := u.Verify(t.Context(), cksum.Sum(plain)); err != nil || !got.Verified || got.Version != 1 {
			t.Fatalf("verified: %+v, %v", got, err)
		}
	}
	if parts, blobs := r.Blobs.(*testBlobs).left(t); parts != 0 || blobs != 1 || r.Len() != 0 || r.SmallContent() != 0 {
		t.Errorf("%d parts, %d blobs, %d uploads and %d bytes in memory are left", parts, blobs, r.Len(), r.SmallContent())
	}
	if len(events.list) != 1 || events.list[0] != "committed" {
		t.Errorf("%q happened", events.list)
	}
}

// A list of uploads never waits for a commit; a repeated question about the
// file gets the same answer meanwhile; and an upload that is cancelled then is
// not removed during its commit.
func TestUploadCommits(t *testing.T) {
	for _, failing := range []error{nil, errors.New("failing")} {
		r := newTestRegistry(t)
		events := &recorded{}
		catalog := &slowCatalog{committing: make(chan struct{}), release: make(chan error)}
		r.Catalog, r.Events = catalog, events
		u := begin(t, r, 1)
		if whole, err := send(t.Context(), u, 1, encrypted([]byte("plain"))); whole == nil || err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		results := make(chan Result, 2)
		verify := func() {
			got, err := u.Verify(t.Context(), cksum.Sum([]byte("plain")))
			if failing == nil && err != nil || failing != nil && !errors.Is(err, failing) && !errors.Is(err, ErrIncomplete) {
				t.Errorf("verified: %v", err)
			}
			results <- got
		}
		all.Go(verify)
		<-catalog.committing
		if s := u.Glance(9); s.Phase != Complete {
			t.Errorf("being committed: %+v", s)
		}
		if failing == nil {
			all.Go(verify)
		}
		all.Go(func() {
			if err := u.Drop(t.Context(), Cancelled); err != nil {
				t.Errorf("cancelled: %v", err)
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := u.Drop(ctx, Cancelled); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled in the middle: %v", err)
		}
		catalog.release <- failing
		all.Wait()
		_, blobs := r.Blobs.(*testBlobs).left(t)
		if failing == nil && (blobs != 1 || len(results) != 2 || (<-results).Version != 7 || (<-results).Version != 7) {
			t.Errorf("%d blobs; one of the answers is another", blobs)
		}
		if failing != nil && (blobs != 0 || len(events.list) != 2) {
			t.Errorf("after a commit that failed: %d blobs, %q", blobs, events.list)
		}
	}
}

// What is dropped while it is on its way to storage leaves nothing there.
func TestUploadDroppedWhileStoring(t *testing.T) {
	r := newTestRegistry(t)
	blobs := r.Blobs.(*testBlobs)
	blobs.storing = make(chan struct{})
	for _, size := range []int{100, 200_000} {
		u := begin(t, r, 1)
		var sending sync.WaitGroup
		sending.Go(func() {
			if _, err := send(t.Context(), u, 1, encrypted(make([]byte, size))); !errors.Is(err, ErrGone) {
				t.Errorf("the packet: %v", err)
			}
		})
		for end := time.Now().Add(20 * time.Second); u.Glance(0).Phase != Storing; {
			if time.Now().After(end) {
				t.Fatal("it is never stored")
			}
			time.Sleep(time.Millisecond)
		}
		if err := u.Drop(t.Context(), Cancelled); err != nil {
			t.Error(err)
		}
		close(blobs.storing)
		sending.Wait()
		if parts, left := blobs.left(t); parts != 0 || left != 0 || r.SmallContent() != 0 {
			t.Errorf("%d parts, %d blobs and %d bytes are left", parts, left, r.SmallContent())
		}
		blobs.storing = make(chan struct{})
	}
}

// A wrong checksum has all packets sent again, until there are no attempts left.
func TestUploadAttempts(t *testing.T) {
	r := newTestRegistry(t)
	events := &recorded{}
	r.Events = events
	u := begin(t, r, 1)
	for left := MaxAttempts - 1; left >= 0; left-- {
		if _, err := send(t.Context(), u, 1, encrypted([]byte("plain"))); err != nil {
			t.Fatal(err)
		}
		got, err := u.Verify(t.Context(), 1)
		if err != nil || got.Verified || got.Left != left || got.Cksum != cksum.Sum([]byte("plain")) {
			t.Fatalf("%d left: %+v, %v", left, got, err)
		}
	}
	if _, err := send(t.Context(), u, 1, nil); !errors.Is(err, ErrGone) {
		t.Errorf("once more: %v", err)
	}
	if _, err := r.Find(store.ClientID{1}, u.ID()); !errors.Is(err, ErrNotFound) {
		t.Errorf("it is still there: %v", err)
	}
	if parts, blobs := r.Blobs.(*testBlobs).left(t); parts != 0 || blobs != 0 {
		t.Errorf("%d parts and %d blobs are left", parts, blobs)
	}
}

// Content that was not encrypted as it should ends the upload, once.
func TestUploadBadPadding(t *testing.T) {
	r := newTestRegistry(t)
	events := &recorded{}
	r.Events = events
	u := begin(t, r, 1)
	if _, err := send(t.Context(), u, 1, make([]byte, 160)); !errors.Is(err, ErrPadding) {
		t.Errorf("%v", err)
	}
	if _, err := send(t.Context(), u, 1, make([]byte, 160)); !errors.Is(err, ErrGone) {
		t.Errorf("again: %v", err)
	}
	if len(events.list) != 1 || events.list[0] != "failed" || r.Len() != 0 {
		t.Errorf("%q happened, %d uploads are left", events.list, r.Len())
	}
}

// A run that ends anywhere leaves what the next one goes on with: packets, and
// complete files that nobody confirmed.
func TestRecover(t *testing.T) {
	plain := bytes.Repeat([]byte("0123456789"), 20_000)
	content := encrypted(plain)
	packets := [][]byte{content[:80_000], content[80_000:160_000], content[160_000:]}
	for _, tt := range []struct {
		name    string
		before  []uint32
		missing []Range
	}{
		{"nothing but the middle", []uint32{2}, []Range{{1, 1}, {3, 3}}},
		{"all but the middle", []uint32{1, 3}, []Range{{2, 2}}},
		{"the beginning", []uint32{1, 2}, []Range{{3, 3}}},
		{"all", []uint32{3, 1, 2}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newTestRegistry(t)
			u := begin(t, r, 3)
			for _, n := range tt.before {
				if _, err := send(t.Context(), u, n, packets[n-1]); err != nil {
					t.Fatal(err)
				}
			}
			next := newTestRegistry(t)
			next.Blobs = r.Blobs.(*testBlobs).data.Blobs()
			if err := next.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			again, err := next.Find(store.ClientID{1}, u.ID())
			if err != nil {
				t.Fatal(err)
			}
			s, err := again.State(t.Context(), 9)
			if err != nil || !slices.Equal(s.Ranges, tt.missing) || (s.Phase == Complete) != (tt.missing == nil) {
				t.Errorf("%+v, %v; want %v to be missing", s, err, tt.missing)
			}
			for n, content := range packets {
				if _, err := send(t.Context(), again, uint32(n+1), content); err != nil {
					t.Fatalf("packet %d: %v", n+1, err)
				}
			}
			if got, err := again.Verify(t.Context(), cksum.Sum(plain)); err != nil || !got.Verified {
				t.Errorf("verified: %+v, %v", got, err)
			}
		})
	}
}
