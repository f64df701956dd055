package console_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/console/contract"
)

// A scrub finds a flipped bit, a truncated and a deleted blob, an orphan, and
// nothing else.
func TestScrub(t *testing.T) {
	s := startSite(t, nil)
	alice := s.person("alice")
	content := func(fill string) []byte { return bytes.Repeat([]byte(fill), 100_000/len(fill)) } // too large for a pack
	for _, name := range []string{"sound", "flipped", "truncated", "deleted"} {
		alice.put(name, content(name+" "))
	}
	alice.put("small", []byte("small"))
	report := func(collect bool) contract.ScrubReport {
		t.Helper()
		before := get[contract.Scrub](s, "/api/scrub").Report
		state := decode[contract.ScrubState](t, s.must(202, "POST", "/api/scrub", map[string]bool{"collect": collect}))
		if !state.Running && get[contract.Scrub](s, "/api/scrub").Report == before {
			t.Errorf("%+v", state)
		}
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			now := get[contract.Scrub](s, "/api/scrub")
			if !now.State.Running && now.Report != nil && (before == nil || now.Report.Started.After(before.Started)) {
				return *now.Report
			}
		}
		t.Fatal("the scrub did not end")
		return contract.ScrubReport{}
	}
	if r := report(false); !r.Complete || r.Versions != 5 || len(r.Findings) != 0 || r.Missing+r.Damaged != 0 {
		t.Fatalf("of what is sound: %+v", r)
	}

	blobs := map[string]string{} // by content, as far as it can be recognised
	err := filepath.WalkDir(filepath.Join(s.folder, "received_files"), func(path string, entry os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".json") {
			label, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, name := range []string{"sound", "flipped", "truncated", "deleted"} {
				if bytes.Contains(label, []byte(`"`+name+`"`)) {
					blobs[name] = strings.TrimSuffix(path, ".json")
				}
			}
		}
		return err
	})
	if err != nil || len(blobs) != 4 {
		t.Fatalf("%v, %v", blobs, err)
	}
	flipped, err := os.ReadFile(blobs["flipped"])
	if err != nil {
		t.Fatal(err)
	}
	flipped[len(flipped)/2] ^= 1
	if err := os.WriteFile(blobs["flipped"], flipped, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(blobs["truncated"], 1000); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(blobs["deleted"]); err != nil {
		t.Fatal(err)
	}
	r := report(false)
	found := map[string]contract.FindingFault{}
	for _, f := range r.Findings {
		if f.Client == nil || f.Client.Name != "alice" || f.Version == nil || *f.Version != 1 || f.Blob == "" || f.Detail == "" {
			t.Errorf("%+v", f)
		}
		found[f.File] = f.Fault
	}
	if len(r.Findings) != 3 || found["flipped"] != contract.FindingFaultDamaged || found["truncated"] != contract.FindingFaultDamaged || found["deleted"] != contract.FindingFaultMissing {
		t.Errorf("found %v in %+v", found, r)
	}
	if r.Damaged != 2 || r.Missing != 1 || !r.Complete {
		t.Errorf("%+v", r)
	}
	list := get[contract.ActivityList](s, "/api/activities?kind=scrub&outcome=failed")
	if len(list.Activities) != 4 { // the three, and the scrub
		t.Errorf("%+v", list)
	}
}

func TestStopScrub(t *testing.T) {
	s := startSite(t, nil)
	alice := s.person("alice")
	alice.put("large", bytes.Repeat([]byte("x"), 4<<20))
	s.must(200, "PATCH", "/api/settings", map[string]any{"set": map[string]string{"scrub-rate": "64KiB"}})
	s.must(202, "POST", "/api/scrub", map[string]any{})
	s.must(409, "POST", "/api/scrub", map[string]any{})
	s.must(204, "DELETE", "/api/scrub", nil)
	for end := time.Now().Add(patience); get[contract.Scrub](s, "/api/scrub").State.Running; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it goes on")
		}
	}
	s.must(204, "DELETE", "/api/scrub", nil)
}
