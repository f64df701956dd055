package maintain_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"coffer/maintain"
	"coffer/store"
)

// scrub scrubs and lists what it finds.
func (s *storage) scrub(opts maintain.ScrubOptions) (maintain.Scrubbed, []string) {
	s.t.Helper()
	var findings []string
	done, err := maintain.Scrub(s.t.Context(), s.catalog, s.blobs, opts, func(f maintain.Finding) error {
		findings = append(findings, fmt.Sprintf("%s %s %s %d", f.Fault, f.Client.Name, f.Name, f.Number))
		return nil
	})
	s.check(err)
	slices.Sort(findings)
	return done, findings
}

// A scrub finds a flipped bit, a blob that was cut and one that was deleted,
// and only those, whatever else there is.
func TestScrub(t *testing.T) {
	s := newStorage(t)
	ada, bob := s.client("ada"), s.client("bob")
	s.store(ada, "whole", ciphertext(1, 200_000))
	flipped := s.store(ada, "flipped", ciphertext(2, 201_600))
	cut := s.store(ada, "cut", ciphertext(3, 202_400))
	deleted := s.store(ada, "deleted", ciphertext(4, 203_200))
	s.store(ada, "small", ciphertext(5, 1600)) // in a pack
	s.store(bob, "whole", ciphertext(6, 300_000))
	s.store(bob, "removed", ciphertext(7, 310_000))
	s.receive(ada, "unconfirmed", ciphertext(8, 100_000), 0)
	if done, findings := s.scrub(maintain.ScrubOptions{}); !done.Sound() || done.Versions != 7 || len(findings) != 0 {
		t.Errorf("before: %+v, %v", done, findings)
	}

	text, err := os.ReadFile(s.file(flipped))
	s.check(err)
	text[len(text)/2] ^= 1
	removed, err := s.catalog.Remove(t.Context(), bob.ID, "removed", 0) // and a crash before its blob goes
	err = errors.Join(err, os.WriteFile(s.file(flipped), text, 0o600), os.Truncate(s.file(cut), 150_000), os.Remove(s.file(deleted)))
	if err != nil || len(removed) != 1 {
		t.Fatal(err)
	}
	want := []string{"damaged ada cut 1", "damaged ada flipped 1", "missing ada deleted 1", "orphan bob removed 0"}
	var last int64
	done, findings := s.scrub(maintain.ScrubOptions{Progress: func(done, total int64) {
		if done > total || done < last {
			t.Errorf("progress: %d of %d after %d", done, total, last)
		}
		last = done
	}})
	if !slices.Equal(findings, want) || done.Sound() || done.Damaged != 2 || done.Missing != 1 || done.Orphans != 1 || done.Freed != 0 {
		t.Errorf("found %v, %+v", findings, done)
	}
	if last != done.Bytes || last == 0 {
		t.Errorf("progress ended at %d of %d", last, done.Bytes)
	}
	if done, _ := s.scrub(maintain.ScrubOptions{Collect: true}); done.Orphans != 1 || done.Freed != 310_000 {
		t.Errorf("collected: %+v", done)
	}
	if done, findings := s.scrub(maintain.ScrubOptions{Unfinished: time.Nanosecond}); done.Orphans != 1 || len(findings) != 4 {
		t.Errorf("what was never confirmed is an orphan in time: %+v, %v", done, findings)
	}
}

// A slow scrub reads no faster than its limit, and ends when it is cancelled
// or its caller has seen enough.
func TestScrubIsLimited(t *testing.T) {
	s := newStorage(t)
	v := s.store(s.client("ada"), "f", ciphertext(1, 400_000))
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	time.AfterFunc(100*time.Millisecond, cancel)
	ignore := func(maintain.Finding) error { return nil }
	_, err := maintain.Scrub(ctx, s.catalog, s.blobs, maintain.ScrubOptions{Limit: maintain.NewReadLimit(1)}, ignore)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after %v: %v, want that it was cancelled while it waited", time.Since(began), err)
	}
	s.check(os.Remove(s.file(v)))
	enough := errors.New("enough")
	_, err = maintain.Scrub(t.Context(), s.catalog, s.blobs, maintain.ScrubOptions{}, func(maintain.Finding) error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("stopped by its caller: %v", err)
	}
}

// removedMeanwhile is a catalog whose versions go while their blobs are read.
type removedMeanwhile struct{ store.Catalog }

func (removedMeanwhile) Refers(context.Context, store.BlobRef) (bool, error) { return false, nil }

// What a client removes while its blob is read is not missed.
func TestScrubBesideAServer(t *testing.T) {
	s := newStorage(t)
	v := s.store(s.client("ada"), "f", ciphertext(1, 400_000))
	s.check(os.Remove(s.file(v)))
	done, err := maintain.Scrub(t.Context(), removedMeanwhile{s.catalog}, s.blobs, maintain.ScrubOptions{},
		func(f maintain.Finding) error { return fmt.Errorf("found %+v", f) })
	if err != nil || !done.Sound() {
		t.Errorf("%+v, %v", done, err)
	}
}
