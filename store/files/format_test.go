package files

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"coffer/store"
)

// goldenMetadata has a different byte everywhere.
func goldenMetadata() store.Metadata {
	l := store.Metadata{
		ByID: true, Name: "é.txt", WireName: []byte{0xe9, '.'}, WrappedKey: []byte{1, 2, 3, 4}, OAEPHash: "sha256",
		Format: 3, Size: 0x0102030405, OriginalSize: 0x0102030400, Cksum: 0xa1a2a3a4,
		Received: time.Date(2025, 3, 14, 12, 0, 0, 5, time.UTC),
	}
	for i := range 16 {
		l.Upload[i], l.Client[i] = byte(0x10+i), byte(0x20+i)
	}
	for i := range 32 {
		l.KeyFingerprint[i], l.SHA256[i] = byte(0x40+i), byte(0x80+i)
	}
	return l
}

const goldenMetadataHex = "0101" +
	"101112131415161718191a1b1c1d1e1f" + "202122232425262728292a2b2c2d2e2f" +
	"404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f" +
	"808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f" +
	"03" + "a4a3a2a1" + "0504030201000000" + "0004030201000000" + "058036e791a92c18" +
	"06c3a92e747874" + "02e92e" + "0401020304" + "06736861323536"

func TestMetadataGolden(t *testing.T) {
	l := goldenMetadata()
	if got := hex.EncodeToString(appendMetadata(nil, &l)); got != goldenMetadataHex {
		t.Errorf("encoded:\n got %s\nwant %s", got, goldenMetadataHex)
	}
	b, err := hex.DecodeString(goldenMetadataHex)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decodeMetadata(b); err != nil || !reflect.DeepEqual(got, l) {
		t.Errorf("decoded: got %+v, error %v", got, err)
	}
	for i := range b {
		if _, err := decodeMetadata(b[:i]); err == nil {
			t.Errorf("decoded metadata of %d bytes", i)
		}
	}
	if _, err := decodeMetadata(append(b, 0)); err == nil {
		t.Error("decoded metadata with a byte too many")
	}
}

func TestRecordGolden(t *testing.T) {
	l := goldenMetadata()
	l.Size = 5
	b, padding := appendRecord(nil, &l, []byte("hello"))
	const want = "436f6642" + "95000000" + "05000000"
	if got := hex.EncodeToString(b[:12]); got != want {
		t.Errorf("record begins with %s, want %s", got, want)
	}
	if size := len(b) + 5 + padding; size%align != 0 || padding >= align || padding < 0 {
		t.Errorf("a record of %d bytes has %d of padding", size, padding)
	}
	if len(packHead) != align {
		t.Errorf("the head of a pack has %d bytes", len(packHead))
	}
	h, ok := decodeHeader(b, 64, 1<<20)
	if !ok || h.mark.state != pending || !h.received.Equal(l.Received) {
		t.Errorf("header is %+v", h)
	}
	if _, ok := decodeHeader(b, 64, int64(len(b))); ok {
		t.Error("a header was taken whose record is longer than its pack")
	}
	for i := range markOffset { // the first half is under its sum
		broken := bytes.Clone(b)
		broken[i]++
		if _, ok := decodeHeader(broken, 64, 1<<20); ok {
			t.Errorf("a header was taken with byte %d changed", i)
		}
	}
}

func TestMark(t *testing.T) {
	created := time.Date(2025, 3, 14, 12, 0, 0, 5, time.UTC)
	m := mark{state: confirmed, Confirmation: store.Confirmation{Number: 1<<32 - 1, Verified: true, Created: created}}
	b := m.encode()
	if got := decodeMark(b[:]); got != m {
		t.Errorf("got %+v, want %+v", got, m)
	}
	for i := range b {
		broken := b
		broken[i]++
		if got := decodeMark(broken[:]); got != (mark{state: pending}) {
			t.Errorf("with byte %d changed: got %+v, want a pending record", i, got)
		}
	}
}

func TestRefs(t *testing.T) {
	for _, p := range []place{
		{pack: 1, offset: 64}, {pack: 99_999_999, offset: 1 << 40}, {pack: 123_456_789, offset: 128}, newPlace(), newPlace(),
	} {
		if got, err := parseRef(p.ref()); err != nil || got != p {
			t.Errorf("%q: got %+v, error %v", p.ref(), got, err)
		}
	}
	id := "0123456789abcdef0123456789abcdef"
	for _, ref := range []string{
		"01/" + strings.ToUpper(id), "02/" + id, "01/" + id + "/", "01/" + id + ".json", "/01/" + id, "./01/" + id,
		"01/../01/" + id, "packs/1.pack@64", "packs/00000001.pack@064", "packs/00000001.pack@65", "packs/00000001.pack@0",
		"packs/00000000.pack@64", "packs/-0000001.pack@64", "00000001.pack@64", "packs//00000001.pack@64",
		"x/00000001.pack@64", "packs/00000001.pack@64@64", "packs/00000001.pack@+64",
	} {
		if p, err := parseRef(store.BlobRef(ref)); !errors.Is(err, store.ErrNoBlob) {
			t.Errorf("%q: got %+v, error %v", ref, p, err)
		}
	}
}

// A symbolic link in the folder leads nowhere outside it.
func TestLinksDoNotLeadOut(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at := newPlace()
	if err := os.WriteFile(filepath.Join(outside, at.id), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, at.dir())); err != nil {
		t.Fatal(err)
	}
	if b, err := s.Open(t.Context(), at.ref()); err == nil {
		b.Close()
		t.Error("a file outside was opened")
	}
	_ = s.Remove(t.Context(), at.ref())
	if _, err := os.Stat(filepath.Join(outside, at.id)); err != nil {
		t.Errorf("a file outside was removed: %v", err)
	}
}

func TestSidecar(t *testing.T) {
	l := goldenMetadata()
	b, err := encodeSidecar(&l)
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "sidecar.json")
	if want, err := os.ReadFile(golden); err != nil || !bytes.Equal(b, want) {
		t.Errorf("sidecar is not %s (error %v):\n%s", golden, err, b)
	}
	check := func(what string, b []byte, want *store.Confirmation) {
		t.Helper()
		got, mark, err := decodeSidecar(b)
		if err != nil || !reflect.DeepEqual(got, l) || !reflect.DeepEqual(mark, want) {
			t.Errorf("%s: got %+v, %+v, error %v", what, got, mark, err)
		}
	}
	check("fresh", b, nil)
	c := store.Confirmation{Number: 1<<32 - 1, Verified: false, Created: l.Received}
	mark, err := encodeConfirmation(c)
	if err != nil {
		t.Fatal(err)
	}
	at := confirmationOffset(int64(len(b)))
	torn := bytes.Clone(b)
	copy(torn[at:], mark[:30])
	check("half confirmed", torn, nil)
	copy(b[at:], mark)
	check("confirmed", b, &c)
	for _, bad := range [][]byte{nil, []byte("{}"), []byte("null"), b[:100], bytes.Repeat([]byte("x"), 500)} {
		if _, _, err := decodeSidecar(bad); err == nil {
			t.Errorf("took %q for a sidecar", bad)
		}
	}
}

func TestReadLog(t *testing.T) {
	var whole []byte
	var ends []int
	for _, f := range []struct {
		payload string
		flag    uint32
	}{{"header", 0}, {"one", 0}, {"", 0}, {"", sealingFlag}, {"two", 0}} {
		whole = appendFrame(whole, []byte(f.payload), f.flag)
		ends = append(ends, len(whole))
	}
	for n := range len(whole) + 1 {
		l, err := readLog(bytes.NewReader(whole[:n]))
		if err != nil {
			t.Fatal(err)
		}
		frames, end := 0, 0
		for _, e := range ends {
			if e <= n {
				frames, end = frames+1, e
			}
		}
		records := max(frames-1, 0)
		if frames >= 4 {
			records--
		}
		if (l.header != nil) != (frames > 0) || len(l.records) != records || l.sealing != (frames >= 4) || l.end != int64(end) {
			t.Errorf("%d bytes with %d frames: got %+v", n, frames, l)
		}
	}
}

func FuzzDecodeMetadata(f *testing.F) {
	b, err := hex.DecodeString(goldenMetadataHex)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := decodeMetadata(b); err == nil {
			if again := appendMetadata(nil, &l); !bytes.Equal(again, b) {
				t.Errorf("%x was read, and written as %x", b, again)
			}
		}
	})
}

func FuzzParseRef(f *testing.F) {
	f.Add("packs/00000001.pack@64")
	f.Add("01/0123456789abcdef0123456789abcdef")
	f.Add("../../etc/passwd")
	f.Fuzz(func(t *testing.T, ref string) {
		p, err := parseRef(store.BlobRef(ref))
		if err != nil {
			return
		}
		if string(p.ref()) != ref || strings.Contains(ref, "..") || !filepath.IsLocal(ref) {
			t.Errorf("%q was taken for %+v", ref, p)
		}
	})
}

func FuzzReadLog(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, []byte("header"), 0), []byte("record"), 0))
	f.Add(appendFrame(nil, nil, sealingFlag))
	f.Add([]byte{0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := readLog(bytes.NewReader(b))
		if err != nil || l.end > int64(len(b)) {
			t.Fatalf("read to %d of %d, error %v", l.end, len(b), err)
		}
		again, err := readLog(bytes.NewReader(b[:l.end]))
		if err != nil || !reflect.DeepEqual(again, l) {
			t.Errorf("the valid prefix reads as %+v, the whole as %+v", again, l)
		}
	})
}

func FuzzScanRecords(f *testing.F) {
	l := goldenMetadata()
	l.Size = 5
	pack := []byte(packHead)
	for range 3 {
		head, padding := appendRecord(nil, &l, []byte("hello"))
		pack = append(append(append(pack, head...), "hello"...), make([]byte, padding)...)
	}
	f.Add(pack)
	f.Add(pack[:len(pack)-64])
	f.Add(append(bytes.Clone(pack), "garbage"...))
	f.Add(append(append([]byte(packHead), make([]byte, 128)...), pack[64:]...))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		for i := align; i+headerSize <= len(b); i += align { // else the sums stop all but the seeds
			if string(b[i:i+4]) == recordMagic {
				binary.LittleEndian.PutUint32(b[i+28:], sum(b[i:i+28]))
			}
		}
		r, size := bytes.NewReader(b), int64(len(b))
		next := packHeadSize
		end, err := scanRecords(r, size, func(offset int64, h header) error {
			if offset < next || h.end(offset) > size {
				t.Errorf("a record from %d to %d, after %d and in %d bytes", offset, h.end(offset), next, size)
			}
			next = h.end(offset)
			if _, err := readMetadata(r, offset, h); err != nil && !errors.Is(err, store.ErrDamaged) {
				t.Errorf("read metadata: %v", err)
			}
			if _, err := readContent(r, offset, h); err != nil && !errors.Is(err, store.ErrDamaged) {
				t.Errorf("read content: %v", err)
			}
			return nil
		}, func(int64) {})
		if err != nil || end != next {
			t.Errorf("scan ends at %d, not %d, error %v", end, next, err)
		}
	})
}
