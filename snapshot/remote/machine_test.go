package remote_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"coffer/client"
	"coffer/protocol"
	"coffer/server/servertest"
	"coffer/snapshot"
	"coffer/snapshot/cache"
	"coffer/snapshot/pack"
	"coffer/snapshot/remote"
	"coffer/snapshot/scan"
	"coffer/snapshot/take"
	"coffer/snapshot/view"
)

// newKey makes an RSA key, and what a server learns of it.
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

func newSession(t *testing.T, c client.Credentials) *client.Session {
	t.Helper()
	session, err := client.NewSession(c, client.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return session
}

// newOwner registers an account.
func newOwner(t *testing.T, addr string) *client.Session {
	t.Helper()
	conn, err := client.Dial(t.Context(), addr, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	id, err := conn.Register(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	key, der := newKey(t)
	if _, err := conn.SendPublicKey(t.Context(), id, "ada", der); err != nil {
		t.Fatal(err)
	}
	return newSession(t, client.Credentials{Addr: addr, Name: "ada", Client: id, Key: key})
}

// newMachine adds a machine to an account.
func newMachine(t *testing.T, addr string, owner *client.Session, id snapshot.MachineID, name string) *client.Session {
	t.Helper()
	key, der := newKey(t)
	err := owner.Do(t.Context(), func(conn *client.Conn) error {
		return conn.AddMachine(t.Context(), owner.Client(), protocol.AddMachine{Machine: protocol.MachineID(id), Rights: protocol.RightSend, Name: name, DER: der})
	})
	if err != nil {
		t.Fatal(err)
	}
	return newSession(t, client.Credentials{Addr: addr, Client: protocol.ClientID(id), Key: key, Machine: true})
}

func deriveKeys(t *testing.T, identity string, id snapshot.MachineID) *snapshot.Keys {
	t.Helper()
	keys, err := snapshot.DeriveKeys(identity, id)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// A machine that was taken over, and that even learned the id of a chunk of its
// owner's, sends garbage under that id. Its owner, whose cache is new, still
// sends the chunk and gets it back; the garbage shows as what it is.
func TestMachineSendsGarbage(t *testing.T) {
	addr, _ := servertest.Start(t, nil)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	to := identity.Recipient()
	owner, machineID := newOwner(t, addr), snapshot.MachineID{7}
	ownerKeys, machineKeys := deriveKeys(t, identity.String(), snapshot.MachineID{}), deriveKeys(t, identity.String(), machineID)
	ofOwner, ofMachine := remote.New(owner, 0), remote.New(newMachine(t, addr, owner, machineID, "web1"), 0)

	truth := []byte(strings.Repeat("what is true ", 100))
	sendGarbage(t, ofMachine, machineKeys, to, ownerKeys.ChunkID(snapshot.Data, truth), len(truth))
	// It even begins the name that its owner is to use.
	if err := ofMachine.Begin(t.Context(), snapshot.RunID{9}, ownerKeys.WireName("home"), 0); err != nil {
		t.Error(err)
	}
	if err := ofMachine.End(t.Context(), snapshot.RunID{9}); err != nil {
		t.Error(err)
	}

	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "f"), truth, 0o600); err != nil {
		t.Fatal(err)
	}
	sources, err := scan.NewSources(root)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := cache.Open(filepath.Join(t.TempDir(), "cache"), []byte("owner"), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	made, err := take.Folder(t.Context(), ofOwner, take.Keys{Keys: ownerKeys, Recipient: to, Epoch: snapshot.Epoch(to.String())}, fresh, sources,
		take.Options{Label: "home", Source: "here:/home"})
	if err != nil || made.Added < uint64(len(truth)) {
		t.Fatalf("the owner added %d bytes, error %v", made.Added, err)
	}

	keys := view.Keys{Identity: identity, Machines: ofOwner.Machines,
		Of: func(m snapshot.MachineID) (*snapshot.Keys, error) { return snapshot.DeriveKeys(identity.String(), m) }}
	if content, err := read(t, ofOwner, keys, "home"); err != nil || content != string(truth) {
		t.Errorf("the owner's: %d bytes, error %v", len(content), err)
	}
	if _, err := read(t, ofOwner, keys, "home@web1"); !errors.Is(err, view.ErrDamaged) {
		t.Errorf("the machine's: %v, want %v", err, view.ErrDamaged)
	}
}

// sendGarbage makes a snapshot of one file, whose chunk is not what its id says.
func sendGarbage(t *testing.T, repo *remote.Repository, keys *snapshot.Keys, to age.Recipient, id snapshot.ChunkID, size int) {
	t.Helper()
	var sealed bytes.Buffer
	w, err := pack.NewWriter(&sealed, to)
	if err != nil {
		t.Fatal(err)
	}
	zstd, err := pack.NewCompressor(1)
	if err != nil {
		t.Fatal(err)
	}
	place, err := w.Add(id, size, zstd.Compress(nil, bytes.Repeat([]byte("garbage"), size)[:size]))
	if err != nil {
		t.Fatal(err)
	}
	packID, _, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	place.Pack = packID
	run, name := snapshot.RunID{1}, keys.WireName("home")
	m := &snapshot.Manifest{Machine: keys.Machine(), Epoch: "0011223344556677", Label: "home", Source: "there:/home", Paths: []string{"/home"},
		Root:  snapshot.Entry{Type: snapshot.File, Size: uint64(size), Content: []snapshot.Place{place}},
		Packs: snapshot.DigestPacks(slices.Values([]snapshot.PackID{packID}))}
	manifest, err := m.Seal(keys, to)
	if err != nil {
		t.Fatal(err)
	}
	machine := keys.Machine()
	head, err := (&snapshot.Head{Label: "home", Machine: &machine}).Seal(keys, name, run)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if err := errors.Join(repo.Begin(ctx, run, name, 0), repo.Put(ctx, run, packID, sealed.Bytes())); err != nil {
		t.Fatal(err)
	}
	_, missing, err := repo.Commit(ctx, take.Commit{Run: run, Name: name, Head: head, Manifest: manifest, Added: []snapshot.PackID{packID}})
	if err != nil || len(missing) > 0 {
		t.Fatalf("commit: %v, %d missing", err, len(missing))
	}
}

// read reads the file of a snapshot, which is its root or lies in it.
func read(t *testing.T, repo *remote.Repository, keys view.Keys, label string) (string, error) {
	t.Helper()
	s, err := view.Open(t.Context(), repo, keys, label, 0)
	if err != nil {
		t.Fatalf("%s: %v", label, err)
	}
	e := &s.Root
	if e.Type == snapshot.Dir {
		if e, err = s.Find(t.Context(), "f"); err != nil {
			t.Fatalf("%s: %v", label, err)
		}
	}
	var content strings.Builder
	err = s.Content(t.Context(), e, &content)
	return content.String(), err
}
