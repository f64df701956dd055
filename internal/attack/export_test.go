package attack

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"coffer/export"
	"coffer/internal/stack"
	"coffer/protocol"
)

// zeros read as zeros without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// folderOf is an archive of entries; those with a size are filled with zeros.
func folderOf(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	compressed, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(compressed)
	for _, header := range entries {
		if err := w.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(w, zeros{}, header.Size); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := compressed.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// bombOf is an archive of one file of zeros. They are compressed once for each
// MiB that they are the same for, which size is a multiple of.
func bombOf(t *testing.T, size int64) []byte {
	t.Helper()
	compressor, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	var header bytes.Buffer
	w := tar.NewWriter(&header)
	if err := w.WriteHeader(&tar.Header{Name: "zeros", Typeflag: tar.TypeReg, Size: size, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	mebibyte := compressor.EncodeAll(make([]byte, 1<<20), nil)
	bomb := compressor.EncodeAll(header.Bytes(), nil)
	bomb = append(bomb, bytes.Repeat(mebibyte, int(size>>20))...)
	return compressor.EncodeAll(make([]byte, 1024), bomb) // the archive's end
}

// exportOf writes the export that a hostile operator hands out.
func exportOf(t *testing.T, versions ...stored) string {
	t.Helper()
	folder := t.TempDir()
	m := export.Manifest{Format: export.Format, Version: export.Version, Client: "ada", Created: time.Unix(1e9, 0)}
	if err := os.Mkdir(filepath.Join(folder, export.ContentName), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, v := range versions {
		m.Files = append(m.Files, export.File{Name: v.info.Name, Version: v.info.Version, Size: int64(v.info.Size), OriginalSize: int64(v.info.OriginalSize),
			Cksum: v.info.Cksum, SHA256: v.info.SHA256, Format: uint8(v.info.Format), Verified: true, OAEPHash: "sha256",
			KeyFingerprint: v.info.KeyFingerprint, WrappedKey: v.info.WrappedKey})
		if err := os.WriteFile(export.ContentPath(folder, v.info.SHA256), v.content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, export.ManifestName), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// leaving is a person whose operator turns hostile.
func leaving(t *testing.T) (*stack.Person, *hostile) {
	t.Helper()
	p := stack.Register(t, stack.NewCore(t).Addr, "ada")
	return p, turn(t, p)
}

// written lists all that lies below a folder.
func written(t *testing.T, folder string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		if err == nil && path != folder {
			names = append(names, strings.TrimPrefix(path, folder+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A link in one entry of an export, and a file behind it in the next.
func TestExportStaysInside(t *testing.T) {
	p, h := leaving(t)
	outside := t.TempDir()
	evil := func(name string) stored { return h.forge(t, name, 1, protocol.FormatFile, []byte("evil")) }
	folder := exportOf(t,
		h.forge(t, "photos", 1, protocol.FormatFolder, folderOf(t,
			tar.Header{Name: "cache", Typeflag: tar.TypeSymlink, Linkname: outside, Mode: 0o777},
			tar.Header{Name: "sub/", Typeflag: tar.TypeDir, Mode: 0o755})),
		evil("photos/cache/evil.desktop"), evil("photos/sub/evil"), evil("good"), evil("x/y"), evil("x//y"), evil("x/y/"))
	for _, args := range [][]string{{}, {"--force"}, {"--force", "--delete"}} {
		_, stderr, code := p.Run(t, append([]string{"restore", "--from-export", folder, "--all", "-o", "all", "--accept-unsealed"}, args...)...)
		if len(args) == 0 {
			if code != 3 {
				t.Errorf("exit code %d\n%s", code, stderr)
			}
			if n := strings.Count(stderr, "collides with another"); n != 4 {
				t.Errorf("%d names were refused, not 4:\n%s", n, stderr)
			}
		}
		if found := written(t, outside); len(found) > 0 {
			t.Fatalf("%q: written outside: %q", args, found)
		}
	}
	// The folder's own link, and one that the person has there, are not followed.
	if err := os.Symlink(outside, filepath.Join(p.Dir, "all", "linked")); err != nil {
		t.Fatal(err)
	}
	folder = exportOf(t, evil("linked/evil"), evil("linked/deeper/evil"))
	if _, stderr, code := p.Run(t, "restore", "--from-export", folder, "--all", "-o", "all", "--accept-unsealed", "--force"); code != 1 {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if found := written(t, outside); len(found) > 0 {
		t.Fatalf("written outside: %q", found)
	}
	t.Logf("files written outside: 0")
}

// A small archive that becomes a large one, from an export.
func TestBomb(t *testing.T) {
	p, h := leaving(t)
	const size = 1<<30 + 1<<20 // just beyond what any archive may become
	bomb := bombOf(t, size)
	folder := exportOf(t, h.forge(t, "photos", 1, protocol.FormatFolder, bomb))
	restore := func(args ...string) (string, int) {
		_, stderr, code := p.Run(t, append([]string{"restore", "photos", "--from-export", folder, "--accept-unsealed", "-o", "out"}, args...)...)
		return stderr, code
	}
	if stderr, code := restore(); code != 1 || !strings.Contains(stderr, "implausibly large") || !strings.Contains(stderr, "--max-size") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if stderr, code := restore("--max-size", "64MiB"); code != 1 || !strings.Contains(stderr, "larger than allowed") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if found := written(t, p.Dir); len(found) > 0 {
		t.Errorf("left behind: %q", found)
	}
	if stderr, code := restore("--max-size", "2GiB"); code != 0 {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	t.Logf("%d bytes that become %d are refused", len(bomb), size)
}

// Bits that lend rights, in what this account has not made.
func TestSetuidNeedsTrust(t *testing.T) {
	p, h := leaving(t)
	folder := exportOf(t, h.forge(t, "tools", 1, protocol.FormatFolder, folderOf(t,
		tar.Header{Name: "helper", Typeflag: tar.TypeReg, Mode: 0o6755},
		tar.Header{Name: "shared/", Typeflag: tar.TypeDir, Mode: 0o2775})))
	device := exportOf(t, h.forge(t, "devices", 1, protocol.FormatFolder, folderOf(t,
		tar.Header{Name: "disk", Typeflag: tar.TypeBlock, Mode: 0o666, Devmajor: 8})))
	for _, test := range []struct {
		out  string
		args []string
		code int
		mode os.FileMode
	}{{"plain", nil, 3, 0o755}, {"trusted", []string{"--trust"}, 0, 0o755 | os.ModeSetuid | os.ModeSetgid}} {
		args := append([]string{"restore", "tools", "--from-export", folder, "--accept-unsealed", "-o", test.out}, test.args...)
		if _, stderr, code := p.Run(t, args...); code != test.code {
			t.Errorf("%q: exit code %d\n%s", test.args, code, stderr)
		}
		info, err := os.Stat(filepath.Join(p.Dir, test.out, "helper"))
		if err != nil || info.Mode() != test.mode {
			t.Errorf("%q: %v, %v", test.args, info, err)
		}
		if _, stderr, code := p.Run(t, append([]string{"restore", "devices", "--from-export", device, "--accept-unsealed", "-o", "device"}, test.args...)...); code != 1 || !strings.Contains(stderr, "unsafe archive") {
			t.Errorf("a device, %q: exit code %d\n%s", test.args, code, stderr)
		}
	}
}
