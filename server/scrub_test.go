package server_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"coffer/server"
	"coffer/store"
)

// scrub scrubs the storage of a stopped server.
func (c *core) scrub(opts server.ScrubOptions) (server.Scrubbed, []string) {
	c.t.Helper()
	c.open()
	defer c.closeStorage()
	var findings []string
	done, err := server.Scrub(c.t.Context(), c.catalog, c.blobs, opts, func(f server.Finding) error {
		findings = append(findings, fmt.Sprintf("%s %s %s %d", f.Fault, f.Client.Name, f.Name, f.Number))
		return nil
	})
	if err != nil {
		c.t.Errorf("scrub: %v", err)
	}
	slices.Sort(findings)
	return done, findings
}

// blobFile is where the large blob of a file's newest version lies.
func (c *core) blobFile(w *wire, name string) string {
	c.t.Helper()
	v, err := c.catalog.Version(c.t.Context(), store.ClientID(w.id), name, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	var found string
	err = filepath.WalkDir(filepath.Join(c.dir, "received_files"), func(path string, _ os.DirEntry, err error) error {
		if _, noLabel := os.Stat(path + ".json"); noLabel == nil && fileSize(c.t, path) == v.Size {
			found = path
		}
		return err
	})
	if err != nil || found == "" {
		c.t.Fatalf("no blob of %s: %v", name, err)
	}
	return found
}

func fileSize(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// A scrub finds a flipped bit, a blob that was cut and one that was deleted,
// and only those, whatever else there is.
func TestScrub(t *testing.T) {
	c := startCore(t, nil)
	w, other := c.proven("client"), c.proven("other")
	for i, name := range []string{"whole", "flipped", "cut", "deleted"} {
		w.store(name, content(uint64(120+i), 200_000+1000*i), 50_000) // of different sizes
	}
	w.store("small", []byte("in a pack"), 1000)
	other.store("whole", content(130, 300_000), 50_000)
	other.store("removed", content(131, 310_000), 50_000)
	w.leave("unconfirmed", content(132, 100_000))
	c.stop()
	if done, findings := c.scrub(server.ScrubOptions{}); !done.Sound() || done.Versions != 7 || len(findings) != 0 {
		t.Errorf("before: %+v, %v", done, findings)
	}

	c.open()
	flip := c.blobFile(w, "flipped")
	text, err := os.ReadFile(flip)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	removed, err := c.catalog.Remove(t.Context(), store.ClientID(other.id), "removed", 0) // and a crash before its blob goes
	err = errors.Join(err,
		os.WriteFile(flip, text, 0o600),
		os.Truncate(c.blobFile(w, "cut"), 150_000),
		os.Remove(c.blobFile(w, "deleted")))
	if err != nil || len(removed) != 1 {
		t.Fatal(err)
	}
	c.closeStorage()
	want := []string{"damaged client cut 1", "damaged client flipped 1", "missing client deleted 1", "orphan other removed 0"}
	var told int64
	done, findings := c.scrub(server.ScrubOptions{Progress: func(done, total int64) {
		if done > total || done < told {
			t.Errorf("progress: %d of %d after %d", done, total, told)
		}
		told = done
	}})
	if !slices.Equal(findings, want) || done.Sound() || done.Damaged != 2 || done.Missing != 1 || done.Orphans != 1 || done.Freed != 0 {
		t.Errorf("found %v, %+v", findings, done)
	}
	if told != done.Bytes || told == 0 {
		t.Errorf("progress ended at %d of %d", told, done.Bytes)
	}

	if done, _ := c.scrub(server.ScrubOptions{Collect: true}); done.Orphans != 1 || done.Freed < 310_000 {
		t.Errorf("collected: %+v", done)
	}
	if done, findings := c.scrub(server.ScrubOptions{Unfinished: time.Nanosecond}); done.Orphans != 1 || len(findings) != 4 {
		t.Errorf("what was never confirmed is an orphan in time: %+v, %v", done, findings)
	}
	c.start()
	c.gateway(other).expectStored("whole", content(130, 300_000))
}

// A slow scrub reads no faster than it may, and ends when it is told to.
func TestScrubIsLimited(t *testing.T) {
	c := startCore(t, nil)
	c.proven("client").store("f", content(140, 400_000), 500_000)
	c.stop()
	c.open()
	defer c.closeStorage()
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err := server.Scrub(ctx, c.catalog, c.blobs, server.ScrubOptions{Rate: 1}, func(server.Finding) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after %v: %v, want that it was cancelled while it waited", time.Since(began), err)
	}
	stop := errors.New("enough")
	if err := os.Remove(c.blobFile(&wire{id: c.onlyClient()}, "f")); err != nil {
		t.Fatal(err)
	}
	_, err = server.Scrub(t.Context(), c.catalog, c.blobs, server.ScrubOptions{}, func(server.Finding) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("stopped by its caller: %v", err)
	}
}

// onlyClient is the id of the only client that there is.
func (c *core) onlyClient() (id [16]byte) {
	c.t.Helper()
	if err := c.catalog.EachClient(c.t.Context(), func(client store.Client) error { id = client.ID; return nil }); err != nil {
		c.t.Fatal(err)
	}
	return id
}
