package seal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

func TestRoundTripOfSourceTree(t *testing.T) {
	root := filepath.Join(sourceTree(t), "net")
	dir := roundTrip(t, root, ArchiveOptions{})
	compareTrees(t, describeTree(t, dir), describeTree(t, root))
}

func TestArchiveIsDeterministic(t *testing.T) {
	root := filepath.Join(sourceTree(t), "archive")
	if !bytes.Equal(archiveBytes(t, root, ArchiveOptions{}), archiveBytes(t, root, ArchiveOptions{})) {
		t.Error("the same tree gave two archives")
	}
}

func TestProgressEndsAtMeasure(t *testing.T) {
	root := filepath.Join(sourceTree(t), "archive")
	files, total, err := Measure(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	var last int64
	archive := archiveBytes(t, root, ArchiveOptions{Progress: func(read int64) {
		if read <= last {
			t.Errorf("progress went from %d to %d", last, read)
		}
		last = read
	}})
	if last != total || files == 0 {
		t.Errorf("read %d bytes, measured %d in %d files", last, total, files)
	}
	last = 0
	opts := UnpackOptions{Progress: func(read int64) { last = read }}
	if err := unpackInto(t.Context(), bytes.NewReader(archive), t.TempDir(), opts); err != nil {
		t.Fatal(err)
	}
	if last != int64(len(archive)) {
		t.Errorf("unpacking read %d bytes of %d", last, len(archive))
	}
}

// The tree changes when the first file, "a", is read. Changing files are kept
// as well as possible, and reported.
func TestArchiveOfChangingTree(t *testing.T) {
	const size = 3 * copySize
	overwrite := func(path string, at int64) error {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteAt([]byte("12345678"), at)
		return err
	}
	long := strings.Repeat("a", size)
	tests := []struct {
		name    string
		change  func(root string) error
		changed string // of "a"
		skipped []string
		want    map[string]string // what is kept, "-" for nothing
	}{
		{"file shrinks", func(root string) error { return os.Truncate(filepath.Join(root, "a"), 10) },
			"it shrank from 393216 bytes to 131072", nil, map[string]string{"a": long[:copySize] + strings.Repeat("\x00", size-copySize)}},
		{"file grows", func(root string) error { return os.Truncate(filepath.Join(root, "a"), 2*size) },
			"it grew from 393216 bytes to 786432", nil, map[string]string{"a": long}},
		{"file is overwritten", func(root string) error {
			a := filepath.Join(root, "a")
			return errors.Join(overwrite(a, 0), overwrite(a, size-8))
		}, "it was modified", nil, map[string]string{"a": long[:size-8] + "12345678"}},
		{"file is overwritten and its time put back", func(root string) error {
			a := filepath.Join(root, "a")
			info, err := os.Stat(a)
			if err != nil {
				return err
			}
			return errors.Join(overwrite(a, size-8), os.Chtimes(a, time.Time{}, info.ModTime()))
		}, "it was changed", nil, map[string]string{"a": long[:size-8] + "12345678"}},
		{"file is removed", func(root string) error { return os.Remove(filepath.Join(root, "a")) },
			"it was removed or replaced", nil, map[string]string{"a": long}},
		{"file is replaced", func(root string) error {
			return errors.Join(os.WriteFile(filepath.Join(root, "new"), []byte("new"), 0o600),
				os.Rename(filepath.Join(root, "new"), filepath.Join(root, "a")))
		}, "it was removed or replaced", nil, map[string]string{"a": long}},
		{"another file vanishes", func(root string) error { return os.Remove(filepath.Join(root, "b")) },
			"", []string{"b"}, map[string]string{"a": long, "b": "-"}},
		{"another file is replaced", func(root string) error {
			return errors.Join(os.WriteFile(filepath.Join(root, "new"), []byte("new"), 0o600),
				os.Rename(filepath.Join(root, "new"), filepath.Join(root, "b")))
		}, "", nil, map[string]string{"b": "new"}},
		{"another file becomes a folder", func(root string) error {
			return errors.Join(os.Remove(filepath.Join(root, "b")), os.Mkdir(filepath.Join(root, "b"), 0o755),
				os.WriteFile(filepath.Join(root, "b", "c"), []byte("new"), 0o600))
		}, "", nil, map[string]string{"b/c": "new"}},
		{"folder vanishes", func(root string) error { return os.RemoveAll(filepath.Join(root, "folder")) },
			"", []string{"folder"}, map[string]string{"folder": "-"}},
		{"folder becomes a link", func(root string) error {
			outside := filepath.Join(filepath.Dir(root), "outside")
			return errors.Join(os.RemoveAll(filepath.Join(root, "folder")), os.Symlink(outside, filepath.Join(root, "folder")))
		}, "", nil, map[string]string{"folder": "link"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			base := t.TempDir()
			root := filepath.Join(base, "root")
			mkdir(t, root)
			mkdir(t, filepath.Join(base, "outside"))
			mkdir(t, filepath.Join(root, "folder"))
			writeFile(t, filepath.Join(base, "outside", "inner"), "secret")
			writeFile(t, filepath.Join(root, "a"), long)
			writeFile(t, filepath.Join(root, "b"), "b")
			writeFile(t, filepath.Join(root, "folder", "inner"), "inner")

			var buf bytes.Buffer
			var skipped []string
			once, how := false, ""
			err := Archive(t.Context(), root, &buf, ArchiveOptions{
				Progress: func(int64) {
					if !once {
						once = true
						if err := test.change(root); err != nil {
							t.Error(err)
						}
					}
				},
				Skipped: func(path, _ string) { skipped = append(skipped, path) },
				Changed: func(path, change string) { how = path + ": " + change },
			})
			if err != nil {
				t.Fatal(err)
			}
			if strings.Join(skipped, " ") != strings.Join(test.skipped, " ") {
				t.Errorf("skipped %q, want %q", skipped, test.skipped)
			}
			if test.changed == "" && how != "" || test.changed != "" && !strings.HasPrefix(how, "a: "+test.changed) {
				t.Errorf("changed: %q, want %q", how, test.changed)
			}
			dir := t.TempDir()
			if err := unpackInto(t.Context(), &buf, dir, UnpackOptions{}); err != nil {
				t.Fatal(err)
			}
			for name, want := range test.want {
				path := filepath.Join(dir, name)
				info, err := os.Lstat(path)
				switch {
				case want == "-":
					if err == nil {
						t.Errorf("%s is there", name)
					}
				case want == "link":
					if err != nil || info.Mode().Type() != os.ModeSymlink {
						t.Errorf("%s: %v, %v, want the link itself", name, info, err)
					}
				default:
					if got, err := os.ReadFile(path); string(got) != want {
						t.Errorf("%s has %d other bytes than the %d it should, %v", name, len(got), len(want), err)
					}
				}
			}
		})
	}
}

// While a folder is read, a file with two names goes and new ones get its inode.
func TestRecycledInodeIsNoHardLink(t *testing.T) {
	for _, link := range []bool{false, true} {
		root := t.TempDir()
		make := func(name, other, content string) {
			if link {
				check(t, os.Symlink(content, filepath.Join(root, name)))
			} else {
				writeFile(t, filepath.Join(root, name), content)
			}
			check(t, os.Link(filepath.Join(root, name), filepath.Join(root, other)))
		}
		mkdir(t, filepath.Join(root, "later"))
		make("a", "a2", "old")
		writeFile(t, filepath.Join(root, "b"), "read in between")
		recycled := false
		dir := roundTrip(t, root, ArchiveOptions{Progress: func(int64) {
			if _, err := os.Lstat(filepath.Join(root, "later", "y")); err == nil {
				return
			}
			was, err := os.Lstat(filepath.Join(root, "a"))
			check(t, err)
			check(t, os.Remove(filepath.Join(root, "a")))
			check(t, os.Remove(filepath.Join(root, "a2")))
			make("later/y", "later/z", "new")
			is, err := os.Lstat(filepath.Join(root, "later", "y"))
			check(t, err)
			recycled = os.SameFile(was, is)
		}})
		for _, name := range []string{"later/y", "later/z"} {
			got, err := os.ReadFile(filepath.Join(dir, name))
			if link {
				var target string
				target, err = os.Readlink(filepath.Join(dir, name))
				got = []byte(target)
			}
			if string(got) != "new" {
				t.Errorf("link %t, inode recycled %t: %s is %q, %v", link, recycled, name, got, err)
			}
		}
	}
}

// What posed as another name of a file must be in the same state.
func TestLinksComparesStates(t *testing.T) {
	root := t.TempDir()
	a, b := filepath.Join(root, "a"), filepath.Join(root, "b")
	writeFile(t, a, "content")
	check(t, os.Link(a, b))
	f, err := os.Open(a)
	check(t, err)
	info, err := f.Stat()
	check(t, err)
	var l links
	defer l.close()
	l.addFile(f, info, "a")
	if path, ok := l.find(info, ""); !ok || path != "a" {
		t.Errorf("found %q, %t", path, ok)
	}
	check(t, os.Chmod(b, 0o600))
	changed, err := os.Lstat(b)
	check(t, err)
	if path, ok := l.find(changed, ""); ok {
		t.Errorf("a changed file is still %q", path)
	}
}

// A link that takes a file's place between looking and opening is not followed,
// wherever it leads.
func TestOpenRegularFollowsNoLink(t *testing.T) {
	base := t.TempDir()
	root := filepath.Join(base, "root")
	mkdir(t, root)
	writeFile(t, filepath.Join(base, "secret"), "secret")
	writeFile(t, filepath.Join(root, "other"), "other")
	dir, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for _, target := range []string{"../secret", "other"} {
		name := filepath.Join(root, "file")
		writeFile(t, name, "file")
		info, err := dir.Lstat("file")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name, filepath.Join(root, "was")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
		f, _, err := openRegular(entry{dir: dir, name: "file", path: "file", info: info})
		if err == nil {
			f.Close()
			t.Errorf("opened a link to %s", target)
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

func TestArchiveErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, "x")
	for _, root := range []string{file, file + "-missing"} {
		if err := Archive(t.Context(), root, io.Discard, ArchiveOptions{}); err == nil {
			t.Errorf("%s: no error", root)
		}
		if _, _, err := Measure(t.Context(), root); err == nil {
			t.Errorf("%s: no error from Measure", root)
		}
	}
	full := errors.New("full")
	root := filepath.Join(sourceTree(t), "archive")
	if err := Archive(t.Context(), root, failingWriter{full}, ArchiveOptions{}); !errors.Is(err, full) {
		t.Errorf("got %v, want the writer's error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := Archive(ctx, root, io.Discard, ArchiveOptions{Progress: func(int64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestUnpackCancelled(t *testing.T) {
	archive := archiveBytes(t, filepath.Join(sourceTree(t), "archive"), ArchiveOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	opts := UnpackOptions{Progress: func(int64) { cancel() }}
	if err := unpackInto(ctx, bytes.NewReader(archive), t.TempDir(), opts); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestUnpackIntoFolderInUse(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "mine"), "mine")
	archive := archiveBytes(t, t.TempDir(), ArchiveOptions{})
	if err := unpackInto(t.Context(), bytes.NewReader(archive), dir, UnpackOptions{}); err == nil {
		t.Error("unpacked into a folder that is not empty")
	}
	if err := unpackInto(t.Context(), bytes.NewReader(archive), filepath.Join(dir, "mine"), UnpackOptions{}); err == nil {
		t.Error("unpacked into a file")
	}
}

// Cut anywhere, an archive is damaged, and so is its tar inside a whole zstd.
func TestUnpackTruncated(t *testing.T) {
	root := t.TempDir()
	writeFile(t, filepath.Join(root, "file"), strings.Repeat("content ", 100))
	mkdir(t, filepath.Join(root, strings.Repeat("long", 40)))
	if err := os.Chtimes(root, time.Time{}, time.Unix(1_700_000_000, 5)); err != nil {
		t.Fatal(err)
	}
	archive := archiveBytes(t, root, ArchiveOptions{})
	for cut := range len(archive) {
		err := unpackInto(t.Context(), bytes.NewReader(archive[:cut]), t.TempDir(), UnpackOptions{})
		if !errors.Is(err, ErrDamagedArchive) {
			t.Fatalf("cut at %d of %d: %v, want ErrDamagedArchive", cut, len(archive), err)
		}
	}
	decoder, err := zstd.NewReader(bytes.NewReader(archive), zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	plain, err := io.ReadAll(decoder)
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut < len(plain); cut += blockSize / 8 {
		if err := unpackTar(t.Context(), plain[:cut], t.TempDir()); !errors.Is(err, ErrDamagedArchive) {
			t.Fatalf("tar cut at %d of %d: %v, want ErrDamagedArchive", cut, len(plain), err)
		}
	}
	whole := map[string][]byte{
		"padded as tar programs do": append(bytes.Clone(plain), make([]byte, 10<<10)...),
		"as it is":                  plain,
	}
	for name, content := range whole {
		if err := unpackTar(t.Context(), content, t.TempDir()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := map[string][]byte{
		"zeros without end": append(bytes.Clone(plain), make([]byte, maxTrailer+1)...),
		"bytes at the end":  append(bytes.Clone(plain), "more"...),
		"a second archive":  append(bytes.Clone(plain), plain...),
		"text":              []byte("no archive"),
	}
	for name, content := range broken {
		if err := unpackTar(t.Context(), content, t.TempDir()); !errors.Is(err, ErrDamagedArchive) {
			t.Errorf("%s: %v, want ErrDamagedArchive", name, err)
		}
	}
	lost := errors.New("lost")
	r := io.MultiReader(bytes.NewReader(archive[:len(archive)/2]), failingReader{lost})
	if err := unpackInto(t.Context(), r, t.TempDir(), UnpackOptions{}); !errors.Is(err, lost) || errors.Is(err, ErrDamagedArchive) {
		t.Errorf("got %v, want the reader's error", err)
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }
