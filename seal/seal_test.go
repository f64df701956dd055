package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"testing/iotest"

	"filippo.io/age"
)

func newIdentity(t testing.TB) Identity {
	t.Helper()
	id, err := GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func oldIdentity(t testing.TB) Identity {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	id, err := ParseIdentity(key.String())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func sealed(t testing.TB, content []byte, id Identity) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := Seal(&out, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// openAll opens and reads a sealed file whole.
func openAll(sealed []byte, id Identity) ([]byte, error) {
	r, err := Open(bytes.NewReader(sealed), id)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func pattern(size int) []byte {
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i * 31 >> 3)
	}
	return content
}

func TestSealAndOpen(t *testing.T) {
	const chunk = 64 << 10
	for kind, id := range map[string]Identity{"hybrid": newIdentity(t), "X25519": oldIdentity(t)} {
		for _, size := range []int{0, 1, chunk - 1, chunk, chunk + 1, 3*chunk + 7} {
			content := pattern(size)
			var written bytes.Buffer
			w, err := Seal(&written, id)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(w, iotest.HalfReader(bytes.NewReader(content))); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			for way, file := range map[string][]byte{"writer": written.Bytes(), "reader": sealed(t, content, id)} {
				if !IsSealed(file[:PrefixSize]) {
					t.Errorf("%s, %s: not recognized", kind, way)
				}
				got, err := openAll(file, id)
				if err != nil || !bytes.Equal(got, content) {
					t.Errorf("%s, %s, %d bytes: got %d bytes, %v", kind, way, size, len(got), err)
				}
			}
		}
	}
}

// A sealed file is age's own, in both directions.
func TestIsAnAgeFile(t *testing.T) {
	id := newIdentity(t)
	key, err := age.ParseHybridIdentity(id.Secret())
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(sealed(t, []byte("content"), id)), key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); string(got) != "content" {
		t.Errorf("age reads %q, %v", got, err)
	}
	to, err := age.ParseHybridRecipient(id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := age.EncryptReader(bytes.NewReader([]byte("theirs")), to)
	if err != nil {
		t.Fatal(err)
	}
	r, err = Open(theirs, id)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); string(got) != "theirs" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestIsSealed(t *testing.T) {
	for prefix, want := range map[string]bool{
		"age-encryption.org/v1\n": true, "age-encryption.org/v1\n-> X25519": true,
		"age-encryption.org/v1": false, "age-encryption.org/v2\n": false, "": false, "text": false,
	} {
		if got := IsSealed([]byte(prefix)); got != want {
			t.Errorf("%q: got %t", prefix, got)
		}
	}
}

// Every bit counts: whichever byte is changed, the file does not open.
func TestChangedAnywhere(t *testing.T) {
	id := oldIdentity(t) // its header is short; the check is the same
	file := sealed(t, pattern(300), id)
	for i := range file {
		changed := bytes.Clone(file)
		changed[i] ^= 1 << (i % 8)
		got, err := openAll(changed, id)
		if !errors.Is(err, ErrTampered) && !errors.Is(err, ErrWrongIdentity) && !errors.Is(err, ErrNotSealed) {
			t.Fatalf("byte %d: %d bytes, %v", i, len(got), err)
		}
		if i < PrefixSize && !errors.Is(err, ErrNotSealed) {
			t.Errorf("byte %d of the first line: %v, want ErrNotSealed", i, err)
		}
	}
	hybrid := newIdentity(t)
	file = sealed(t, pattern(100_000), hybrid)
	for i := 0; i < len(file); i += 997 {
		changed := bytes.Clone(file)
		changed[i] ^= 0x80
		if _, err := openAll(changed, hybrid); err == nil {
			t.Fatalf("byte %d of the hybrid file: no error", i)
		}
	}
}

func TestTampered(t *testing.T) {
	const chunk = 64<<10 + 16
	id := newIdentity(t)
	file := sealed(t, pattern(200_000), id)
	body := len(file) - (200_000 + 4*16)
	last := bytes.Clone(file)
	last[len(last)-1] ^= 1
	swapped := bytes.Clone(file)
	copy(swapped[body:], file[body+chunk:body+2*chunk])
	copy(swapped[body+chunk:], file[body:body+chunk])
	for name, changed := range map[string][]byte{
		"last byte": last, "chunks swapped": swapped,
		"cut at a chunk": file[:body+2*chunk], "cut in a chunk": file[:body+chunk+9], "cut before the content": file[:body],
		"cut in the nonce": file[:body-3], "cut in the header": file[:body/2], "longer": append(bytes.Clone(file), 0),
		"first line alone": file[:PrefixSize],
	} {
		if _, err := openAll(changed, id); !errors.Is(err, ErrTampered) {
			t.Errorf("%s: %v, want ErrTampered", name, err)
		}
	}
}

func TestTruncatedAnywhere(t *testing.T) {
	id := oldIdentity(t)
	file := sealed(t, pattern(300), id)
	for cut := range file {
		want := ErrTampered
		if cut < PrefixSize {
			want = ErrNotSealed
		}
		if _, err := openAll(file[:cut], id); !errors.Is(err, want) {
			t.Fatalf("cut at %d: %v, want %v", cut, err, want)
		}
	}
}

func TestWrongIdentity(t *testing.T) {
	hybrid, old := newIdentity(t), oldIdentity(t)
	for _, test := range []struct{ to, by Identity }{
		{hybrid, newIdentity(t)}, {hybrid, old}, {old, hybrid}, {old, oldIdentity(t)},
	} {
		_, err := openAll(sealed(t, []byte("content"), test.to), test.by)
		if !errors.Is(err, ErrWrongIdentity) || errors.Is(err, ErrTampered) {
			t.Errorf("%v by %v: %v, want ErrWrongIdentity", test.to, test.by, err)
		}
	}
}

// An error of the source is neither hidden nor taken for tampering.
func TestSourceError(t *testing.T) {
	id := newIdentity(t)
	file := sealed(t, pattern(200_000), id)
	lost := errors.New("lost")
	for _, at := range []int{0, 10, PrefixSize, 500, 2500, 70_000, len(file)} {
		r, err := Open(io.MultiReader(bytes.NewReader(file[:at]), iotest.ErrReader(lost)), id)
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if !errors.Is(err, lost) || errors.Is(err, ErrTampered) || errors.Is(err, ErrNotSealed) {
			t.Errorf("at %d: got %v, want the source's error", at, err)
		}
	}
	if _, err := Seal(failingWriter{lost}, id); !errors.Is(err, lost) {
		t.Errorf("sealing: got %v, want the writer's error", err)
	}
}

func TestZeroIdentity(t *testing.T) {
	var none Identity
	if _, err := Seal(io.Discard, none); err == nil {
		t.Error("sealed to nobody")
	}
	if _, err := Open(&bytes.Buffer{}, none); err == nil {
		t.Error("opened by nobody")
	}
	if none.Secret() != "" || none.Recipient() != "" || fmt.Sprint(none) == "" {
		t.Error("nobody has a key")
	}
}

// Sealed files that were made once, by this package and by the web client, open
// for ever on both sides. Their content is that of the protocol's vectors.
func TestSealedFiles(t *testing.T) {
	text, err := os.ReadFile("testdata/sealed.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Note, Identity string
		Length         int
		Sealed         []byte
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range vectors {
		id, err := ParseIdentity(v.Identity)
		if err != nil {
			t.Errorf("%s: %v", v.Note, err)
			continue
		}
		if got, err := openAll(v.Sealed, id); err != nil || !bytes.Equal(got, vectorContent(v.Length)) {
			t.Errorf("%s, %d bytes: %v, or other content", v.Note, v.Length, err)
		}
	}
}

// vectorContent is SHA-256(0) || SHA-256(1) || ..., cut to size; the numbers
// are 64 bits, little-endian.
func vectorContent(size int) []byte {
	var content []byte
	for i := uint64(0); len(content) < size; i++ {
		sum := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, i))
		content = append(content, sum[:]...)
	}
	return content[:size]
}
