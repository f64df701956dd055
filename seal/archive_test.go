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
	if err := Unpack(t.Context(), bytes.NewReader(archive), t.TempDir(), opts); err != nil {
		t.Fatal(err)
	}
	if last != int64(len(archive)) {
		t.Errorf("unpacking read %d bytes of %d", last, len(archive))
	}
}

// The tree changes when the first file, "a", is read.
func TestArchiveOfChangingTree(t *testing.T) {
	const size = 3 * copySize
	tests := []struct {
		name    string
		change  func(root string) error
		wantErr string
		skipped []string
		check   func(t *testing.T, dir string)
	}{
		{"file shrinks", func(root string) error { return os.Truncate(filepath.Join(root, "a"), 10) }, `"a": it shrank`, nil, nil},
		{"file grows", func(root string) error {
			return os.Truncate(filepath.Join(root, "a"), 2*size)
		}, "", nil, func(t *testing.T, dir string) {
			if info, err := os.Stat(filepath.Join(dir, "a")); err != nil || info.Size() != size {
				t.Errorf("got %v, %v, want the size it had at first", info, err)
			}
		}},
		{"file vanishes", func(root string) error { return os.Remove(filepath.Join(root, "b")) }, "", []string{"b"}, nil},
		{"folder vanishes", func(root string) error { return os.RemoveAll(filepath.Join(root, "folder")) }, "", []string{"folder"}, nil},
		{"folder becomes a link", func(root string) error {
			outside := filepath.Join(filepath.Dir(root), "outside")
			return errors.Join(os.RemoveAll(filepath.Join(root, "folder")), os.Symlink(outside, filepath.Join(root, "folder")))
		}, "", nil, func(t *testing.T, dir string) {
			if _, err := os.Readlink(filepath.Join(dir, "folder")); err != nil {
				t.Errorf("got %v, want the link itself", err)
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			base := t.TempDir()
			root := filepath.Join(base, "root")
			mkdir(t, root)
			mkdir(t, filepath.Join(base, "outside"))
			mkdir(t, filepath.Join(root, "folder"))
			writeFile(t, filepath.Join(base, "outside", "inner"), "secret")
			writeFile(t, filepath.Join(root, "a"), strings.Repeat("a", size))
			writeFile(t, filepath.Join(root, "b"), "b")
			writeFile(t, filepath.Join(root, "folder", "inner"), "inner")

			var buf bytes.Buffer
			var skipped []string
			changed := false
			err := Archive(t.Context(), root, &buf, ArchiveOptions{
				Progress: func(int64) {
					if !changed {
						changed = true
						if err := test.change(root); err != nil {
							t.Error(err)
						}
					}
				},
				Skipped: func(path, _ string) { skipped = append(skipped, path) },
			})
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) {
					t.Fatalf("got %v, want %q", err, test.wantErr)
				}
				if err := Unpack(t.Context(), &buf, t.TempDir(), UnpackOptions{}); !errors.Is(err, ErrDamagedArchive) {
					t.Errorf("what was written unpacks with %v, want ErrDamagedArchive", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if strings.Join(skipped, " ") != strings.Join(test.skipped, " ") {
				t.Errorf("skipped %q, want %q", skipped, test.skipped)
			}
			dir := t.TempDir()
			if err := Unpack(t.Context(), &buf, dir, UnpackOptions{}); err != nil {
				t.Fatal(err)
			}
			if test.check != nil {
				test.check(t, dir)
			}
		})
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
	// A file saved by renaming is found again.
	info, err := dir.Lstat("other")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(root, "new"), "a longer content")
	if err := os.Rename(filepath.Join(root, "new"), filepath.Join(root, "other")); err != nil {
		t.Fatal(err)
	}
	f, opened, err := openRegular(entry{dir: dir, name: "other", path: "other", info: info})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if opened.Size() != int64(len("a longer content")) {
		t.Errorf("got the size %d of the file that was", opened.Size())
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
	if err := Unpack(ctx, bytes.NewReader(archive), t.TempDir(), opts); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestUnpackIntoFolderInUse(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "mine"), "mine")
	archive := archiveBytes(t, t.TempDir(), ArchiveOptions{})
	if err := Unpack(t.Context(), bytes.NewReader(archive), dir, UnpackOptions{}); err == nil {
		t.Error("unpacked into a folder that is not empty")
	}
	if err := Unpack(t.Context(), bytes.NewReader(archive), filepath.Join(dir, "mine"), UnpackOptions{}); err == nil {
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
		err := Unpack(t.Context(), bytes.NewReader(archive[:cut]), t.TempDir(), UnpackOptions{})
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
	if err := Unpack(t.Context(), r, t.TempDir(), UnpackOptions{}); !errors.Is(err, lost) || errors.Is(err, ErrDamagedArchive) {
		t.Errorf("got %v, want the reader's error", err)
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }
