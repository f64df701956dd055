package deploy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// made says what a release of the tests is made as.
var made = []string{"VERSION=v1.2.3", "COMMIT=0123456789abcdef0123456789abcdef01234567", "SOURCE_DATE_EPOCH=1500000000"}

// release makes a release for one platform, from a folder with the project.
func release(t *testing.T, folder, dist string) {
	t.Helper()
	for _, name := range []string{"jq", "npm", "zip"} {
		tool(t, name)
	}
	env := append([]string{"PLATFORMS=linux/amd64", "DIST=" + dist}, made...)
	run(t, env, filepath.Join(folder, "scripts/release"))
}

// here is the project's folder, with a web client that is built.
func here(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the programs")
	}
	if _, err := os.Stat(filepath.Join(root, "web/dist/index.html")); err != nil {
		missing(t, "the web client is not built: make web")
	}
	folder, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// A release is the same wherever it is made, and has what it says.
func TestRelease(t *testing.T) {
	folder := t.TempDir()
	dist, again := filepath.Join(folder, "here"), filepath.Join(folder, "elsewhere")
	t.Run("made", func(t *testing.T) {
		t.Run("here", func(t *testing.T) {
			t.Parallel()
			release(t, here(t), dist)
		})
		t.Run("elsewhere", func(t *testing.T) {
			t.Parallel()
			release(t, elsewhere(t), again)
		})
	})
	if t.Failed() {
		return
	}
	if first, second := checkSums(t, dist), checkSums(t, again); first != second {
		t.Errorf("the releases differ:\n%s\n%s", first, second)
	}
	t.Run("archive", func(t *testing.T) { checkArchive(t, dist) })
	t.Run("packages", func(t *testing.T) { checkPackages(t, dist) })
}

func checkArchive(t *testing.T, dist string) {
	t.Helper()
	const name = "coffer_1.2.3_linux_amd64"
	folder := t.TempDir()
	files := unpack(t, filepath.Join(dist, name+".tar.gz"), folder)
	for _, want := range []string{"LICENSE", "README.md", "CHANGELOG.md", "coffer-web.cdx.json", "man/coffer.1", "man/coffer-server.8",
		"completion/coffer.bash", "completion/coffer-gateway.fish", "deploy/systemd/coffer-server.service", "deploy/haproxy/haproxy.cfg"} {
		if !slices.Contains(files, name+"/"+want) {
			t.Errorf("%s is not in it", want)
		}
	}
	for program, module := range map[string]string{
		"coffer": "filippo.io/age", "coffer-server": "modernc.org/sqlite", "coffer-gateway": "github.com/go-chi/chi/v5",
	} {
		checkSBOM(t, filepath.Join(folder, name, program+".cdx.json"), program, module)
		if runtime.GOOS+runtime.GOARCH != "linuxamd64" {
			continue
		}
		out := run(t, nil, filepath.Join(folder, name, program), "--version")
		if want := program + " v1.2.3 (commit 0123456789abcdef0123456789abcdef01234567, " + runtime.Version() + " linux/amd64)\n"; out != want {
			t.Errorf("it says %q, want %q", out, want)
		}
	}
	checkSBOM(t, filepath.Join(folder, name, "coffer-web.cdx.json"), "coffer-web", "age-encryption")
	page, err := os.ReadFile(filepath.Join(folder, name, "man/coffer.1"))
	if err != nil || !bytes.Contains(page, []byte(`.TH COFFER 1 "2017-07-14" "Coffer v1.2.3"`)) {
		t.Errorf("the manual page is of another day or version: %v", err)
	}
}

// elsewhere is a copy of what belongs to the project, in another folder.
func elsewhere(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	list := run(t, nil, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	names := strings.Split(strings.TrimSuffix(list, "\x00"), "\x00")
	for _, built := range []string{"web/dist", "web/dist-console"} {
		err := filepath.WalkDir(filepath.Join(root, built), func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				name, err = filepath.Rel(root, name)
				names = append(names, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed, and not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(to, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), text, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// checkSums checks that SHA256SUMS has every file as it is, and returns it.
func checkSums(t *testing.T, dist string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dist, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{"SHA256SUMS": true}
	for line := range strings.Lines(string(text)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		content, err := os.ReadFile(filepath.Join(dist, name))
		if err != nil {
			t.Fatal(err)
		}
		if real := sha256.Sum256(content); hex.EncodeToString(real[:]) != sum {
			t.Errorf("%s has another checksum", name)
		}
		listed[name] = true
	}
	entries, err := os.ReadDir(dist)
	if err != nil || len(entries) != 5 { // an archive, three packages, the list
		t.Errorf("the release is %v, %v", entries, err)
	}
	for _, e := range entries {
		if !listed[e.Name()] {
			t.Errorf("%s has no checksum", e.Name())
		}
	}
	return string(text)
}

// unpack unpacks an archive and returns the names in it.
func unpack(t *testing.T, archive, to string) (names []string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		names = append(names, h.Name)
		if !filepath.IsLocal(h.Name) || h.ModTime.Unix() != 1500000000 || h.Uid != 0 || h.Uname != "" {
			t.Errorf("%s is of %s and of %d %q", h.Name, h.ModTime, h.Uid, h.Uname)
		}
		name := filepath.Join(to, h.Name)
		if err := os.MkdirAll(path.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, content, h.FileInfo().Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
}

// checkSBOM checks that a list of components is a program's, and has one that
// it must have.
func checkSBOM(t *testing.T, file, program, module string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
		return
	}
	var bom struct {
		Format   string `json:"bomFormat"`
		Metadata struct {
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(text, &bom); err != nil {
		t.Fatal(err)
	}
	if c := bom.Metadata.Component; bom.Format != "CycloneDX" || c.Name != program || c.Version != "v1.2.3" {
		t.Errorf("%s is a %s of %s %s", file, bom.Format, c.Name, c.Version)
	}
	for _, c := range bom.Components {
		if c.Name == module && c.Version != "" {
			return
		}
	}
	t.Errorf("%s does not know that there is %s in it", file, module)
}

// Every platform that is promised is built. The whole release, which takes
// minutes, is made where COFFER_RELEASE is set.
func TestReleaseForAll(t *testing.T) {
	if os.Getenv("COFFER_RELEASE") == "" {
		t.Skip("takes minutes: set COFFER_RELEASE")
	}
	dist := filepath.Join(t.TempDir(), "dist")
	run(t, append([]string{"DIST=" + dist}, made...), filepath.Join(here(t), "scripts/release"))
	for _, want := range []string{
		"coffer_1.2.3_linux_amd64.tar.gz", "coffer_1.2.3_linux_arm64.tar.gz", "coffer_1.2.3_darwin_amd64.tar.gz",
		"coffer_1.2.3_darwin_arm64.tar.gz", "coffer_1.2.3_windows_amd64.zip", "coffer_1.2.3_windows_arm64.zip",
		"coffer_1.2.3-1_arm64.deb", "coffer-server_1.2.3-1_arm64.deb", "coffer-gateway_1.2.3-1_amd64.deb",
	} {
		if _, err := os.Stat(filepath.Join(dist, want)); err != nil {
			t.Error(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), "unzip", "-Z1", filepath.Join(dist, "coffer_1.2.3_windows_amd64.zip")).Output()
	if err != nil || !strings.Contains(string(out), "/coffer-server.exe\n") {
		t.Errorf("%v\n%s", err, out)
	}
}
