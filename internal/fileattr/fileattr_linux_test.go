package fileattr

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func openRoot(t *testing.T) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func TestAttributes(t *testing.T) {
	root := openRoot(t)
	if err := root.WriteFile("a", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want := []Attribute{{"user.empty", []byte{}}, {"user.long", make([]byte, 3000)}, {"user.text", []byte("a\x00b")}}
	for _, a := range want {
		if err := SetAttributeAt(root, "a", a); err != nil {
			t.Fatal(err)
		}
	}
	f, err := root.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := Attributes(f)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Attributes: %q, %v", got, err)
	}
	got, err = AttributesAt(root, "a")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("AttributesAt: %q, %v", got, err)
	}
	if err := RemoveAttributeAt(root, "a", "user.long"); err != nil {
		t.Error(err)
	}
	if names := AttributeNames(f); len(names) != 2 {
		t.Errorf("after removing one: %q", names)
	}
	if got, err := AttributesAt(root, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of nothing: %q, %v", got, err)
	}
}

// What a symbolic link has is never taken from where it leads.
func TestAttributesOfALink(t *testing.T) {
	root := openRoot(t)
	if err := root.WriteFile("a", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := SetAttributeAt(root, "a", Attribute{"user.text", []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := root.Symlink("a", "l"); err != nil {
		t.Fatal(err)
	}
	if got, err := AttributesAt(root, "l"); err != nil || len(got) > 0 && got[0].Name == "user.text" {
		t.Errorf("of the link: %q, %v", got, err)
	}
}

func TestHoles(t *testing.T) {
	const size = 4 << 20
	path := filepath.Join(t.TempDir(), "a")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("content"), 1<<20); err != nil {
		t.Fatal(err)
	}
	holes := Holes(f, size)
	if len(holes) == 0 {
		t.Fatal("the file system of the temporary folder has no holes")
	}
	last := holes[len(holes)-1]
	if holes[0].Offset != 0 || holes[0].Length != 1<<20 || last.Offset+last.Length != size || len(holes) != 2 {
		t.Errorf("holes %v", holes)
	}
	if at, ok := FirstHole(f, size); !ok || at != 0 {
		t.Errorf("the first hole is at %d, %t", at, ok)
	}
	if holes := Holes(f, 2<<20); holes[len(holes)-1].Offset+holes[len(holes)-1].Length != 2<<20 {
		t.Errorf("of a part: %v", holes)
	}
}

func TestModesAreKept(t *testing.T) {
	for bits := range uint32(0o10000) {
		if got := Mode(FileMode(bits)); got != bits {
			t.Fatalf("%o became %o", bits, got)
		}
	}
}

func TestTimesOutsideOfNanoseconds(t *testing.T) {
	root := openRoot(t)
	if err := root.WriteFile("a", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []time.Time{time.Unix(0, 1), time.Unix(-3600, 999_999_999), time.Date(2300, 1, 1, 0, 0, 0, 7, time.UTC)} {
		if err := SetTime(root, "a", want); err != nil {
			t.Fatal(err)
		}
		if info, err := root.Lstat("a"); err != nil || !info.ModTime().Equal(want) {
			t.Errorf("%v became %v, %v", want, info.ModTime(), err)
		}
	}
}

func TestMakeNode(t *testing.T) {
	root := openRoot(t)
	for name, mode := range map[string]fs.FileMode{"pipe": fs.ModeNamedPipe, "socket": fs.ModeSocket, "null": fs.ModeDevice | fs.ModeCharDevice} {
		err := MakeNode(root, name, mode, 1, 3)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		info, err := root.Lstat(name)
		if err != nil || info.Mode().Type() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		if major, minor := DeviceNumbers(info); mode&fs.ModeDevice != 0 && (major != 1 || minor != 3) {
			t.Errorf("%s: %d:%d", name, major, minor)
		}
	}
	if err := MakeNode(root, "file", 0, 0, 0); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a file: %v", err)
	}
}
