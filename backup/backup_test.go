package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/client"
	"coffer/protocol"
	"coffer/protocol/cksum"
	"coffer/seal"
)

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func writeFile(t *testing.T, b []byte) Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := Path(path)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func identity(t *testing.T) *seal.Identity {
	t.Helper()
	id, err := seal.GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return &id
}

func TestRoundTrip(t *testing.T) {
	id := identity(t)
	for _, size := range []int{0, 1, 15, 16, 1023, 1024, 1025, 300_000} {
		for _, sealedTo := range []*seal.Identity{nil, id} {
			for _, stream := range []bool{false, true} {
				f, session := newFake(t)
				f.cutRead = map[int]bool{1: true, 3: true}
				want := content(size)
				source := writeFile(t, want)
				if stream {
					source = Stream(bytes.NewReader(want))
				}
				result, err := backUp(t, session, source, Options{Identity: sealedTo})
				if err != nil {
					t.Fatal(err)
				}
				if sealedTo == nil && result.Cksum != cksum.Sum(want) || result.Size != uint64(size) || result.Version != 1 {
					t.Errorf("result %+v", result)
				}
				var got bytes.Buffer
				if _, err := Restore(context.Background(), session, "x", 0, RestoreOptions{Identity: id, Writer: &got, Trust: Trust{AcceptUnsealed: true}}); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got.Bytes(), want) {
					t.Errorf("%d bytes came back as %d others", size, got.Len())
				}
			}
		}
	}
}

func TestFolderRoundTrip(t *testing.T) {
	_, session := newFake(t)
	id := identity(t)
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "a", "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "a", "f"), content(5000), 0o640); err != nil {
		t.Fatal(err)
	}
	source, err := Path(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backUp(t, session, source, Options{Identity: id}); err != nil {
		t.Fatal(err)
	}
	opts := RestoreOptions{Identity: id, Path: filepath.Join(t.TempDir(), "back")}
	for i, want := range []error{nil, ErrExists, nil} {
		opts.Force = i == 2
		if _, err := Restore(context.Background(), session, "x", 0, opts); !errors.Is(err, want) {
			t.Fatalf("restore %d: %v", i, err)
		}
		got, err := os.ReadFile(filepath.Join(opts.Path, "a", "f"))
		if err != nil || !bytes.Equal(got, content(5000)) {
			t.Errorf("restore %d: %v", i, err)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(opts.Path), ".*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestBrokenConnections(t *testing.T) {
	drop := func(numbers ...uint32) func(*fake) {
		return func(f *fake) {
			for _, n := range numbers {
				delete(f.packets, n)
			}
		}
	}
	for _, test := range []struct {
		name   string
		cutAt  map[int]bool
		onCut  func(*fake)
		stream bool
		begun  int
		want   error
	}{
		{name: "cut", cutAt: map[int]bool{5: true, 9: true, 30: true}, stream: true, begun: 1},
		{name: "cut at the first", cutAt: map[int]bool{1: true}, stream: true, begun: 1},
		{name: "cut at the last", cutAt: map[int]bool{21: true}, stream: true, begun: 1},
		{name: "lost from the window", cutAt: map[int]bool{12: true}, onCut: drop(11), stream: true, begun: 1},
		{name: "lost long ago, file", cutAt: map[int]bool{15: true}, onCut: drop(1), begun: 2},
		{name: "lost long ago, stream", cutAt: map[int]bool{15: true}, onCut: drop(1), stream: true, begun: 1, want: ErrLost},
		{name: "forgotten, file", cutAt: map[int]bool{15: true}, onCut: func(f *fake) { f.packets = nil }, begun: 2},
		{name: "forgotten, stream", cutAt: map[int]bool{15: true}, onCut: func(f *fake) { f.packets = nil }, stream: true, begun: 1, want: ErrLost},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, session := newFake(t)
			f.cutAt, f.onCut = test.cutAt, test.onCut
			data := content(20 * 1024)
			source := writeFile(t, data)
			if test.stream {
				source = Stream(bytes.NewReader(data))
			}
			result, err := backUp(t, session, source, Options{})
			if !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			if err == nil && result.Cksum != cksum.Sum(data) {
				t.Error("wrong checksum")
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.begun != test.begun {
				t.Errorf("%d uploads begun, want %d", f.begun, test.begun)
			}
			// Only what was under way is sent again: 21 packets in all.
			if sent := 21 * test.begun; f.received > sent+len(test.cutAt)*(defaultInFlight+2) {
				t.Errorf("%d packets received for %d", f.received, sent)
			}
		})
	}
}

func TestWrongChecksum(t *testing.T) {
	for _, test := range []struct {
		wrong  int
		stream bool
		want   error
	}{
		{wrong: 1}, {wrong: 3}, {wrong: 4, want: ErrChecksum}, {wrong: 1, stream: true, want: ErrChecksum},
	} {
		f, session := newFake(t)
		f.wrongSums = test.wrong
		source := writeFile(t, content(3000))
		if test.stream {
			source = Stream(bytes.NewReader(content(3000)))
		}
		if _, err := backUp(t, session, source, Options{}); !errors.Is(err, test.want) {
			t.Errorf("%d wrong: %v", test.wrong, err)
		}
		f.mu.Lock()
		if f.wrongSums != 0 || f.begun != 1 || test.stream && f.canceled != 1 {
			t.Errorf("%d wrong: %d still to come, %d begun, %d cancelled", test.wrong, f.wrongSums, f.begun, f.canceled)
		}
		f.mu.Unlock()
	}
}

func TestFailuresCancel(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		f, session := newFake(t)
		f.refuse = &protocol.Failure{Status: protocol.StatusNoSpace, Message: "full"}
		if _, err := backUp(t, session, writeFile(t, content(10)), Options{}); !client.IsStatus(err, protocol.StatusNoSpace) {
			t.Error(err)
		}
	})
	t.Run("source fails", func(t *testing.T) {
		f, session := newFake(t)
		broken := errors.New("broken")
		source := Stream(io.MultiReader(bytes.NewReader(content(50_000)), errReader{broken}))
		if _, err := backUp(t, session, source, Options{}); !errors.Is(err, broken) {
			t.Error(err)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.canceled != 1 {
			t.Error("not cancelled")
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		f, session := newFake(t)
		ctx, cancel := context.WithCancel(context.Background())
		opts := Options{PacketSize: 1024, Progress: func(_ string, done, _ int64) {
			if done > 500_000 {
				cancel()
			}
		}}
		if _, err := Backup(ctx, session, "x", writeFile(t, content(2_000_000)), opts); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.canceled != 1 {
			t.Error("not cancelled")
		}
	})
	t.Run("changed", func(t *testing.T) {
		_, session := newFake(t)
		source := writeFile(t, content(600_000))
		opts := Options{Progress: func(string, int64, int64) { os.Truncate(source.path, 300_000) }}
		if _, err := backUp(t, session, source, opts); !errors.Is(err, ErrChanged) {
			t.Error(err)
		}
	})
}

type errReader struct{ error }

func (e errReader) Read([]byte) (int, error) { return 0, e.error }

func TestDamagedContentIsNotRestored(t *testing.T) {
	for name, damage := range map[string]func([]byte){
		"middle": func(b []byte) { b[len(b)/2] ^= 1 },
		"end":    func(b []byte) { b[len(b)-1] ^= 1 },
	} {
		for _, id := range []*seal.Identity{nil, identity(t)} {
			f, session := newFake(t)
			f.damage = damage
			if _, err := backUp(t, session, writeFile(t, content(100_000)), Options{Identity: id}); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "back")
			_, err := Restore(context.Background(), session, "x", 0, RestoreOptions{Identity: id, Path: path, Trust: Trust{AcceptUnsealed: true}})
			if !errors.Is(err, ErrChecksum) && !errors.Is(err, seal.ErrTampered) {
				t.Errorf("%s: %v", name, err)
			}
			if left, _ := os.ReadDir(filepath.Dir(path)); len(left) > 0 {
				t.Errorf("%s: something was left behind: %v", name, left)
			}
			if _, err := Verify(context.Background(), session, "x", 0, id, Trust{AcceptUnsealed: true}, nil); err == nil {
				t.Errorf("%s: verified", name)
			}
		}
	}
}

func TestOtherKeyAndUnknownFormat(t *testing.T) {
	f, session := newFake(t)
	id := identity(t)
	if _, err := backUp(t, session, writeFile(t, []byte("hello")), Options{Identity: id}); err != nil {
		t.Fatal(err)
	}
	f.files["x"].info.Format = protocol.FormatUnknown
	for _, test := range []struct {
		id     *seal.Identity
		opened bool
	}{{id, true}, {identity(t), false}, {nil, false}} {
		var got strings.Builder
		if _, err := Restore(context.Background(), session, "x", 0, RestoreOptions{Identity: test.id, Writer: &got, Trust: Trust{AcceptUnsealed: true}}); err != nil {
			t.Fatal(err)
		}
		if opened := got.String() == "hello"; opened != test.opened {
			t.Errorf("opened: %v", opened)
		}
	}
	f.files["x"].info.KeyFingerprint[0] ^= 1
	if _, err := Verify(context.Background(), session, "x", 0, id, Trust{}, nil); !errors.Is(err, ErrOtherKey) {
		t.Error(err)
	}
}
