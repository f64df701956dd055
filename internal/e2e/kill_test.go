package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"coffer/client"
	"coffer/protocol"
	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
)

// killsPerFolder is how often a server is killed before the next begins with an
// empty folder, so that reading everything back stays a matter of seconds.
const killsPerFolder = 20

// The server is killed at random moments while clients upload. COFFER_KILLS
// says how often; 10 times otherwise.
func TestKilledUnderLoad(t *testing.T) {
	kills := 10
	if s := os.Getenv("COFFER_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("COFFER_KILLS=%q is no number of kills", s)
		}
		kills = n
	}
	for ; kills > 0; kills -= killsPerFolder {
		if !t.Run("", func(t *testing.T) { testKills(t, min(kills, killsPerFolder)) }) {
			return
		}
	}
}

func testKills(t *testing.T, kills int) {
	args := []string{"--keep-versions", "0"}
	c := newCore(t, args...)
	var uploaders []*uploader
	for i := range 6 {
		uploaders = append(uploaders, newUploader(t, c.addr, i))
	}
	for round := range kills {
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for _, u := range uploaders {
			running.Go(func() { u.upload(ctx, round) })
		}
		<-time.After(mathrand.N(400 * time.Millisecond)) // the random moment
		c.kill()
		cancel()
		running.Wait()
		c.restart(t, args...)
		for _, u := range uploaders {
			u.check(t, round == kills-1)
		}
		if t.Failed() {
			t.Fatalf("after kill %d", round+1)
		}
	}
	answered, open := 0, 0
	for _, u := range uploaders {
		answered += len(u.attempts)
		open += u.unanswered
	}
	t.Logf("%d kills: %d files are there, %d uploads were broken off", kills, answered, open)
	if answered == 0 || open == 0 {
		t.Error("the server was never killed at work")
	}
}

// An attempt is one upload.
type attempt struct {
	name     string
	content  []byte
	answered bool // the server said that it is committed
	read     bool // it was read back
}

// An uploader uploads until its connection breaks, small and large files, as
// base clients do and by the extensions, new names and old ones.
type uploader struct {
	session  *client.Session
	addr     string
	name     string
	id       protocol.ClientID
	key      *rsa.PrivateKey
	attempts []*attempt
	random   *mathrand.Rand
	count    int

	unanswered int // attempts that came to nothing, or were broken off
}

func newUploader(t *testing.T, addr string, number int) *uploader {
	t.Helper()
	u := &uploader{addr: addr, name: fmt.Sprint("uploader ", number), random: mathrand.New(mathrand.NewPCG(mathrand.Uint64(), 1))}
	var err error
	if u.key, err = rsa.GenerateKey(rand.Reader, 1024); err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&u.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := client.Dial(t.Context(), addr, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if u.id, err = conn.Register(t.Context(), u.name); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.SendPublicKey(t.Context(), u.id, u.name, der); err != nil {
		t.Fatal(err)
	}
	u.session, err = client.NewSession(client.Credentials{Addr: addr, Name: u.name, Client: u.id, Key: u.key}, client.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.session.Close)
	return u
}

// upload uploads until something fails, which the end of the server does.
func (u *uploader) upload(ctx context.Context, round int) {
	conn, err := client.Dial(ctx, u.addr, client.Options{Timeout: patience})
	if err != nil {
		return
	}
	defer conn.Close()
	answer, err := conn.Reconnect(ctx, u.id, u.name)
	if err != nil {
		return
	}
	key, err := crypt.Unwrap(u.key, crypt.SHA256, answer.WrappedKey)
	if err != nil || conn.Prove(ctx, u.id, key) != nil {
		return
	}
	for err == nil {
		u.unanswered++
		u.count++
		a := &attempt{name: fmt.Sprintf("round %d/file %d", round, u.count)}
		if u.count%5 == 0 {
			a.name = "again and again"
		}
		size := u.random.IntN(6000)
		if u.count%4 == 0 {
			size = 200_000 + u.random.IntN(2_000_000)
		}
		a.content = randomBytes(u.random.Uint64(), size)
		if u.count%2 == 0 {
			err = u.base(ctx, conn, a, key)
		} else {
			err = u.extension(ctx, conn, a)
		}
		if a.answered {
			u.unanswered--
		}
	}
}

// base uploads with 1028 and 1029.
func (u *uploader) base(ctx context.Context, conn *client.Conn, a *attempt, key crypt.SessionKey) error {
	size := uint32(crypt.CiphertextLen(uint64(len(a.content))))
	received, err := conn.SendFile(ctx, u.id, a.name, uint32(len(a.content)),
		crypt.NewEncryptReader(bytes.NewReader(a.content), key), size, 100_000)
	if err != nil {
		return err
	}
	if received.Cksum != cksum.Sum(a.content) {
		return errors.New("a wrong checksum")
	}
	u.attempts = append(u.attempts, a)
	err = conn.ChecksumOK(ctx, u.id, a.name)
	a.answered = err == nil
	return err
}

// extension uploads with 1034, 1035 and 1038.
func (u *uploader) extension(ctx context.Context, conn *client.Conn, a *attempt) error {
	begun, err := conn.BeginUpload(ctx, u.id, protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Name: a.name})
	if err != nil {
		return err
	}
	key, err := u.session.Unwrap(begun.OAEPHash, begun.WrappedKey)
	if err != nil {
		return err
	}
	ciphertext, err := io.ReadAll(crypt.NewEncryptReader(bytes.NewReader(a.content), key))
	if err != nil {
		return err
	}
	pieces := cut(ciphertext, 160_000)
	for i, piece := range pieces {
		m := protocol.UploadPacket{Upload: begun.Upload, Number: uint32(i + 1), Last: i == len(pieces)-1}
		if _, err := conn.UploadPacket(ctx, u.id, m, piece); err != nil {
			return err
		}
	}
	u.attempts = append(u.attempts, a)
	result, err := conn.VerifyUpload(ctx, u.id, protocol.VerifyUpload{
		Cksum: cksum.Sum(a.content), Ref: protocol.UploadRef{ByID: true, Upload: begun.Upload},
	})
	a.answered = err == nil && result.Verified
	return err
}

// check compares what is listed with what was answered, and reads back what
// was not yet, or all of it.
func (u *uploader) check(t *testing.T, all bool) {
	t.Helper()
	type content struct {
		name  string
		size  uint64
		cksum uint32
	}
	known := make(map[content]*attempt, len(u.attempts))
	for _, a := range u.attempts {
		known[content{a.name, uint64(len(a.content)), cksum.Sum(a.content)}] = a
	}
	listed := make(map[*attempt]bool)
	for entry := range u.list(t) {
		a := known[content{entry.Name, entry.OriginalSize, entry.Cksum}]
		switch {
		case a == nil:
			t.Errorf("%s: %q, version %d, was never confirmed and is listed", u.name, entry.Name, entry.Version)
		case listed[a]:
			t.Errorf("%s: %q, version %d, is listed twice", u.name, entry.Name, entry.Version)
		case all || !a.read:
			listed[a], a.read = true, true
			u.readBack(t, entry, a.content)
		default:
			listed[a] = true
		}
	}
	// What is not there now must not turn up later.
	u.attempts = slices.DeleteFunc(u.attempts, func(a *attempt) bool {
		if a.answered && !listed[a] {
			t.Errorf("%s: %q was answered for and is lost", u.name, a.name)
		}
		return !listed[a]
	})
}

// list visits every version that the server has.
func (u *uploader) list(t *testing.T) func(yield func(protocol.FileEntry) bool) {
	return func(yield func(protocol.FileEntry) bool) {
		m := protocol.ListFiles{Limit: protocol.MaxListFiles, AllVersions: true}
		for {
			var page *protocol.FileList
			err := u.session.Do(t.Context(), func(conn *client.Conn) (err error) {
				page, err = conn.ListFiles(t.Context(), u.id, m)
				return err
			})
			if err != nil {
				t.Fatalf("%s: list: %v", u.name, err)
			}
			for _, entry := range page.Files {
				if !yield(entry) {
					return
				}
				m.AfterName, m.AfterVersion = entry.Name, entry.Version
			}
			if !page.More {
				return
			}
		}
	}
}

func (u *uploader) readBack(t *testing.T, entry protocol.FileEntry, want []byte) {
	t.Helper()
	err := u.session.Do(t.Context(), func(conn *client.Conn) error {
		info, err := conn.GetFile(t.Context(), u.id, entry.Name, entry.Version)
		if err != nil {
			return err
		}
		key, err := u.session.Unwrap(info.OAEPHash, info.WrappedKey)
		if err != nil {
			return err
		}
		_, content, err := conn.ReadFile(t.Context(), u.id, protocol.ReadFile{Name: entry.Name, Version: entry.Version})
		if err != nil {
			return err
		}
		defer content.Close()
		got, err := io.ReadAll(crypt.NewDecryptReader(content, key))
		if err == nil && !bytes.Equal(got, want) {
			err = errors.New("its content is another")
		}
		return err
	})
	if err != nil {
		t.Errorf("%s: %q, version %d: %v", u.name, entry.Name, entry.Version, err)
	}
}
