package importer_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/charmap"

	"coffer/maintain/importer"
	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
	"coffer/store"
	"coffer/store/files"
	"coffer/store/sqlite"
)

// An earlier server's folder, as its Python program made it.
type earlier struct {
	t      *testing.T
	folder string
	db     *sql.DB
}

func newEarlier(t *testing.T) *earlier {
	t.Helper()
	e := &earlier{t: t, folder: t.TempDir()}
	if err := os.Mkdir(filepath.Join(e.folder, "received_files"), 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	if e.db, err = sql.Open("sqlite", filepath.Join(e.folder, "defensive.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.db.Close() })
	e.exec(`CREATE TABLE clients (ID BLOB(16) NOT NULL PRIMARY KEY, Name VARCHAR(255) NOT NULL, PublicKey BLOB(160), LastSeen TEXT, AESKey BLOB(32))`)
	e.exec(`CREATE TABLE files (ID BLOB(16) NOT NULL, FileName VARCHAR(255) NOT NULL, PathName VARCHAR(255) NOT NULL, Verified BOOLEAN)`)
	return e
}

func (e *earlier) exec(statement string, args ...any) {
	e.t.Helper()
	if _, err := e.db.Exec(statement, args...); err != nil {
		e.t.Fatal(err)
	}
}

func (e *earlier) client(id any, name any, key []byte) {
	e.t.Helper()
	e.exec(`INSERT INTO clients VALUES (?, ?, ?, '2023-05-06 07:08:09.123456', ?)`, id, name, key, bytes.Repeat([]byte{7}, 32))
}

func (e *earlier) record(id store.ClientID, name, path any, verified any) {
	e.t.Helper()
	e.exec(`INSERT INTO files VALUES (?, ?, ?, ?)`, id[:], name, path, verified)
}

func (e *earlier) lay(name string, content []byte) {
	e.t.Helper()
	if err := os.WriteFile(filepath.Join(e.folder, "received_files", name), content, 0o644); err != nil {
		e.t.Fatal(err)
	}
}

// state is everything in the folder, with times.
func (e *earlier) state() string {
	e.t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(e.folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(&all, path, info.Mode(), info.ModTime())
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			fmt.Fprintf(&all, "%x\n", sha256.Sum256(content))
			return err
		}
		return nil
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return all.String()
}

// A here is this server's storage.
type here struct {
	t       *testing.T
	catalog *sqlite.Catalog
	blobs   *files.Store
}

func newHere(t *testing.T) *here {
	t.Helper()
	folder := t.TempDir()
	catalog, err := sqlite.Open(t.Context(), filepath.Join(folder, "defensive.db"))
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := files.Open(filepath.Join(folder, "received_files"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { blobs.Close(); catalog.Close() })
	return &here{t, catalog, blobs}
}

func (h *here) takeOver(e *earlier, adjust ...func(*importer.Options)) *importer.Report {
	h.t.Helper()
	opts := importer.Options{From: e.folder, Catalog: h.catalog, Blobs: h.blobs, LegacyCharset: charmap.Windows1252}
	for _, a := range adjust {
		a(&opts)
	}
	before := e.state()
	r, err := importer.Run(h.t.Context(), opts)
	if err != nil {
		h.t.Fatal(err)
	}
	if e.state() != before {
		h.t.Error("the earlier server's folder was changed")
	}
	return r
}

func dryRun(o *importer.Options) { o.DryRun = true }

// content opens a version as its owner would.
func (h *here) content(id store.ClientID, name string, key *rsa.PrivateKey, hash crypt.OAEPHash) ([]byte, store.Version) {
	h.t.Helper()
	v, err := h.catalog.Version(h.t.Context(), id, name, 0)
	if err != nil {
		h.t.Fatalf("%s: %v", name, err)
	}
	blob, err := h.blobs.Open(h.t.Context(), v.Blob)
	if err != nil {
		h.t.Fatal(err)
	}
	defer blob.Close()
	ciphertext, err := io.ReadAll(io.NewSectionReader(blob, 0, blob.Size()))
	if err != nil {
		h.t.Fatal(err)
	}
	if sha256.Sum256(ciphertext) != v.SHA256 || int64(len(ciphertext)) != v.Size {
		h.t.Errorf("%s: the ciphertext is not what its metadata says", name)
	}
	session, err := crypt.Unwrap(key, hash, v.WrappedKey)
	if err != nil {
		h.t.Fatal(err)
	}
	d := crypt.NewDecrypter(session)
	plain, err := d.Finish(d.Append(nil, ciphertext))
	if err != nil {
		h.t.Fatal(err)
	}
	if cksum.Sum(plain) != v.Cksum || int64(len(plain)) != v.OriginalSize {
		h.t.Errorf("%s: checksum or size is wrong", name)
	}
	return plain, v
}

func newKey(t *testing.T) (*rsa.PrivateKey, []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

func id(n byte) store.ClientID { return store.ClientID{0: 0xC0, 15: n} }

func idOf(n byte) []byte { i := id(n); return i[:] }

func bytesOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	return b
}

func padded(name string) []byte { return append([]byte(name), make([]byte, 255-len(name))...) }

func TestTakeOver(t *testing.T) {
	e, h := newEarlier(t), newHere(t)
	key, der := newKey(t)
	// As Crypto++ makes them: exponent 17, 160 bytes, here in a field of 162.
	key17 := testKey(t, "rsa1024_e17")
	der17, err := x509.MarshalPKIXPublicKey(&key17.PublicKey)
	if err != nil || len(der17) != 160 {
		t.Fatalf("a key of %d bytes: %v", len(der17), err)
	}
	e.client(idOf(1), "anna", der)
	e.client(idOf(2), padded("b\xe9la"), append(bytes.Clone(der17), 0, 0))
	contents := map[string][]byte{
		"empty": {}, "one": {1}, "notes.txt": []byte("plain words"), "limit": bytesOf(64<<10 - 16), "over": bytesOf(64<<10 - 15),
		"big": bytesOf(3<<20 + 5), "שלום עולם.doc": bytesOf(100),
	}
	for name, content := range contents {
		e.lay(name, content)
		e.record(id(1), name, "received_files/"+name, name != "one")
	}
	e.lay("b.bin", bytesOf(1000))
	e.record(id(2), padded("b.bin"), padded(`C:\old\server\received_files\b.bin`), "True")

	dry := h.takeOver(e, dryRun)
	if n, err := h.catalog.Totals(t.Context()); err != nil || n.Clients != 0 {
		t.Fatalf("a dry run added %d clients (%v)", n.Clients, err)
	}
	var last, all int64
	r := h.takeOver(e, func(o *importer.Options) { o.Progress = func(done, total int64) { last, all = done, total } })
	dry.DryRun = false
	if !sameReport(dry, r) {
		t.Errorf("the dry run foretold\n%+v\nand it was\n%+v", dry, r)
	}
	if last == 0 || last != all {
		t.Errorf("progress ended at %d of %d", last, all)
	}
	if want := (importer.Counts{Found: 2, Taken: 2}); r.Clients != want {
		t.Errorf("clients: %+v", r.Clients)
	}
	if want := (importer.Counts{Found: 8, Taken: 8}); r.Files != want || len(r.LeftOut) != 0 {
		t.Errorf("files: %+v, left out: %+v", r.Files, r.LeftOut)
	}
	anna, err := h.catalog.Client(t.Context(), id(1))
	if err != nil || anna.Name != "anna" || !bytes.Equal(anna.PublicKey, der) || anna.OAEPHash != "sha256" || anna.SessionKey != nil {
		t.Errorf("anna is %+v, %v", anna, err)
	}
	if seen := anna.LastSeen.In(time.Local).Format(time.DateTime); seen != "2023-05-06 07:08:09" {
		t.Errorf("last seen %s", seen)
	}
	bela, err := h.catalog.ClientByName(t.Context(), "béla")
	if err != nil || bela.ID != id(2) || !bytes.Equal(bela.PublicKey, der17) || bela.OAEPHash != "sha1" {
		t.Errorf("béla is %+v, %v", bela, err)
	}
	for name, want := range contents {
		got, v := h.content(id(1), name, key, crypt.SHA256)
		if !bytes.Equal(got, want) || v.Verified != (name != "one") || v.Number != 1 {
			t.Errorf("%q: %d bytes of %d, %+v", name, len(got), len(want), v)
		}
	}
	if got, v := h.content(id(2), "b.bin", key17, crypt.SHA1); !bytes.Equal(got, bytesOf(1000)) || !v.Verified {
		t.Errorf("b.bin: %d bytes", len(got))
	}

	// Again: nothing new, and nothing twice.
	r = h.takeOver(e)
	if r.Clients != (importer.Counts{Found: 2, Present: 2}) || r.Files != (importer.Counts{Found: 8, Present: 8}) || len(r.LeftOut) != 0 {
		t.Errorf("the second run: %+v", r)
	}
	// A file that changed there is a new version here.
	e.lay("notes.txt", []byte("other words"))
	if r = h.takeOver(e); r.Files != (importer.Counts{Found: 8, Taken: 1, Present: 7}) {
		t.Errorf("after a change: %+v", r)
	}
	if got, v := h.content(id(1), "notes.txt", key, crypt.SHA256); string(got) != "other words" || v.Number != 2 {
		t.Errorf("after a change: %q, version %d", got, v.Number)
	}
	// Account records and metadata are enough to rebuild the catalog.
	var records, confirmed int
	err = h.blobs.AccountRecords(t.Context(), func(store.AccountRecord) error { records++; return nil })
	if walk := h.blobs.Walk(t.Context(), func(b store.StoredBlob) error {
		if b.Confirmed != nil {
			confirmed++
		}
		return nil
	}); err != nil || walk != nil || records != 2 || confirmed != 9 {
		t.Errorf("%d account records, %d confirmed blobs; %v, %v", records, confirmed, err, walk)
	}
}

func sameReport(a, b *importer.Report) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func testKey(t *testing.T, name string) *rsa.PrivateKey {
	t.Helper()
	return pemKey(t, filepath.Join("..", "..", "protocol", "testdata", name+".key.pem"))
}

func TestIrregularities(t *testing.T) {
	e, h := newEarlier(t), newHere(t)
	_, der := newKey(t)
	other, otherDER := newKey(t)
	e.client(idOf(1), "anna", der)
	e.client(idOf(2), "ben", der)
	e.client(idOf(3), "keyless", nil)
	e.client(idOf(4), "broken key", []byte("no DER at all"))
	e.client(idOf(5), "../up", der)
	e.client([]byte{1, 2, 3}, "short id", der)
	e.client(idOf(6), "twin", der)
	e.client(idOf(7), "twin", der)
	e.client(idOf(8), "taken here", der)
	e.client(idOf(9), "id taken here", der)
	e.client(idOf(10), "other key here", der)
	for _, c := range []store.Client{
		{ID: id(108), Name: "taken here"}, {ID: id(9), Name: "somebody"}, {ID: id(10), Name: "other key here", PublicKey: otherDER, OAEPHash: "sha256"},
	} {
		if err := h.catalog.AddClient(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"good", "shared", "aliased", "stray", "of keyless", "of broken", "of twin", "of nobody", "twice a", "twice b", "of other"} {
		e.lay(name, []byte(name))
	}
	if err := os.WriteFile(filepath.Join(e.folder, "outside"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../outside", filepath.Join(e.folder, "received_files", "link")); err != nil {
		t.Fatal(err)
	}
	e.record(id(1), "good", "received_files/good", 1)
	e.record(id(1), "good", "received_files/good", 1) // the same again is no irregularity
	e.record(id(1), "shared", "received_files/shared", 1)
	e.record(id(2), "shared", "received_files/shared", 1)
	e.record(id(1), "aliased", "received_files/aliased", 1)
	e.record(id(1), "alias", "received_files/aliased", 1)
	e.record(id(1), "missing", "received_files/missing", 1)
	e.record(id(1), "escape", "received_files/../outside", 1)
	e.record(id(1), "absolute", "/etc/passwd", 1)
	e.record(id(1), "link", "received_files/link", 1)
	e.record(id(1), "bad\nname", "received_files/x", 1)
	e.record(id(1), "twice", "received_files/twice a", 1)
	e.record(id(1), "twice", "received_files/twice b", 1)
	e.record(id(3), "of keyless", "of keyless", 1)
	e.record(id(4), "of broken", "", 1) // no path: under its name
	e.record(id(6), "of twin", "of twin", 1)
	e.record(id(10), "of other", "of other", 1)
	e.record(id(99), "of nobody", "of nobody", 1)

	want := []string{
		"client unusable|../up|",
		"client unusable|short id|",
		"client unusable|twin|",
		"client unusable|twin|",
		"client unusable|taken here|",
		"client unusable|id taken here|",
		"client's key differs|other key here|",
		"client without key|keyless|",
		"client without key|broken key|",
		"file claimed twice|anna|shared",
		"file claimed twice|ben|shared",
		"file claimed twice|anna|aliased",
		"file claimed twice|anna|alias",
		"record without file|anna|missing",
		"record without file|anna|link",
		"record unusable|anna|escape",
		"record unusable|anna|absolute",
		"record unusable|anna|bad?name",
		"recorded twice|anna|twice",
		"recorded twice|anna|twice",
		"file of such a client|keyless|of keyless",
		"file of such a client|broken key|of broken",
		"file of such a client|twin|of twin",
		"file of such a client|other key here|of other",
		"record unusable|(unknown)|of nobody",
		"file without record||stray",
	}
	slices.Sort(want)
	for _, adjust := range []func(*importer.Options){dryRun, func(*importer.Options) {}} {
		r := h.takeOver(e, adjust)
		var got []string
		for _, f := range r.LeftOut {
			got = append(got, fmt.Sprintf("%s|%s|%s", f.Kind, f.Client, f.File))
			if f.Reason == "" {
				t.Errorf("%+v has no reason", f)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("left out:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if r.Files.Taken != 1 || r.Clients.Taken != 4 || r.Clients.Present != 0 {
			t.Errorf("dry run %t: %+v, %+v", r.DryRun, r.Clients, r.Files)
		}
		var text strings.Builder
		if err := r.Print(&text); err != nil || strings.Count(text.String(), "\n") != 3+len(want) {
			t.Errorf("%v\n%s", err, text.String())
		}
		if strings.Contains(text.String(), "\xc0") || strings.Contains(text.String(), "c0000000") {
			t.Error("the report shows an id")
		}
	}
	totals, err := h.catalog.Totals(t.Context())
	if err != nil || totals.Versions != 1 {
		t.Errorf("%d versions (%v)", totals.Versions, err)
	}

	// Once the client has sent its key here, the next run takes its file over.
	_, err = h.catalog.UpdateClient(t.Context(), id(3), func(c *store.Client) error {
		c.PublicKey, c.OAEPHash = otherDER, "sha256"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := h.takeOver(e); r.Files.Taken != 1 || r.Files.Present != 1 {
		t.Errorf("with a key: %+v", r.Files)
	}
	if got, _ := h.content(id(3), "of keyless", other, crypt.SHA256); string(got) != "of keyless" {
		t.Errorf("of keyless is %q", got)
	}
}

// What a client has backed up here since is newer, and stays the newest.
func TestNewerHere(t *testing.T) {
	e, h := newEarlier(t), newHere(t)
	_, der := newKey(t)
	e.client(idOf(1), "anna", der)
	e.lay("f", []byte("old"))
	e.record(id(1), "f", "f", 1)
	if r := h.takeOver(e); r.Files.Taken != 1 {
		t.Fatalf("%+v", r)
	}
	v, err := h.catalog.Version(t.Context(), id(1), "f", 0)
	if err != nil {
		t.Fatal(err)
	}
	v.Upload, v.Cksum, v.Blob = store.UploadID{1}, 77, "another"
	if _, _, err := h.catalog.Commit(t.Context(), v, store.Retention{Versions: 1}); err != nil {
		t.Fatal(err)
	}
	r := h.takeOver(e)
	if r.Files.Taken != 0 || len(r.LeftOut) != 1 || r.LeftOut[0].Kind != importer.FileNewerHere {
		t.Errorf("%+v", r)
	}
}

// A run that was interrupted says so, and the next one goes on.
func TestInterrupted(t *testing.T) {
	e, h := newEarlier(t), newHere(t)
	_, der := newKey(t)
	e.client(idOf(1), "anna", der)
	for _, name := range []string{"a", "b"} {
		e.lay(name, bytesOf(1<<20))
		e.record(id(1), name, name, 1)
	}
	ctx, cancel := context.WithCancel(t.Context())
	opts := importer.Options{From: e.folder, Catalog: h.catalog, Blobs: h.blobs, Progress: func(_, _ int64) { cancel() }}
	r, err := importer.Run(ctx, opts)
	var text strings.Builder
	if !errors.Is(err, context.Canceled) || r.Whole || r.Files.Taken != 1 || r.Print(&text) != nil || !strings.Contains(text.String(), "stopped before the end") {
		t.Errorf("%v, %+v\n%s", err, r, &text)
	}
	if r := h.takeOver(e); !r.Whole || r.Files != (importer.Counts{Found: 2, Taken: 1, Present: 1}) {
		t.Errorf("the next run: %+v", r)
	}
	var parts int
	if err := h.blobs.Parts(t.Context(), func(p store.Part, _ []byte, _ [][]byte) error { parts++; return p.Close() }); err != nil || parts != 0 {
		t.Errorf("%d parts are left over (%v)", parts, err)
	}
}

func TestRefusesOtherFolders(t *testing.T) {
	e, h := newEarlier(t), newHere(t)
	run := func(folder string) error {
		_, err := importer.Run(t.Context(), importer.Options{From: folder, Catalog: h.catalog, Blobs: h.blobs})
		return err
	}
	e.exec(`DROP TABLE files`)
	if err := run(e.folder); err == nil || !strings.Contains(err.Error(), "not an earlier server's") {
		t.Errorf("without a table: %v", err)
	}
	if err := run(t.TempDir()); err == nil {
		t.Error("an empty folder was taken")
	}
	ours := t.TempDir()
	c, err := sqlite.Open(t.Context(), filepath.Join(ours, "defensive.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := os.Mkdir(filepath.Join(ours, "received_files"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := run(ours); err == nil || !strings.Contains(err.Error(), "own kind of catalog") {
		t.Errorf("this server's own folder: %v", err)
	}
}
