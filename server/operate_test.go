package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"coffer/maintain"
	"coffer/protocol"
	"coffer/protocol/cksum"
	"coffer/server"
	"coffer/server/admin"
	"coffer/server/settings"
	"coffer/store"
)

// A suspended client is refused at once, on every connection and whatever it
// was doing, also by way of the gateway and after a restart; nothing of its is
// lost, and resumed it goes on where it was.
func TestSuspend(t *testing.T) {
	c := startCore(t, nil)
	w, other := c.proven("ada"), c.proven("bob")
	w.store("f", content(1, 100_000), 200_000)
	plain := content(2, 4_000_000)
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Total: 2, Name: "half"})
	packets := cut(encrypt(up.key, plain), 2_000_008)
	w.packet(id, 1, false, packets[0])
	idle, gateway, midway := w.another(c.public), c.gateway(w), w.beside(c.public)
	// Half of a packet has come when the client is suspended.
	frame := append(protocol.AppendRequest(nil, w.id, &protocol.UploadPacket{Upload: id, Number: 2}, uint32(len(packets[1]))), packets[1]...)
	midway.write(frame[:1_000_000])
	eventually(t, "the packet is on its way", func() bool { return c.srv.Admin().Transfers()[0].Bytes > 2_500_000 })

	if err := c.srv.Admin().SuspendClient(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	midway.nc.Write(frame[1_000_000:]) // as far as it is still taken
	midway.expect(uint16(protocol.CodeFailure))
	midway.closed()
	w.fails(listAll(), nil, protocol.StatusForbidden)
	w.send(1029, field("f"))
	w.expectEmpty(1607)
	w.write(w.frames("g", content(3, 10), 100)[0])
	w.expectEmpty(1607)
	idle.send(1027, field("ada"))
	idle.expectEmpty(1607)
	gateway.fails(listAll(), nil, protocol.StatusForbidden)
	gateway.fails(&protocol.SignIn{Method: protocol.SignInByName, Name: "ada"}, nil, protocol.StatusForbidden)
	other.list(listAll())
	info, err := c.srv.Admin().Client(t.Context(), "ada")
	if err != nil || !info.Suspended || c.srv.Admin().Stats(t.Context()).Suspended != 1 {
		t.Errorf("%+v, error %v", info, err)
	}
	c.restart()
	w = w.another(c.public)
	w.send(1027, field("ada"))
	w.expectEmpty(1607)
	c.stop()
	c.loseCatalog()
	c.rebuild()
	c.start()
	w = w.another(c.public)
	w.send(1027, field("ada"))
	w.expectEmpty(1607)

	if err := c.srv.Admin().ResumeClient(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	w.reconnect()
	w.prove()
	w.expectStored("f", content(1, 100_000))
	s := w.packet(id, 2, false, packets[1])
	if !s.Complete || s.Cksum != cksum.Sum(plain) {
		t.Errorf("the upload went on to %+v", s)
	}
	for name, do := range map[string]func() error{
		"suspend": func() error { return c.srv.Admin().SuspendClient(t.Context(), "nobody") },
		"resume":  func() error { return c.srv.Admin().ResumeClient(t.Context(), "nobody") },
		"end":     func() error { return c.srv.Admin().EndSession(t.Context(), "nobody") },
		"remove":  func() error { return c.srv.Admin().RemoveClient(t.Context(), "nobody") },
	} {
		if err := do(); !errors.Is(err, store.ErrNoClient) {
			t.Errorf("%s nobody: %v", name, err)
		}
	}
}

func TestEndSession(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("ada")
	if info, err := c.srv.Admin().Client(t.Context(), "ada"); err != nil || !info.InSession || info.KeyBits != 1024 || info.SessionEnds.Before(time.Now()) {
		t.Errorf("%+v, error %v", info, err)
	}
	if err := c.srv.Admin().EndSession(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	w.fails(listAll(), nil, protocol.StatusNoSession)
	if info, err := c.srv.Admin().Client(t.Context(), "ada"); err != nil || info.InSession || !info.SessionEnds.IsZero() {
		t.Errorf("%+v, error %v", info, err)
	}
	c.restart()
	if n := c.srv.Admin().Stats(t.Context()).InSession; n != 0 {
		t.Errorf("%d sessions after a restart", n)
	}
	w = w.another(c.public)
	w.reconnect()
	w.prove()
	w.list(listAll())
}

// The operator removes a client with all its files, be it suspended or not.
func TestRemoveClient(t *testing.T) {
	for _, suspend := range []bool{false, true} {
		c := startCore(t, nil)
		w, other := c.proven("ada"), c.proven("bob")
		w.store("f", content(1, 100_000), 200_000)
		w.begin(&protocol.BeginUpload{OriginalSize: 100, Name: "unfinished"})
		other.store("kept", content(2, 100_000), 200_000)
		if suspend {
			if err := c.srv.Admin().SuspendClient(t.Context(), "ada"); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.srv.Admin().RemoveClient(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
		w.fails(listAll(), nil, protocol.StatusNoSession)
		w.send(1027, field("ada"))
		w.expectID(1606)
		if _, err := c.srv.Admin().Client(t.Context(), "ada"); !errors.Is(err, store.ErrNoClient) {
			t.Errorf("the client is %v", err)
		}
		if n := len(c.srv.Admin().Transfers()); n != 0 {
			t.Errorf("%d transfers are left", n)
		}
		c.onlyKept(t, other)
	}
}

// What is seen of a transfer is what has come of it, and cancelling it ends it.
func TestTransfers(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("ada")
	if len(c.srv.Admin().Transfers()) != 0 {
		t.Error("a transfer before there is any")
	}
	plain := content(2, 200_000)
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Total: 4, Format: protocol.FormatSealedFile, Name: "f"})
	packets := cut(encrypt(up.key, plain), 60_000)
	w.packet(id, 1, false, packets[0])
	w.packet(id, 4, false, packets[3])
	list := c.srv.Admin().Transfers()
	if len(list) != 1 {
		t.Fatalf("transfers: %+v", list)
	}
	got := list[0]
	want := admin.Transfer{ID: store.UploadID(id), Client: "ada", Fingerprint: store.ClientID(w.id).Fingerprint(), File: "f",
		Format: uint8(protocol.FormatSealedFile), State: "receiving", Bytes: 60_000 + 20_016, Size: 200_016, OriginalSize: 200_000,
		Received: 2, Total: 4, Missing: 2, AttemptsLeft: 4, Started: got.Started, Changed: got.Changed,
		Expires: got.Changed.Add(24 * time.Hour), Left: -1}
	if got != want || got.Started.IsZero() || got.Changed.Before(got.Started) {
		t.Errorf("transfer:\n got %+v\nwant %+v", got, want)
	}
	c.restart()
	list = c.srv.Admin().Transfers()
	if len(list) != 1 || list[0].Bytes != want.Bytes || list[0].Client != "ada" || list[0].Missing != 2 {
		t.Errorf("after a restart: %+v", list)
	}
	w = w.beside(c.public)
	w.packet(id, 2, false, packets[1])
	w.packet(id, 3, false, packets[2])
	if list = c.srv.Admin().Transfers(); len(list) != 1 || list[0].State != "unconfirmed" || list[0].Bytes != list[0].Size {
		t.Errorf("complete: %+v", list)
	}
	if err := c.srv.Admin().CancelTransfer(t.Context(), store.UploadID(id)); err != nil {
		t.Fatal(err)
	}
	if err := c.srv.Admin().CancelTransfer(t.Context(), store.UploadID(id)); !errors.Is(err, admin.ErrNoTransfer) {
		t.Errorf("cancelled twice: %v", err)
	}
	w.fails(&protocol.GetUpload{Ref: protocol.UploadRef{ByID: true, Upload: id}}, nil, protocol.StatusNotFound)
	c.stop()
	if done, findings := c.scrub(maintain.ScrubOptions{Unfinished: time.Nanosecond}); done.Orphans != 0 {
		t.Errorf("left behind: %v", findings)
	}
	c.start()
}

// What was changed at run time takes hold at once, wins over what the server
// is started with, and can be taken back.
func TestSettings(t *testing.T) {
	level := new(slog.LevelVar)
	keep := 2
	c := startCore(t, func(cfg *server.Config) { cfg.Level, cfg.KeepVersions, cfg.MinVersionAge = level, keep, 0 })
	w := c.proven("ada")
	change := func(set map[string]string, reset ...string) settings.Values {
		t.Helper()
		if err := c.srv.Admin().ChangeSettings(t.Context(), set, reset); err != nil {
			t.Fatal(err)
		}
		return c.srv.Settings()
	}
	got := change(map[string]string{"keep-versions": "1", "registration": "closed", "log-level": "debug", "session-ttl": "1h", "max-connections": "10"})
	if got.KeepVersions != 1 || got.RegistrationOpen || got.SessionTTL != time.Hour || level.Level() != slog.LevelDebug {
		t.Errorf("settings: %+v", got)
	}
	for i := range 3 {
		w.store("f", content(uint64(i), 1000), 2000)
	}
	if n := w.has("f"); n != 1 {
		t.Errorf("%d versions are kept", n)
	}
	v := dial(t, c.public)
	v.send(1025, field("bob"))
	v.expectEmpty(1601)
	var account protocol.AccountInfo
	w.ask(&protocol.GetAccount{}, nil, &account)
	if account.KeepVersions != 1 || account.SessionTTL != time.Hour {
		t.Errorf("account: %+v", account)
	}

	level.Set(slog.LevelInfo)
	keep = 7
	c.restart()
	if again := c.srv.Settings(); again != got || level.Level() != slog.LevelDebug {
		t.Errorf("after a restart: %+v, want %+v", again, got)
	}
	got = change(map[string]string{"upload-ttl": "1h"}, "keep-versions", "registration")
	if got.KeepVersions != 7 || !got.RegistrationOpen || got.UploadTTL != time.Hour || got.SessionTTL != time.Hour {
		t.Errorf("after a reset: %+v", got)
	}
	if err := c.srv.Admin().ChangeSettings(t.Context(), map[string]string{"max-connections": "0"}, nil); err == nil || c.srv.Settings() != got {
		t.Errorf("no connections: error %v, settings %+v", err, c.srv.Settings())
	}
	noted := 0
	for _, line := range c.happened() {
		if strings.HasPrefix(line, "settings ok") {
			noted++
		}
	}
	if noted != 2 {
		t.Errorf("noted %d times", noted)
	}
}

// Sessions end by the time that is in force, whatever it was when they began.
func TestSettingsEndSessions(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("ada")
	if err := c.srv.Admin().ChangeSettings(t.Context(), map[string]string{"session-ttl": "1s"}, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the session ends", func() bool {
		info, err := c.srv.Admin().Client(t.Context(), "ada")
		return err == nil && !info.InSession
	})
	w.fails(listAll(), nil, protocol.StatusNoSession)
}

// A scrub that the server runs finds what is wrong, tells whom it belongs to,
// keeps its report, and can be stopped.
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

// A backup is a catalog that a server can run with.
func TestBackup(t *testing.T) {
	backups := t.TempDir()
	c := startOnDisk(t, func(cfg *server.Config) { cfg.BackupDir = filepath.Join(backups, "new") })
	if list, err := c.srv.Admin().Backups(); err != nil || len(list) != 0 {
		t.Errorf("before: %v, error %v", list, err)
	}
	w := c.proven("ada")
	w.store("f", content(1, 100_000), 500_000)
	info, err := c.srv.Admin().Backup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.store("later", content(2, 100), 500)
	killed := filepath.Join(backups, "new", "catalog-20060102T150405.000Z.db.partial")
	if err := os.WriteFile(killed, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := c.srv.Admin().Backups()
	if err != nil || len(list) != 1 || list[0] != info || info.Size == 0 {
		t.Errorf("backups: %+v, error %v, want %+v", list, err, info)
	}
	if mode := fileMode(t, filepath.Join(backups, "new", info.Name)); mode != 0o600 {
		t.Errorf("mode %v", mode)
	}
	for _, name := range []string{"", "../lock", "catalog-x.db", info.Name + "/.", "catalog-20060102T150405.000Z.db"} {
		if f, err := c.srv.Admin().OpenBackup(name); !errors.Is(err, fs.ErrNotExist) {
			f.Close()
			t.Errorf("opening %q: %v", name, err)
		}
		if err := c.srv.Admin().RemoveBackup(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("removing %q: %v", name, err)
		}
	}
	f, err := c.srv.Admin().OpenBackup(info.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var copied bytes.Buffer
	if _, err := copied.ReadFrom(f); err != nil || int64(copied.Len()) != info.Size {
		t.Fatalf("%d bytes, error %v", copied.Len(), err)
	}
	if err := c.srv.Admin().RemoveBackup(info.Name); err != nil {
		t.Error(err)
	}
	if _, err := c.srv.Admin().Backup(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(killed); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was left half done: %v", err)
	}
	c.stop()
	c.loseCatalog()
	if err := os.WriteFile(c.database(), copied.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	c.start()
	w = w.another(c.public)
	w.reconnect()
	w.prove()
	w.expectStored("f", content(1, 100_000))
	if w.has("later") != 0 {
		t.Error("what came later is in the backup")
	}

	none := startCore(t, nil)
	if _, err := none.srv.Admin().Backup(t.Context()); !errors.Is(err, admin.ErrNoBackups) {
		t.Errorf("without a folder: %v", err)
	}
}

func fileMode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// The figures are those of what was done, the metrics are the same figures, and
// a registry takes them.
func TestFigures(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("ada")
	for i := range 3 {
		w.store(fmt.Sprint("f", i), content(uint64(i), 1000), 2000)
	}
	w.write(w.frames("open", content(9, 5000), 3000)[0])
	w.send(1029, field("never"))
	w.expectEmpty(1607)
	c.srv.Admin().Clients(t.Context(), store.ClientQuery{Limit: 1})
	s := c.srv.Admin().Stats(t.Context())
	usage := store.Usage{Files: 3, Versions: 3, Verified: 3, Bytes: 3 * 1008}
	if s.Totals != (store.Totals{Clients: 1, Usage: usage}) || s.InSession != 1 || s.Uploads != 1 || s.Connections != 1 ||
		s.Requests != 4+3*2+2 || s.Failures != 1 || s.Received < 3*1008 || s.Sent < 3*279 || s.Database != "operational" ||
		s.Storage != "operational" || s.Free == 0 || s.DiskTotal < s.Free || s.Closing {
		t.Errorf("figures: %+v", s)
	}
	page, total, err := c.srv.Admin().Clients(t.Context(), store.ClientQuery{Sort: store.SortByBytes, Descending: true, Limit: 10})
	if err != nil || total != 1 || len(page) != 1 || page[0].Usage != usage || page[0].Uploads != 1 || !page[0].InSession {
		t.Errorf("clients: %+v, error %v", page, err)
	}
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(c.srv.Admin().Collector()); err != nil {
		t.Fatal(err)
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) != 0 {
		t.Errorf("metrics: %v, error %v", problems, err)
	}
	want := `
		# HELP coffer_server_blobs Blobs of file versions.
		# TYPE coffer_server_blobs gauge
		coffer_server_blobs 3
		# HELP coffer_server_connections Open connections, by listener.
		# TYPE coffer_server_connections gauge
		coffer_server_connections{listener="internal"} 0
		coffer_server_connections{listener="public"} 1
		# HELP coffer_server_stored_bytes Bytes of these blobs.
		# TYPE coffer_server_stored_bytes gauge
		coffer_server_stored_bytes 3024
		# HELP coffer_server_uploads_total Uploads that were committed, whose checksum was wrong (each attempt), or that came to nothing.
		# TYPE coffer_server_uploads_total counter
		coffer_server_uploads_total{result="committed"} 3
		coffer_server_uploads_total{result="dropped"} 0
		coffer_server_uploads_total{result="mismatch"} 0
	`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "coffer_server_blobs", "coffer_server_connections",
		"coffer_server_stored_bytes", "coffer_server_uploads_total"); err != nil {
		t.Error(err)
	}
	eventually(t, "all requests are counted", func() bool { // which is once they are answered
		requests := c.requests(registry)
		return requests["1028 ok"] == 4 && requests["1029 ok"] == 3 && requests["1029 refused"] == 1 && requests["1025 ok"] == 1 && requests["1043 ok"] == 0
	})
	if err := c.srv.Admin().Ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}
	c.stop()
	if err := c.srv.Admin().Ready(t.Context()); err == nil {
		t.Error("ready after the end")
	}
	c.start()
}

// requests are how many there were, by code and outcome.
func (c *core) requests(metrics prometheus.Gatherer) map[string]float64 {
	c.t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		c.t.Fatal(err)
	}
	requests := make(map[string]float64)
	for _, family := range families {
		if family.GetName() != "coffer_server_requests_total" {
			continue
		}
		for _, m := range family.Metric {
			requests[m.Label[0].GetValue()+" "+m.Label[1].GetValue()] = m.Counter.GetValue()
		}
	}
	return requests
}

// readOnly is a catalog that changes no client while it is.
type readOnly struct {
	store.Catalog
	is *atomic.Bool
}

func (c readOnly) UpdateClient(ctx context.Context, id store.ClientID, change func(*store.Client) error) (store.Client, error) {
	if c.is.Load() {
		return store.Client{}, store.ErrBusy
	}
	return c.Catalog.UpdateClient(ctx, id, change)
}

// A client that could not be suspended is served, as the catalog says.
func TestSuspendFails(t *testing.T) {
	var is atomic.Bool
	c := startCore(t, func(cfg *server.Config) { cfg.Catalog = readOnly{cfg.Catalog, &is} })
	w := c.proven("ada")
	is.Store(true)
	if err := c.srv.Admin().SuspendClient(t.Context(), "ada"); !errors.Is(err, store.ErrBusy) {
		t.Errorf("suspended: %v", err)
	}
	w.list(listAll())
	if n := c.srv.Admin().Stats(t.Context()).Suspended; n != 0 {
		t.Errorf("%d are suspended", n)
	}
}
