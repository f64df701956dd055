package seal

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func file(name string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(evil))}
}

func folderEntry(name string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755}
}

func symlink(name, target string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777}
}

func hardLink(name, target string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: target, Mode: 0o644}
}

func special(name string, kind byte) tar.Header {
	return tar.Header{Name: name, Typeflag: kind, Mode: 0o644}
}

// evil is the content of every file in the archives below.
const evil = "overwritten"

// pack writes a tar archive of entries.
func pack(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, header := range entries {
		if err := w.WriteHeader(&header); err != nil {
			t.Fatalf("%q: %v", header.Name, err)
		}
		if header.Size > 0 {
			if _, err := io.WriteString(w, evil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func compress(plain []byte) []byte {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		panic(err)
	}
	return encoder.EncodeAll(plain, nil)
}

// hostile are archives that are refused, with the entry that the error names.
var hostile = []struct {
	name    string
	entry   string
	entries []tar.Header
}{
	{"up", "../x", []tar.Header{file("../x")}},
	{"up in the middle", "a/../../x", []tar.Header{folderEntry("a/"), file("a/../../x")}},
	{"up and down again", "a/../x", []tar.Header{folderEntry("a/"), file("a/../x")}},
	{"up as a folder", "../x/", []tar.Header{folderEntry("../x/")}},
	{"up alone", "..", []tar.Header{folderEntry("..")}},
	{"up after the dot", "./../x", []tar.Header{file("./../x")}},
	{"absolute", "/abs", []tar.Header{file("/abs")}},
	{"absolute in disguise", ".//abs", []tar.Header{file(".//abs")}},
	{"the root as a file", ".", []tar.Header{file(".")}},
	{"the root as a link", "./", []tar.Header{symlink("./", "../outside")}},
	{"the root twice", "./", []tar.Header{folderEntry("./"), folderEntry("./")}},
	{"through an absolute link", "a/x", []tar.Header{symlink("a", "/tmp"), file("a/x")}},
	{"through a link up", "a/outside/canary", []tar.Header{symlink("a", ".."), file("a/outside/canary")}},
	{"through a link outside", "a/canary", []tar.Header{symlink("a", "../outside"), file("a/canary")}},
	{"through a link inside", "a/x", []tar.Header{folderEntry("in/"), symlink("a", "in"), file("a/x")}},
	{"through a dangling link", "a/x", []tar.Header{symlink("a", "nowhere"), file("a/x")}},
	{"through a chain of links", "b/x", []tar.Header{symlink("a", ".."), symlink("b", "a/outside"), file("b/x")}},
	{"a folder through a link", "a/new/", []tar.Header{symlink("a", "../outside"), folderEntry("a/new/")}},
	{"a link through a link", "a/new", []tar.Header{symlink("a", "../outside"), symlink("a/new", "x")}},
	{"a folder over a link", "a/", []tar.Header{symlink("a", "../outside"), folderEntry("a/")}},
	{"a file over a link", "a", []tar.Header{symlink("a", "../outside/canary"), file("a")}},
	{"a file over a hard link to a link", "b", []tar.Header{symlink("a", "../outside/canary"), hardLink("b", "a"), file("b")}},
	{"a link over a folder", "a", []tar.Header{folderEntry("a/"), symlink("a", "../outside")}},
	{"a link over a file", "a", []tar.Header{file("a"), symlink("a", "../outside/canary")}},
	{"a link over a link", "a", []tar.Header{symlink("a", "x"), symlink("a", "../outside")}},
	{"a file over a folder", "a", []tar.Header{folderEntry("a/"), file("a")}},
	{"a file over a file", "./a", []tar.Header{file("a"), file("./a")}},
	{"a folder over a file", "a/", []tar.Header{file("a"), folderEntry("a/")}},
	{"a folder twice", "a", []tar.Header{folderEntry("a/"), folderEntry("a")}},
	{"a file in a file", "a/x", []tar.Header{file("a"), file("a/x")}},
	{"a hard link up", "a", []tar.Header{hardLink("a", "../outside/canary")}},
	{"an absolute hard link", "a", []tar.Header{hardLink("a", "/etc/passwd")}},
	{"a hard link through a link", "b", []tar.Header{symlink("a", "../outside"), hardLink("b", "a/canary")}},
	{"a hard link to a folder", "b", []tar.Header{folderEntry("a/"), hardLink("b", "a")}},
	{"a hard link to the root", "b", []tar.Header{hardLink("b", ".")}},
	{"a hard link to nothing", "b", []tar.Header{hardLink("b", "a")}},
	{"a hard link to itself", "b", []tar.Header{hardLink("b", "b")}},
	{"a hard link over a file", "b", []tar.Header{file("a"), file("b"), hardLink("b", "a")}},
	{"a hard link at a place up", "../outside/b", []tar.Header{file("a"), hardLink("../outside/b", "a")}},
	{"a character device", "null", []tar.Header{special("null", tar.TypeChar)}},
	{"a block device", "disk", []tar.Header{special("disk", tar.TypeBlock)}},
	{"a pipe", "pipe", []tar.Header{special("pipe", tar.TypeFifo)}},
	{"another kind", "x", []tar.Header{special("x", 'Z')}},
	{"a header for all", "../x", []tar.Header{{Name: "x", Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"path": "../x"}}}},
	{"no name", "", []tar.Header{special("", tar.TypeReg)}},
	{"an empty part", "a//b", []tar.Header{folderEntry("a/"), file("a//b")}},
	{"a dot inside", "a/./b", []tar.Header{folderEntry("a/"), file("a/./b")}},
	{"a link with a slash", "a/", []tar.Header{symlink("a/", "x")}},
	{"too deep", "d/d/d/", []tar.Header{file(strings.Repeat("d/", maxDepth) + "x")}},
}

func TestUnpackRefuses(t *testing.T) {
	for _, test := range hostile {
		t.Run(test.name, func(t *testing.T) {
			dir, check := besideCanary(t)
			err := unpackTar(t.Context(), pack(t, test.entries...), dir)
			if !errors.Is(err, ErrUnsafeArchive) || !strings.Contains(err.Error(), `"`+test.entry) {
				t.Errorf("got %v, want ErrUnsafeArchive that names %q", err, test.entry)
			}
			check()
		})
	}
}

// A sparse file is a few bytes that would fill a disk.
func TestUnpackRefusesSparse(t *testing.T) {
	plain := pack(t, file("x"))
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	records := tar.Header{Name: "x", Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{
		"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "holes",
		"GNU.sparse.numblocks": "1", "GNU.sparse.map": "0,11", "GNU.sparse.size": "1000000000000",
	}}
	if err := w.WriteHeader(&records); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	extended := buf.Bytes()
	extended[156] = tar.TypeXHeader // the same records, for the next entry alone
	fixChecksum(extended[:blockSize])
	dir, check := besideCanary(t)
	err := unpackTar(t.Context(), append(extended, plain...), dir)
	if !errors.Is(err, ErrUnsafeArchive) || !strings.Contains(err.Error(), "sparse") {
		t.Errorf("got %v, want ErrUnsafeArchive", err)
	}
	check()
}

// fixChecksum makes a header block valid after a change.
func fixChecksum(block []byte) {
	copy(block[148:156], "        ")
	sum := 0
	for _, b := range block {
		sum += int(b)
	}
	for i := 153; i >= 148; i-- {
		block[i] = byte('0' + sum&7)
		sum >>= 3
	}
	block[154], block[155] = 0, ' '
}

// Links may point anywhere; folders that are not listed are made.
func TestUnpackAccepts(t *testing.T) {
	dir, check := besideCanary(t)
	err := unpackTar(t.Context(), pack(t,
		folderEntry("./"),
		symlink("./out", "../outside"), symlink("abs", "/etc/passwd"), symlink("self", "self"),
		hardLink("out-too", "out"),
		file("not/listed/x"), folderEntry("not/"), hardLink("y", "not/listed/x"),
		file("..."), file("..x"), file(`-rf`)), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{"out", "out-too"} {
		if target, err := os.Readlink(filepath.Join(dir, link)); target != filepath.FromSlash("../outside") {
			t.Errorf("%s: got %q, %v", link, target, err)
		}
	}
	for _, name := range []string{"not/listed/x", "y", "...", "..x", "-rf"} {
		if content, err := os.ReadFile(filepath.Join(dir, name)); string(content) != evil {
			t.Errorf("%s: got %q, %v", name, content, err)
		}
	}
	check()
}

// besideCanary gives an empty folder, and a check that everything around it is
// as it was.
func besideCanary(t *testing.T) (dir string, check func()) {
	t.Helper()
	base := t.TempDir()
	dir = filepath.Join(base, "dir")
	makeRemovable(t, dir)
	outside := filepath.Join(base, "outside")
	mkdir(t, outside)
	writeFile(t, filepath.Join(outside, "canary"), "alive")
	before := describeTree(t, outside)
	return dir, func() {
		t.Helper()
		compareTrees(t, describeTree(t, outside), before)
		names, err := os.ReadDir(base)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if name.Name() != "dir" && name.Name() != "outside" {
				t.Errorf("%q was made outside the folder", name.Name())
			}
		}
	}
}

func TestLocalName(t *testing.T) {
	tests := []struct{ name, want string }{
		{"a", "a"}, {"a/", "a"}, {"./a/b", "a/b"}, {"././a", "a"}, {".", "."}, {"./", "."}, {"././", "."},
		{"...", "..."}, {"a\nb", "a\nb"}, {"\xff", "\xff"},
		{"", ""}, {"/", ""}, {"/a", ""}, {"..", ""}, {"../", ""}, {"a/..", ""}, {"a/../b", ""},
		{"a//b", ""}, {"a//", ""}, {"a/.", ""}, {"a\x00b", ""}, {"./..", ""}, {".//", ""},
	}
	for _, test := range tests {
		got, err := localName(test.name)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%q: got %q, %v, want %q", test.name, got, err, test.want)
		}
	}
}

func TestLocalOnWindows(t *testing.T) {
	for name, want := range map[string]bool{
		"a/b": true, "a b.txt": true,
		`a\b`: false, `..\x`: false, `C:x`: false, `C:\x`: false, "file:stream": false, `\\server\share`: false,
	} {
		if got := localOnWindows(name); got != want {
			t.Errorf("%q: got %t", name, got)
		}
	}
}
