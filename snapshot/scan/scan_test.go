package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"coffer/internal/fileattr"
	"coffer/snapshot"
)

// recorder notes what it is shown, below a folder.
type recorder struct {
	seen  []string
	visit func(*Dir, *Item) error
}

func (r *recorder) Enter(d *Dir) error { r.seen = append(r.seen, d.Path+"/"); return nil }
func (r *recorder) Leave(*Dir) error   { return nil }
func (r *recorder) Item(d *Dir, i *Item) error {
	r.seen = append(r.seen, i.Path)
	if r.visit != nil {
		return r.visit(d, i)
	}
	return nil
}

// makeTree makes files, and folders where a name ends with a slash. What is
// behind "=" is a file's content.
func makeTree(t *testing.T, names ...string) (root string) {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		name, content, _ := strings.Cut(name, "=")
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// scanned is what a scan shows below root, and what it leaves out by rule.
func scanned(t *testing.T, root string, opts Options, paths ...string) (seen []string, excluded map[string]string) {
	t.Helper()
	if len(paths) == 0 {
		paths = []string{root}
	}
	sources, err := NewSources(paths...)
	if err != nil {
		t.Fatal(err)
	}
	excluded = map[string]string{}
	opts.Excluded = func(path, rule string) { excluded[strings.TrimPrefix(path, root+"/")] = rule }
	if opts.Skipped == nil {
		opts.Skipped = func(path, reason string) { t.Errorf("skipped %s: %s", path, reason) }
	}
	var r recorder
	if err := Scan(context.Background(), sources, &r, opts); err != nil {
		t.Fatal(err)
	}
	for _, path := range r.seen {
		if rest := strings.TrimPrefix(path, root+"/"); rest != "" {
			seen = append(seen, rest)
		}
	}
	return seen, excluded
}

func TestPatterns(t *testing.T) {
	tests := []struct {
		patterns string
		fold     bool
		want     string // what is left
	}{
		{"", false, "A/ A/x.O a/ a/b/ a/b/c.o a/b/cache a/cache/ a/cache/f d [x] é.txt"},
		{"cache", false, "A/ A/x.O a/ a/b/ a/b/c.o d [x] é.txt"},
		{"cache/", false, "A/ A/x.O a/ a/b/ a/b/c.o a/b/cache d [x] é.txt"},
		{"*.o", false, "A/ A/x.O a/ a/b/ a/b/cache a/cache/ a/cache/f d [x] é.txt"},
		{"*.o", true, "A/ a/ a/b/ a/b/cache a/cache/ a/cache/f d [x] é.txt"},
		{"a", true, "d [x] é.txt"},
		{"a/cache", false, "A/ A/x.O a/ a/b/ a/b/c.o a/b/cache d [x] é.txt"},
		{"b/c*", false, "A/ A/x.O a/ a/b/ a/cache/ a/cache/f d [x] é.txt"},
		{"a/**/c.o", false, "A/ A/x.O a/ a/b/ a/b/cache a/cache/ a/cache/f d [x] é.txt"},
		{"a/{b,cache}", false, "A/ A/x.O a/ d [x] é.txt"},
		{"/a", false, "A/ A/x.O a/ a/b/ a/b/c.o a/b/cache a/cache/ a/cache/f d [x] é.txt"},
		{"ROOT/a", false, "A/ A/x.O d [x] é.txt"},
		{"ROOT/*/cache", false, "A/ A/x.O a/ a/b/ a/b/c.o a/b/cache d [x] é.txt"},
		{"ROOT/**/cache", false, "A/ A/x.O a/ a/b/ a/b/c.o d [x] é.txt"},
		{"*\n!cache", false, "a/cache/ ROOTED"},
		{"cache\n!ROOT/a/b/cache", false, "A/ A/x.O a/ a/b/ a/b/c.o a/b/cache d [x] é.txt"},
		{"!cache\ncache", false, "A/ A/x.O a/ a/b/ a/b/c.o d [x] é.txt"},
		{"# d\n\n   \nd  ", false, "A/ A/x.O a/ a/b/ a/b/c.o a/b/cache a/cache/ a/cache/f [x] é.txt"},
		{"?.txt", false, "A/ A/x.O a/ a/b/ a/b/c.o a/b/cache a/cache/ a/cache/f d [x]"},
		{`\[x\]`, false, "A/ A/x.O a/ a/b/ a/b/c.o a/b/cache a/cache/ a/cache/f d é.txt"},
		{"[a-c]", false, "A/ A/x.O d [x] é.txt"},
		{"[!a-zA-Z]*", false, "A/ A/x.O a/ a/b/ a/b/c.o a/b/cache a/cache/ a/cache/f d"},
	}
	root := makeTree(t, "A/x.O", "a/b/c.o", "a/b/cache", "a/cache/f", "d", "[x]", "é.txt")
	for _, test := range tests {
		t.Run(test.patterns, func(t *testing.T) {
			text := strings.ReplaceAll(test.patterns, "ROOT", root)
			rules := &Rules{}
			if test.fold {
				for line := range strings.SplitSeq(text, "\n") {
					if err := rules.Exclude(line, "--iexclude "+line, true); err != nil {
						t.Fatal(err)
					}
				}
			} else if err := rules.ExcludeLines([]byte(text), "list"); err != nil {
				t.Fatal(err)
			}
			got, _ := scanned(t, root, Options{Rules: rules})
			want := strings.Fields(test.want)
			if slices.Contains(want, "ROOTED") {
				want = nil // "a" is left out, and what lies in it with it
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("left\n\t%q, want\n\t%q", got, want)
			}
		})
	}
}

func TestBadPatterns(t *testing.T) {
	for _, bad := range []string{"", "/", "!", "[", "{a", `\`} {
		if err := new(Rules).Exclude(bad, "", false); err == nil {
			t.Errorf("%q is a pattern", bad)
		}
	}
	err := new(Rules).ExcludeLines([]byte("a\n[\n"), "list")
	if err == nil || !strings.Contains(err.Error(), "list") {
		t.Errorf("a bad line: %v", err)
	}
}

// Every rule says that it was the one.
func TestExcludedByWhichRule(t *testing.T) {
	root := makeTree(t, "big=12345678", "cache/CACHEDIR.TAG=Signature: 8a477f597d28d172789f06886806bc55\n", "cache/f",
		"fake/CACHEDIR.TAG=no", "fake/f", "marked/.nobackup", "marked/f", "marked/g/h",
		"own/.cofferignore=*.tmp\n/sub/x\n!kept.tmp\n", "own/a.tmp", "own/kept.tmp", "own/sub/x", "own/sub/y", "own/sub/deep/sub/x", "own/sub/b.tmp", "other.tmp")
	rules := &Rules{}
	rules.ExcludeCaches()
	rules.ExcludeLarger(6 << 10)
	rules.ReadIgnoreFiles()
	if err := rules.ExcludeIfPresent(".nobackup", "", "--exclude-if-present .nobackup"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "big"), make([]byte, 10<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	seen, excluded := scanned(t, root, Options{Rules: rules})
	want := []string{"cache/", "cache/CACHEDIR.TAG", "fake/", "fake/CACHEDIR.TAG", "fake/f", "marked/", "marked/.nobackup", "other.tmp",
		"own/", "own/.cofferignore", "own/kept.tmp", "own/sub/", "own/sub/deep/", "own/sub/deep/sub/", "own/sub/deep/sub/x", "own/sub/y"}
	if !slices.Equal(seen, want) {
		t.Errorf("left\n\t%q, want\n\t%q", seen, want)
	}
	ignore := root + "/own/.cofferignore"
	for path, rule := range map[string]string{
		"big": "--exclude-larger-than", "cache/f": "--exclude-caches", "marked/f": "--exclude-if-present .nobackup", "marked/g": "--exclude-if-present .nobackup",
		"own/a.tmp": ignore + ": *.tmp", "own/sub/b.tmp": ignore + ": *.tmp", "own/sub/x": ignore + ": /sub/x",
	} {
		if excluded[path] != rule {
			t.Errorf("%s was left out by %q, want %q", path, excluded[path], rule)
		}
		delete(excluded, path)
	}
	if len(excluded) > 0 {
		t.Errorf("left out as well: %q", excluded)
	}
}

func TestSeveralPaths(t *testing.T) {
	root := makeTree(t, "a/b/c/f", "a/b/c/g", "a/b/x", "a/d/f", "e/f", "a/other")
	if err := os.Symlink(filepath.Join(root, "e"), filepath.Join(root, "a/link")); err != nil {
		t.Fatal(err)
	}
	rules := &Rules{}
	if err := rules.Exclude("c", "--exclude c", false); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ paths, want string }{
		{"a/b/c a/d", "a/ a/b/ a/b/c/ a/b/c/f a/b/c/g a/d/ a/d/f"}, // what is asked for by its name is not left out
		{"a/b/x a/d/f", "a/ a/b/ a/b/x a/d/ a/d/f"},
		{"a/d a/d/f", "a/d/ a/d/f"},
		{"a/link a/d", "a/ a/d/ a/d/f a/link/ a/link/f"},
		{"a/b", "a/b/ a/b/x"},
		{"e a/other", "a/ a/other e/ e/f"},
	}
	for _, test := range tests {
		var paths []string
		for _, p := range strings.Fields(test.paths) {
			paths = append(paths, filepath.Join(root, p))
		}
		got, _ := scanned(t, root, Options{Rules: rules}, paths...)
		slices.Sort(got)
		if want := strings.Fields(test.want); !slices.Equal(got, want) {
			t.Errorf("%s:\n\t%q, want\n\t%q", test.paths, got, want)
		}
	}
}

func TestOneFile(t *testing.T) {
	root := makeTree(t, "f=content")
	sources, err := NewSources(filepath.Join(root, "f"))
	if err != nil {
		t.Fatal(err)
	}
	item, done, err := sources.File()
	if err != nil || item == nil {
		t.Fatal(item, err)
	}
	defer done()
	if item.Name != "f" || item.Size != 7 || item.Type != snapshot.File {
		t.Errorf("%+v", item)
	}
	f, stat, err := item.Open()
	if err != nil || stat.Size != 7 {
		t.Fatal(stat, err)
	}
	f.Close()
}

// What cannot be entered is reported, and the rest is shown.
func TestUnreadable(t *testing.T) {
	root := makeTree(t, "a/f", "b", "c/f")
	sources, err := NewSources(root)
	if err != nil {
		t.Fatal(err)
	}
	var r recorder
	skipped := map[string]string{}
	r.visit = func(d *Dir, i *Item) error {
		if i.Name == "b" { // c goes while it is on the list
			return os.RemoveAll(filepath.Join(root, "c"))
		}
		return nil
	}
	err = Scan(context.Background(), sources, &r, Options{Skipped: func(path, reason string) { skipped[path] = reason }})
	if err != nil {
		t.Fatal(err)
	}
	if want := (map[string]string{root + "/c": "it vanished while the folder was read"}); fmt.Sprint(skipped) != fmt.Sprint(want) {
		t.Errorf("skipped %q", skipped)
	}
}

// A file that is replaced while it is looked at is looked at anew.
func TestReplaced(t *testing.T) {
	root := makeTree(t, "f=old")
	sources, err := NewSources(root)
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	var r recorder
	r.visit = func(d *Dir, i *Item) error {
		if looked++; looked == 1 {
			tmp := filepath.Join(root, "g")
			if err := os.WriteFile(tmp, []byte("newer"), 0o600); err != nil {
				return err
			}
			if err := os.Rename(tmp, filepath.Join(root, "f")); err != nil {
				return err
			}
		}
		f, stat, err := i.Open()
		if err != nil {
			return err
		}
		defer f.Close()
		if stat.Size != 5 {
			t.Errorf("a file of %d bytes", stat.Size)
		}
		return nil
	}
	if err := Scan(context.Background(), sources, &r, Options{}); err != nil {
		t.Fatal(err)
	}
	if looked != 2 {
		t.Errorf("looked at %d times", looked)
	}
}

func TestKindsAndMetadata(t *testing.T) {
	root := makeTree(t, "f=12", "dir/")
	if err := os.Link(filepath.Join(root, "f"), filepath.Join(root, "same")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere\xff", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	dir, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	err = fileattr.MakeNode(dir, "pipe", fs.ModeNamedPipe, 0, 0)
	if errors.Is(err, fileattr.ErrUnsupported) {
		t.Skip("this system has no named pipes")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "\xfe"), nil, 0o4711); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(root, "\xfe"), 0o711|fs.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	entries := map[string]snapshot.Entry{}
	var r recorder
	r.visit = func(d *Dir, i *Item) error {
		e := i.Entry(i.Name)
		if i.Type == snapshot.Symlink {
			if e.Target, err = i.Target(); err != nil {
				return err
			}
		}
		entries[i.Name] = e
		return nil
	}
	sources, err := NewSources(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := Scan(context.Background(), sources, &r, Options{}); err != nil {
		t.Fatal(err)
	}
	if e := entries["f"]; e.Type != snapshot.File || e.Size != 2 || e.Link == "" || e.Link != entries["same"].Link || e.Inode == 0 || !e.CTime.Known {
		t.Errorf("f: %+v", e)
	}
	if e := entries["link"]; e.Type != snapshot.Symlink || e.Target != "nowhere\xff" || e.Link != "" {
		t.Errorf("link: %+v", e)
	}
	if e := entries["pipe"]; e.Type != snapshot.FIFO {
		t.Errorf("pipe: %+v", e)
	}
	if e := entries["\xfe"]; e.Mode != 0o4711 {
		t.Errorf("setuid: %+v", e)
	}
}

func TestReadPaths(t *testing.T) {
	for text, want := range map[string]string{"": "[]", "a\nb c\r\n\nd": `["a" "b c" "d"]`, "a\nb\x00c\x00": `["a\nb" "c"]`} {
		if got := fmt.Sprintf("%q", ReadPaths([]byte(text))); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
