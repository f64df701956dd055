package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/maintain"
	"coffer/server"
	"coffer/server/admin"
	"coffer/store"
)

// scrub scrubs the storage of a stopped server.
func (c *core) scrub(opts maintain.ScrubOptions) (maintain.Scrubbed, []string) {
	c.t.Helper()
	c.open()
	defer c.closeStorage()
	var findings []string
	done, err := maintain.Scrub(c.t.Context(), c.catalog, c.blobs, opts, func(f maintain.Finding) error {
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
	err = filepath.WalkDir(filepath.Join(c.folder(), "received_files"), func(path string, _ os.DirEntry, err error) error {
		if _, noMetadata := os.Stat(path + ".json"); noMetadata == nil && fileSize(c.t, path) == v.Size {
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

// A scrub in the server finds faults, names their owners, keeps its report, and
// can be stopped.
func TestScrubInTheServer(t *testing.T) {
	c := startOnDisk(t, nil)
	w := c.proven("ada")
	for i, name := range []string{"whole", "flipped", "cut", "deleted"} {
		w.store(name, content(uint64(i), 200_000+1000*i), 500_000)
	}
	w.store("small", content(9, 1000), 2000)
	w.store("small whole", content(10, 1000), 2000)
	small := w.read("small", 0, 0, 0)
	if c.srv.Admin().LastScrub() != nil || c.srv.Admin().ScrubState().Running || !errors.Is(c.srv.Admin().StopScrub(), admin.ErrNotRunning) {
		t.Error("a scrub before there was one")
	}
	scrub := func(collect bool) *admin.ScrubReport {
		t.Helper()
		before := c.srv.Admin().LastScrub()
		if err := c.srv.Admin().StartScrub(collect); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the scrub ends", func() bool { return c.srv.Admin().LastScrub() != before && !c.srv.Admin().ScrubState().Running })
		return c.srv.Admin().LastScrub()
	}
	if r := scrub(false); !r.Counts.Sound() || r.Counts.Versions != 6 || len(r.Findings) != 0 || r.Error != "" || r.Stopped {
		t.Errorf("before: %+v", r)
	}
	c.flip(c.blobFile(w, "flipped"), 100_000)
	packs, err := filepath.Glob(filepath.Join(c.folder(), "received_files", "packs", "*"))
	if err != nil || len(packs) != 1 {
		t.Fatalf("packs: %v, error %v", packs, err)
	}
	text, err := os.ReadFile(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	c.flip(packs[0], bytes.Index(text, small)+500)
	err = errors.Join(os.Truncate(c.blobFile(w, "cut"), 150_000), os.Remove(c.blobFile(w, "deleted")))
	if err != nil {
		t.Fatal(err)
	}
	r := scrub(true)
	got := make(map[string]maintain.Fault)
	for _, f := range r.Findings {
		got[f.File] = f.Fault
		if f.Client != "ada" || f.Fingerprint != store.ClientID(w.id).Fingerprint() || f.Version != 1 || f.Blob == "" || f.Detail == "" {
			t.Errorf("finding: %+v", f)
		}
	}
	if fmt.Sprint(got) != "map[cut:damaged deleted:missing flipped:damaged small:damaged]" || r.Counts.Damaged != 3 || r.Counts.Missing != 1 {
		t.Errorf("found %v, %+v", got, r.Counts)
	}
	found := 0
	for _, line := range c.happened() {
		if strings.HasPrefix(line, "scrub failed ada") {
			found++
		}
	}
	if found != 4 {
		t.Errorf("%d findings are noted", found)
	}
	c.restart()
	if again := c.srv.Admin().LastScrub(); again == nil || fmt.Sprint(again.Findings) != fmt.Sprint(r.Findings) || !again.Ended.Equal(r.Ended) {
		t.Errorf("after a restart: %+v", again)
	}

	// At this rate it would take long.
	if err := c.srv.Admin().ChangeSettings(t.Context(), map[string]string{"scrub-rate": "64KiB"}, nil); err != nil {
		t.Fatal(err)
	}
	before := c.srv.Admin().LastScrub()
	if err := c.srv.Admin().StartScrub(false); err != nil {
		t.Fatal(err)
	}
	if err := c.srv.Admin().StartScrub(false); !errors.Is(err, admin.ErrRunning) {
		t.Errorf("a second one: %v", err)
	}
	eventually(t, "the scrub is under way", func() bool { return c.srv.Admin().ScrubState().Versions > 0 })
	if err := c.srv.Admin().StopScrub(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the scrub ends", func() bool { return c.srv.Admin().LastScrub() != before })
	if r := c.srv.Admin().LastScrub(); !r.Stopped || r.Error != "" || r.Counts.Versions >= 6 {
		t.Errorf("stopped: %+v", r)
	}
}

// flip flips a bit of a file.
func (c *core) flip(path string, at int) {
	c.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	text[at] ^= 4
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(text[at:at+1], int64(at)); err != nil {
		c.t.Fatal(err)
	}
}

// A scrub begins by itself once it is due, and a server that stops ends it
// without a word, so that it begins anew.
func TestScrubSchedule(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.ScrubInterval = 50 * time.Millisecond })
	c.proven("ada").store("f", content(1, 100_000), 500_000)
	eventually(t, "a scrub comes by itself", func() bool { r := c.srv.Admin().LastScrub(); return r != nil && r.Scheduled && r.Counts.Versions == 1 })
	first := c.srv.Admin().LastScrub()
	eventually(t, "and another", func() bool { return c.srv.Admin().LastScrub().Started.After(first.Started) })
	if next := c.srv.Admin().ScrubState().Next; next.IsZero() {
		t.Error("no next one")
	}
	if err := c.srv.Admin().ChangeSettings(t.Context(), map[string]string{"scrub-interval": "0"}, nil); err != nil {
		t.Fatal(err)
	}
	if next := c.srv.Admin().ScrubState().Next; !next.IsZero() {
		t.Errorf("the next one is at %v", next)
	}
}
