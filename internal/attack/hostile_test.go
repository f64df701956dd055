package attack

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"coffer/client"
	"coffer/internal/stack"
	"coffer/protocol"
	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
)

// A hostile is a server that turns on a person: it knows what a server knows,
// which is ids, names, the public key, and all ciphertexts with their wrapped
// keys, and it answers as it likes.
type hostile struct {
	addr   string
	key    *rsa.PublicKey
	served atomic.Int64 // bytes of content

	mu    sync.Mutex
	files map[string][]stored // what it says there is, newest first
	// endless: content never ends, and neither does a list.
	endless  bool
	unsorted bool   // the list
	message  string // of what it does not find
}

// stored is one version.
type stored struct {
	info    protocol.FileInfo
	content []byte
}

// turn makes a hostile of all that an honest server has of a person, and points
// the person at it.
func turn(t *testing.T, p *stack.Person, names ...string) *hostile {
	t.Helper()
	path := filepath.Join(p.Home, "profile.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var profile struct {
		Server   string `json:"server"`
		Username string `json:"username"`
		ClientID string `json:"client_id"`
		RSAKey   []byte `json:"rsa_key"`
	}
	if err := json.Unmarshal(text, &profile); err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(profile.RSAKey)
	if err != nil {
		t.Fatal(err)
	}
	id, err := hex.DecodeString(profile.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	private := parsed.(*rsa.PrivateKey)
	h := &hostile{key: &private.PublicKey, files: map[string][]stored{}, message: "no such file"}
	session, err := client.NewSession(client.Credentials{Addr: profile.Server, Name: profile.Username, Client: protocol.ClientID(id), Key: private}, client.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for _, name := range names {
		h.files[name] = copyVersions(t, session, name)
	}
	h.attend(t, p)
	return h
}

// attend serves, and points the person at it.
func (h *hostile) attend(t *testing.T, p *stack.Person) {
	t.Helper()
	h.serve(t)
	path := filepath.Join(p.Home, "profile.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	fields["server"] = h.addr
	for _, transport := range []string{"tls", "tls_ca", "pin", "tls_pin"} {
		delete(fields, transport) // what it is reached by is another attack
	}
	text, err = json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// again is another person with the same backups, and the same hostile server
// for them alone: keys and honest backups cost more than most lies.
func again(t *testing.T, p *stack.Person, h *hostile) (*stack.Person, *hostile) {
	t.Helper()
	twin := stack.NewPerson(t)
	for from, to := range map[string]string{p.Home: twin.Home, p.Dir: twin.Dir} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(twin.Home, "profile.json"), 0o600); err != nil { // a copy is for all to read
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	own := &hostile{key: h.key, files: map[string][]stored{}, message: h.message}
	for name, versions := range h.files {
		for _, v := range versions {
			v.content = slices.Clone(v.content)
			own.files[name] = append(own.files[name], v)
		}
	}
	own.attend(t, twin)
	return twin, own
}

// copyVersions takes a copy of every version of a file.
func copyVersions(t *testing.T, session *client.Session, name string) (versions []stored) {
	t.Helper()
	ctx := t.Context()
	err := session.Do(ctx, func(conn *client.Conn) error {
		list, err := conn.ListFiles(ctx, session.Client(), protocol.ListFiles{Limit: 100, AllVersions: true, Only: name})
		if err != nil {
			return err
		}
		for _, e := range list.Files {
			info, err := conn.GetFile(ctx, session.Client(), name, e.Version)
			if err != nil {
				return err
			}
			_, r, err := conn.ReadFile(ctx, session.Client(), protocol.ReadFile{Version: e.Version, Name: name})
			if err != nil {
				return err
			}
			content, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			versions = append(versions, stored{*info, content})
		}
		return nil
	})
	if err != nil || len(versions) == 0 {
		t.Fatalf("%s: %d versions, %v", name, len(versions), err)
	}
	return versions
}

// forge makes a version of content that only the server has made.
func (h *hostile) forge(t *testing.T, name string, version uint32, format protocol.Format, plain []byte) stored {
	t.Helper()
	key, err := crypt.NewSessionKey()
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := crypt.Wrap(h.key, crypt.SHA256, key)
	if err != nil {
		t.Fatal(err)
	}
	enc := crypt.NewEncrypter(key)
	content := enc.Finish(enc.Append(nil, plain))
	return stored{protocol.FileInfo{
		FileEntry: protocol.FileEntry{Version: version, Size: uint64(len(content)), OriginalSize: uint64(len(plain)), Cksum: cksum.Sum(plain),
			SHA256: sha256.Sum256(content), Format: format, Verified: true, Name: name},
		KeyFingerprint: crypt.Fingerprint(h.key), WrappedKey: wrapped, OAEPHash: protocol.OAEPSHA256,
	}, content}
}

func (h *hostile) serve(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { nc.Close() })
			wg.Go(func() { defer stop(); defer nc.Close(); h.answer(nc) })
		}
	})
	t.Cleanup(func() { ln.Close(); cancel(); wg.Wait() })
}

func (h *hostile) answer(nc net.Conn) {
	for {
		header, err := protocol.ReadRequestHeader(nc)
		if err != nil {
			return
		}
		payload := make([]byte, header.Size)
		if _, err := io.ReadFull(nc, payload); err != nil {
			return
		}
		h.mu.Lock()
		m, content := h.respond(header, payload)
		h.mu.Unlock()
		n, err := nc.Write(append(protocol.AppendResponse(nil, m, uint32(len(content))), content...))
		if len(content) > 0 {
			h.served.Add(int64(n))
		}
		if err != nil {
			return
		}
	}
}

func (h *hostile) respond(header protocol.RequestHeader, payload []byte) (protocol.Message, []byte) {
	notFound := &protocol.Failure{Status: protocol.StatusNotFound, Message: h.message}
	switch header.Code {
	case protocol.CodeReconnect:
		key, err := crypt.NewSessionKey()
		if err != nil {
			return notFound, nil
		}
		wrapped, err := crypt.Wrap(h.key, crypt.SHA256, key)
		if err != nil {
			return notFound, nil
		}
		return &protocol.Reconnected{Client: header.Client, WrappedKey: wrapped}, nil
	case protocol.CodeChallenge:
		return &protocol.ChallengeIssued{}, nil
	case protocol.CodeProve:
		return &protocol.Done{}, nil // for every client
	case protocol.CodeListFiles:
		return h.list(), nil
	case protocol.CodeListSnapshots:
		return &protocol.SnapshotList{}, nil
	case protocol.CodeGetFile:
		var m protocol.GetFile
		if m.DecodePayload(payload) == nil {
			if v := h.find(m.Name, m.Version); v != nil {
				return &v.info, nil
			}
		}
	case protocol.CodeReadFile:
		var m protocol.ReadFile
		if m.DecodePayload(payload) != nil {
			break
		}
		v := h.find(m.Name, m.Version)
		if v == nil {
			break
		}
		if h.endless {
			return &protocol.FileContent{Version: v.info.Version, Size: v.info.Size, Offset: m.Offset}, make([]byte, min(1<<20, v.info.Size-m.Offset))
		}
		from := min(m.Offset, uint64(len(v.content)))
		return &protocol.FileContent{Version: v.info.Version, Size: uint64(len(v.content)), Offset: m.Offset}, v.content[from:]
	}
	return notFound, nil
}

func (h *hostile) list() *protocol.FileList {
	list := &protocol.FileList{More: h.endless}
	for _, name := range slices.Sorted(maps.Keys(h.files)) {
		if versions := h.files[name]; len(versions) > 0 {
			e := versions[0].info.FileEntry
			e.Name = name
			list.Files = append(list.Files, e)
		}
	}
	if h.unsorted {
		slices.Reverse(list.Files)
	}
	return list
}

func (h *hostile) find(name string, version uint32) *stored {
	for i := range h.files[name] {
		if v := &h.files[name][i]; version == 0 || v.info.Version == version {
			return v
		}
	}
	return nil
}

// lies are what a hostile server does, the message to the person, and the way
// to continue, if there is one.
type lie struct {
	name  string
	tell  func(t *testing.T, h *hostile)
	args  []string
	says  string // on standard error
	wayOn string // a flag by which the same command succeeds
}

// A server lies to a person who has backed up diary.txt, two versions,
// salary.txt, and open.txt unsealed: each lie is noticed, nothing appears, and
// the flag that is offered works.
func TestHostileServer(t *testing.T) {
	const evil = "#!/bin/sh\necho pwned\n"
	forge := func(name string, version uint32, format protocol.Format) func(*testing.T, *hostile) {
		return func(t *testing.T, h *hostile) {
			h.files[name] = append([]stored{h.forge(t, name, version, format, []byte(evil))}, h.files[name]...)
		}
	}
	restore := []string{"restore", "diary.txt", "-o", "out"}
	p, h := betrayed(t)
	for _, l := range []lie{
		{"unsealed, as a new version", forge("diary.txt", 3, protocol.FormatFile), restore, "not sealed", "--accept-unsealed"},
		{"unsealed, of unknown format", forge("diary.txt", 3, protocol.FormatUnknown), restore, "not sealed", "--accept-unsealed"},
		{"unsealed, of a format there is not", forge("diary.txt", 3, 99), restore, "not sealed", "--accept-unsealed"},
		{"unsealed, as a folder", forge("diary.txt", 3, protocol.FormatFolder), restore, "not sealed", ""},
		{"unsealed, said to be sealed", forge("diary.txt", 3, protocol.FormatSealedFile), restore, "not a sealed file", ""},
		{"unsealed, under a new name", forge("new.txt", 1, protocol.FormatFile), []string{"restore", "new.txt", "-o", "out"}, "not sealed", "--accept-unsealed"},
		{"unsealed, to standard output", forge("diary.txt", 3, protocol.FormatFile), []string{"restore", "diary.txt", "-o", "-"}, "not sealed", "--accept-unsealed"},
		{"unsealed, in place of a version", func(t *testing.T, h *hostile) {
			h.files["diary.txt"][0] = h.forge(t, "diary.txt", 2, protocol.FormatFile, []byte(evil))
		}, restore, "not the version that this machine last saw", ""},
		{"unsealed, verified", forge("diary.txt", 3, protocol.FormatFile), []string{"verify", "diary.txt"}, "1 of 1 versions cannot be restored", "--accept-unsealed"},
		{"another file in its place", func(t *testing.T, h *hostile) {
			h.files["diary.txt"][0] = h.files["salary.txt"][0]
		}, restore, "sent a different file", ""},
		{"another file under its name", func(t *testing.T, h *hostile) {
			other := h.files["salary.txt"][0]
			other.info.Name, other.info.Version = "diary.txt", 2
			h.files["diary.txt"][0] = other
		}, restore, "not the version that this machine last saw", "--accept-older"},
		{"another version than was asked for", func(t *testing.T, h *hostile) {
			h.files["diary.txt"] = h.files["diary.txt"][1:]
			h.files["diary.txt"][0].info.Version = 2
		}, []string{"restore", "diary.txt", "--version", "2", "-o", "out"}, "not the version that this machine last saw", "--accept-older"},
		{"a sealed file said to be a folder", func(t *testing.T, h *hostile) {
			h.files["diary.txt"][0].info.Format = protocol.FormatSealedFolder
		}, restore, "not the version that this machine last saw", ""},
		{"rolled back", func(t *testing.T, h *hostile) { h.files["diary.txt"] = h.files["diary.txt"][1:] },
			restore, "the newest version on the server is 1, but this machine has seen version 2", "--accept-older"},
		{"rolled back, verified", func(t *testing.T, h *hostile) { h.files["diary.txt"] = h.files["diary.txt"][1:] },
			[]string{"verify", "diary.txt"}, "1 of 1 versions cannot be restored", "--accept-older"},
		{"rolled back, listed", func(t *testing.T, h *hostile) { h.files["diary.txt"] = h.files["diary.txt"][1:] },
			[]string{"list"}, `"diary.txt": the newest version on the server is 1`, "--accept-older"},
		{"withheld", func(t *testing.T, h *hostile) { delete(h.files, "diary.txt") }, restore, "no longer on the server, although this machine has seen it", ""},
		{"withheld, listed", func(t *testing.T, h *hostile) { clear(h.files) }, []string{"list"}, `"salary.txt": version 1: no longer on the server`, "--accept-older"},
		{"withheld, all verified", func(t *testing.T, h *hostile) { delete(h.files, "salary.txt") }, []string{"verify", "--all"}, `"salary.txt": version 1: no longer`, "--accept-older"},
		{"truncated", func(t *testing.T, h *hostile) {
			v := &h.files["diary.txt"][0]
			v.content = v.content[:len(v.content)-16]
		}, restore, "broke the protocol", ""},
		{"truncated, and said so", func(t *testing.T, h *hostile) {
			v := &h.files["diary.txt"][0]
			v.content = v.content[:len(v.content)-16]
			v.info.Size, v.info.OriginalSize, v.info.SHA256 = v.info.Size-16, v.info.OriginalSize-16, sha256.Sum256(v.content)
		}, restore, "not the version that this machine last saw", ""},
		{"changed", func(t *testing.T, h *hostile) { h.files["diary.txt"][0].content[40] ^= 1 }, restore, "restore diary.txt", ""},
		{"endless", func(t *testing.T, h *hostile) {
			v := &h.files["diary.txt"][0]
			v.info.Size, v.info.OriginalSize, h.endless = 1<<50, 1<<50-16, true
		}, restore, "not the version that this machine last saw", ""},
		{"endless, sizes that do not match", func(t *testing.T, h *hostile) {
			v := &h.files["diary.txt"][0]
			v.info.Size, v.info.Version, h.endless = 1<<50, 3, true
		}, restore, "broke the protocol", ""},
		{"endless, what was sent unsealed", func(t *testing.T, h *hostile) {
			v := &h.files["open.txt"][0]
			v.info.Size, v.info.OriginalSize, h.endless = 1<<50+16, 1<<50, true
		}, []string{"restore", "open.txt", "-o", "out"}, "not the version that this machine last saw", ""},
		{"endless, sizes that match", func(t *testing.T, h *hostile) {
			v := &h.files["diary.txt"][0]
			v.info.Size, v.info.OriginalSize, v.info.Version, h.endless = 1<<50+16, 1<<50, 3, true
		}, restore, "no space left on the disk", ""},
		{"a list without end", func(t *testing.T, h *hostile) { h.endless = true }, []string{"list"}, "repeats itself", ""},
		{"a list that is not sorted", func(t *testing.T, h *hostile) { h.unsorted = true }, []string{"list"}, "out of order", ""},
	} {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			p, h := again(t, p, h)
			h.mu.Lock()
			l.tell(t, h)
			h.mu.Unlock()
			stdout, stderr, code := p.Run(t, l.args...)
			t.Logf("exit code %d, %d bytes served: %s", code, h.served.Load(), stderr)
			want := 1
			if l.wayOn != "" && (l.args[0] == "list" || slices.Contains(l.args, "--all")) {
				want = 3 // a list, and a check of everything, go on past what is wrong
			}
			if code != want || !strings.Contains(stderr, l.says) {
				t.Errorf("exit code %d, want %d and %q:\n%s%s", code, want, l.says, stdout, stderr)
			}
			if strings.Contains(stdout, "pwned") {
				t.Errorf("it came out: %q", stdout)
			}
			if left, err := filepath.Glob(filepath.Join(p.Dir, "*out*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %q, %v", left, err)
			}
			if n := h.served.Load(); n > 64<<20 {
				t.Errorf("%d bytes were read", n)
			}
			if l.wayOn == "" {
				return
			}
			if _, stderr, code := p.Run(t, append(l.args, l.wayOn)...); code != 0 {
				t.Errorf("with %s: exit code %d\n%s", l.wayOn, code, stderr)
			}
			if l.wayOn != "--accept-older" {
				return
			}
			if _, stderr, code := p.Run(t, append(slices.Clone(l.args), "--force")...); l.args[0] == "restore" && code != 0 {
				t.Errorf("it did not go on from there: exit code %d\n%s", code, stderr)
			}
		})
	}
}

// betrayed is a person with backups whose server turns hostile.
func betrayed(t *testing.T) (*stack.Person, *hostile) {
	t.Helper()
	core := stack.NewCore(t)
	p := stack.Register(t, core.Addr, "ada")
	for _, content := range []string{"monday", "tuesday"} {
		p.Write(t, "diary.txt", []byte(content))
		p.Must(t, "backup", "diary.txt", "--archive")
	}
	p.Write(t, "salary.txt", []byte("9999"))
	p.Must(t, "backup", "salary.txt", "--archive")
	p.Write(t, "open.txt", []byte("for all to read"))
	p.Must(t, "backup", "open.txt", "--no-seal")
	h := turn(t, p, "diary.txt", "salary.txt", "open.txt")
	if out := p.Must(t, "restore", "open.txt", "-o", "-"); out != "for all to read" {
		t.Fatalf("what was sent unsealed came back as %q", out)
	}
	if out := p.Must(t, "restore", "diary.txt", "-o", "-"); out != "tuesday" {
		t.Fatalf("an honest answer came back as %q", out)
	}
	return p, h
}

// What a server says reaches no terminal as it is.
func TestHostileWords(t *testing.T) {
	const words = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202eYOUR BACKUPS WERE LOST\r\n$ "
	p, h := betrayed(t)
	h.mu.Lock()
	h.message = words
	for _, name := range []string{words, "gpj\u202e.exe", "zero\u200bwidth"} {
		h.files[name] = []stored{h.forge(t, name, 1, protocol.FormatFile, []byte("x"))}
	}
	h.mu.Unlock()
	for _, args := range [][]string{
		{"list"}, {"list", "--json"}, {"verify", "--all"}, {"verify", "--all", "--json"}, {"verify", "--all", "--accept-unsealed"},
		{"restore", "nothing"}, {"restore", words, "-o", "out", "--accept-unsealed"}, {"restore", words}, {"status"}, {"status", "--json"},
		{"remove", words, "--yes"}, {"list", words}, {"backup", "salary.txt", "--name", "other"},
		{"backup", "salary.txt", "--name", "other", "--archive"},
	} {
		stdout, stderr, _ := p.Run(t, args...)
		for _, r := range stdout + stderr {
			if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e || r == 0x200b) {
				t.Errorf("coffer %q: %U reached the terminal:\n%q\n%q", args, r, stdout, stderr)
				break
			}
		}
	}
}

// On a machine that has seen nothing, what only the server says is marked.
func TestHostileToNewMachine(t *testing.T) {
	p, h := betrayed(t)
	if err := os.Remove(filepath.Join(p.Home, "seen.json")); err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	h.files["diary.txt"] = h.files["diary.txt"][1:]
	h.mu.Unlock()
	if out := p.Must(t, "restore", "diary.txt", "-o", "out"); !strings.Contains(out, "new to this machine") {
		t.Errorf("not marked: %s", out)
	}
	if out := p.Must(t, "restore", "diary.txt", "-o", "out2"); strings.Contains(out, "new to this machine") {
		t.Errorf("not remembered: %s", out)
	}
}

// Whatever length a server claims, random bytes are no sealed file.
func TestHostileNoise(t *testing.T) {
	p, h := betrayed(t)
	noise := make([]byte, 1<<20)
	rand.Read(noise)
	h.mu.Lock()
	v := h.forge(t, "diary.txt", 3, protocol.FormatSealedFolder, noise)
	h.files["diary.txt"] = append([]stored{v}, h.files["diary.txt"]...)
	h.mu.Unlock()
	if _, stderr, code := p.Run(t, "restore", "diary.txt", "-o", "out"); code != 1 || !strings.Contains(stderr, "not a sealed file") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}
