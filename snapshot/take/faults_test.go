package take_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"coffer/snapshot"
	"coffer/snapshot/cache"
	"coffer/snapshot/scan"
	"coffer/snapshot/take"
	"coffer/snapshot/view"
)

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		if err := flag.Set("rapid.checks", "15"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// later is a clock that is far enough ahead for all files to be settled.
func later() time.Time { return time.Now().Add(time.Hour) }

// What looks as it did is not opened.
func TestUnchangedFilesAreNotOpened(t *testing.T) {
	m := newMachine(t)
	root := t.TempDir()
	for i := range 50 {
		write(t, filepath.Join(root, fmt.Sprintf("d%d/f%d", i%5, i)), fmt.Sprint(i))
	}
	opened := 0
	opts := m.options().WithClock(later).WithOpen(func(i *scan.Item) (take.File, scan.Stat, error) {
		opened++
		return i.Open()
	})
	for i, want := range []int{50, 50, 52} {
		if i == 2 { // same size and time: what tells is the time of change
			path := filepath.Join(root, "d1/f1")
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, "X")
			write(t, filepath.Join(root, "d1/new"), "new")
			if err := os.Chtimes(path, time.Time{}, info.ModTime()); err != nil {
				t.Fatal(err)
			}
		}
		result, err := m.try(opts, root)
		if err != nil {
			t.Fatal(err)
		}
		if opened != want {
			t.Errorf("run %d: %d files were opened, want %d: %+v", i, opened, want, result)
		}
	}
	if got := m.cat(3, "d1/f1"); got != "X" {
		t.Errorf("a changed file: %q", got)
	}
	opts.Force = true
	if result, err := m.try(opts, root); err != nil || opened != 52+51 || result.Added != 0 {
		t.Errorf("--force: %d files were opened, %+v, %v", opened, result, err)
	}
}

// A file that changed right before it was read is read again.
func TestRacyFilesAreReadAgain(t *testing.T) {
	m := newMachine(t)
	root := t.TempDir()
	write(t, filepath.Join(root, "f"), "first")
	opened := 0
	opts := m.options().WithOpen(func(i *scan.Item) (take.File, scan.Stat, error) {
		opened++
		return i.Open()
	})
	puts := 0
	for i := range 2 {
		if _, err := m.try(opts, root); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			puts = m.repo.Puts
		}
	}
	if opened != 2 || m.repo.Puts != puts {
		t.Errorf("opened %d times, %d packs sent by the second run", opened, m.repo.Puts-puts)
	}
}

// brokenFile fails, or is cut short, in the middle.
type brokenFile struct {
	*os.File
	left int64
	err  error
}

func (f *brokenFile) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, f.err
	}
	n, err := f.File.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	return n, err
}

func TestFilesThatCannotBeRead(t *testing.T) {
	m := newMachine(t)
	root := t.TempDir()
	large := random(2 << 20)
	for _, name := range []string{"a", "b", "c", "d"} {
		write(t, filepath.Join(root, name), name+large)
	}
	broken := errors.New("input/output error")
	skipped := map[string]string{}
	opts := m.options()
	opts.Scan.Skipped = func(path, reason string) { skipped[filepath.Base(path)] = reason }
	var changed []string
	opts.Changed = func(path string) { changed = append(changed, filepath.Base(path)) }
	opts = opts.WithOpen(func(i *scan.Item) (take.File, scan.Stat, error) {
		f, stat, err := i.Open()
		if err != nil {
			return nil, stat, err
		}
		switch i.Name {
		case "a":
			f.Close()
			return nil, stat, &os.PathError{Op: "open", Path: i.Name, Err: os.ErrPermission}
		case "b":
			return &brokenFile{f, 1 << 20, broken}, stat, nil
		case "c": // it shrank
			return &brokenFile{f, 1 << 20, io.EOF}, stat, nil
		}
		return f, stat, nil
	})
	result, err := m.try(opts, root)
	if err != nil {
		t.Fatal(err)
	}
	if result.Unreadable != 2 || result.Files != 2 || result.Unsettled != 1 || skipped["a"] != "permission denied" || skipped["b"] != "input/output error" || !slices.Equal(changed, []string{"c"}) {
		t.Errorf("%+v, %q, %q", result, skipped, changed)
	}
	s := m.snapshot(1)
	if len(s.Unreadable) != 2 || s.Totals.Unreadable != 2 {
		t.Errorf("the manifest: %+v", s.Unreadable)
	}
	if got := m.cat(1, "c"); got != ("c" + large)[:1<<20] {
		t.Errorf("what was read of a file that shrank: %d bytes", len(got))
	}
	e, err := s.Find(context.Background(), "c")
	if err != nil || !e.Changed {
		t.Errorf("%+v, %v", e, err)
	}
	// Next time all is there.
	result = m.backup(root)
	if result.Unreadable != 0 || m.cat(2, "c") != "c"+large || m.cat(2, "b") != "b"+large {
		t.Errorf("the next run: %+v", result)
	}
}

// A file that is removed while the folder is read leaves its inode to another:
// both have several names, and neither comes back as the other.
func TestRecycledInode(t *testing.T) {
	m := newMachine(t)
	root := t.TempDir()
	for first, second := range map[string]string{"a": "b", "y": "z"} {
		write(t, filepath.Join(root, first), "content of "+first)
		if err := os.Link(filepath.Join(root, first), filepath.Join(root, second)); err != nil {
			t.Fatal(err)
		}
	}
	settle(t, root)
	var device, inode uint64
	opts := m.options().WithOpen(func(i *scan.Item) (take.File, scan.Stat, error) {
		f, stat, err := i.Open()
		if i.Name == "a" {
			device, inode = stat.Device, stat.Inode
		} else if i.Name == "y" || i.Name == "z" {
			stat.Device, stat.Inode = device, inode
		}
		return f, stat, err
	})
	if _, err := m.try(opts, root); err != nil {
		t.Fatal(err)
	}
	to, _, err := m.restore(1, view.RestoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var files []os.FileInfo
	for _, name := range []string{"a", "b", "y", "z"} {
		want, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(to, name))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		info, err := os.Stat(filepath.Join(to, name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, info)
	}
	if !os.SameFile(files[0], files[1]) || !os.SameFile(files[2], files[3]) || os.SameFile(files[1], files[2]) {
		t.Error("other names became one file than were one")
	}
}

// What is gone is gone, also if a new folder comes next by name.
func TestGoneBeforeANewFolder(t *testing.T) {
	m := newMachine(t)
	root := t.TempDir()
	write(t, filepath.Join(root, "a"), "a")
	write(t, filepath.Join(root, "b"), "b")
	m.backup(root)
	if err := os.Remove(filepath.Join(root, "b")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "c", "f"), "c")
	m.backup(root)
	s := m.snapshot(2)
	if _, err := s.Find(context.Background(), "b"); !errors.Is(err, view.ErrNotFound) {
		t.Errorf("a removed file is in the next snapshot: %v", err)
	}
	if m.cat(2, "a") != "a" || m.cat(2, "c/f") != "c" {
		t.Error("the rest is not there")
	}
}

func TestAnotherSource(t *testing.T) {
	m := newMachine(t)
	root := t.TempDir()
	m.backup(root)
	opts := m.options()
	opts.Source = "here:/elsewhere"
	if _, err := m.try(opts, root); !errors.Is(err, take.ErrOtherSource) {
		t.Errorf("another source: %v", err)
	}
	opts.Adopt = true
	if _, err := m.try(opts, root); err != nil {
		t.Errorf("adopted: %v", err)
	}
	if m.snapshot(0).Source != "here:/elsewhere" {
		t.Error("the source did not change")
	}
}

// Another machine's snapshot that comes first costs only the manifest.
func TestAnotherComesFirst(t *testing.T) {
	m := newMachine(t)
	root := t.TempDir()
	write(t, filepath.Join(root, "f"), "content")
	other := &machine{t: t, repo: m.repo, id: m.id, keys: m.keys, path: filepath.Join(t.TempDir(), "cache")}
	other.open()
	defer other.cache.Close()
	commits := 0
	m.repo.BeforeCommit = func(take.Commit) {
		if commits++; commits == 1 {
			other.backup(root)
		}
	}
	puts := -1
	result, err := m.try(m.options(), root)
	if err != nil || result.Version != 2 || result.Before != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	if puts = m.repo.Puts; puts != 4 {
		t.Errorf("%d packs were sent", puts)
	}
	s := m.snapshot(2)
	if s.Before == nil || s.Before.Version != 1 || s.Before.Digest != m.snapshot(1).Digest {
		t.Errorf("before: %+v", s.Before)
	}
}

// Packs that the server lost are made anew, from what is still there.
func TestLostPacks(t *testing.T) {
	m := newMachine(t)
	root := t.TempDir()
	for i := range 20 {
		write(t, filepath.Join(root, fmt.Sprintf("d%d/f", i)), fmt.Sprint(i))
	}
	opts := m.options().WithClock(later)
	if _, err := m.try(opts, root); err != nil {
		t.Fatal(err)
	}
	for id := range m.repo.Packs() {
		m.repo.Replace(id, nil)
	}
	result, err := m.try(opts, root)
	if err != nil || result.Added == 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	for i := range 20 {
		if got := m.cat(2, fmt.Sprintf("d%d/f", i)); got != fmt.Sprint(i) {
			t.Errorf("%d: %q", i, got)
		}
	}
	// And those that it loses between asking and committing.
	once := true
	m.repo.BeforeCommit = func(c take.Commit) {
		if once {
			once = false
			for _, id := range c.Added {
				m.repo.Replace(id, nil)
			}
		}
	}
	write(t, filepath.Join(root, "new"), "new")
	if result, err = m.try(opts, root); err != nil || m.cat(result.Version, "new") != "new" {
		t.Errorf("%+v, %v", result, err)
	}
}

// A cutOff repository fails every put after the first 30 MiB.
type cutOff struct {
	take.Repository
	cancel context.CancelFunc
	left   atomic.Int64
}

func (r *cutOff) Put(ctx context.Context, run snapshot.RunID, id snapshot.PackID, sealed []byte) error {
	if r.left.Add(-int64(len(sealed))) < -int64(len(sealed)) {
		r.cancel()
		return context.Canceled
	}
	return r.Repository.Put(ctx, run, id, sealed)
}

// What arrived before a run was cut off is not sent again.
func TestGoesOn(t *testing.T) {
	m := newMachine(t)
	root := t.TempDir()
	for i := range 5 {
		write(t, filepath.Join(root, fmt.Sprint(i)), random(12<<20))
	}
	opts := m.options()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	repo := &cutOff{Repository: m.repo, cancel: cancel}
	repo.left.Store(30 << 20)
	sources, err := scan.NewSources(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := take.Folder(ctx, repo, m.takeKeys(), m.cache, sources, opts); !errors.Is(err, context.Canceled) {
		t.Fatalf("a run that is cut off: %v", err)
	}
	before := m.repo.PutBytes
	m.cache.Close()
	m.open()
	result := m.backup(root)
	if sent := m.repo.PutBytes - before; sent+before > 70<<20 || before < 30<<20 {
		t.Errorf("%d bytes arrived before, %d after: %+v", before, sent, result)
	}
}

func TestStream(t *testing.T) {
	m := newMachine(t)
	content := random(5 << 20)
	result, err := take.Stream(context.Background(), m.repo, m.takeKeys(), m.cache, "dump", strings.NewReader(content), m.options())
	if err != nil || result.Bytes != 5<<20 || result.Files != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	if m.cat(1, "") != content {
		t.Error("the content is another")
	}
	broken := errors.New("the command failed")
	_, err = take.Stream(context.Background(), m.repo, m.takeKeys(), m.cache, "dump", io.MultiReader(strings.NewReader(content), failing{broken}), m.options())
	if !errors.Is(err, broken) {
		t.Errorf("a stream that fails: %v", err)
	}
	if n, _ := m.repo.Newest(context.Background(), m.keys.WireName("home")); n.Version != 1 {
		t.Errorf("version %d was made of it", n.Version)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestDryRun(t *testing.T) {
	m := newMachine(t)
	root := t.TempDir()
	write(t, filepath.Join(root, "d/f"), "content")
	opts := m.options()
	opts.DryRun = true
	var seen []string
	opts.Visited = func(path string, how take.How) { seen = append(seen, fmt.Sprint(filepath.Base(path), how)) }
	result, err := m.try(opts, root)
	if err != nil || result.New != 1 || result.Added != 7 || m.repo.Puts != 0 || len(m.repo.Packs()) != 0 || !slices.Equal(seen, []string{"f1"}) {
		t.Errorf("%+v, %v, %q", result, err, seen)
	}
	if n, _ := m.repo.Newest(context.Background(), m.keys.WireName("home")); n != nil {
		t.Error("it made a snapshot")
	}
	if result := m.backup(root); result.Version != 1 || m.cat(1, "d/f") != "content" {
		t.Errorf("the run after it: %+v", result)
	}
}

// Each file that a damaged pack holds is named, and the rest is restored.
func TestDamagedPacks(t *testing.T) {
	m := newMachine(t)
	root := t.TempDir()
	for i := range 4 {
		write(t, filepath.Join(root, fmt.Sprintf("f%d", i)), random(10<<20))
	}
	write(t, filepath.Join(root, "small"), "small")
	m.backup(root)
	s := m.snapshot(1)
	e, err := s.Find(context.Background(), "f2")
	if err != nil {
		t.Fatal(err)
	}
	damaged := e.Content[0].Pack
	users := map[string]bool{}
	err = s.Walk(context.Background(), "", &s.Root, nil, func(path string, e *snapshot.Entry) error {
		for _, p := range e.Content {
			if p.Pack == damaged {
				users[path] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sealed := m.repo.Packs()[damaged]
	other := slices.Clone(sealed)
	for i := range other {
		other[i] ^= 1
	}
	var another []byte
	for id, content := range m.repo.Packs() {
		if id != damaged {
			another = content
		}
	}
	for what, content := range map[string][]byte{"damaged": other, "withheld": nil, "cut short": sealed[:len(sealed)/4], "swapped": another} {
		m.repo.Replace(damaged, content)
		failed := map[string]bool{}
		to, restored, err := m.restore(1, view.RestoreOptions{KeepGoing: true, Failed: func(path string, err error) { failed[path] = true }})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for path := range failed {
			if !users[path] {
				t.Errorf("%s: %q failed, which needs no such pack", what, path)
			}
		}
		if len(failed) == 0 || restored.Failed != uint64(len(failed)) {
			t.Errorf("%s: %v failed, %+v", what, failed, restored)
		}
		for i := range 5 {
			name := []string{"f0", "f1", "f2", "f3", "small"}[i]
			got, err := os.ReadFile(filepath.Join(to, name))
			want, wantErr := os.ReadFile(filepath.Join(root, name))
			if wantErr != nil {
				t.Fatal(wantErr)
			}
			if failed[name] != os.IsNotExist(err) || err == nil && string(got) != string(want) {
				t.Errorf("%s: %s: %v, failed %t", what, name, err, failed[name])
			}
		}
		left, err := os.ReadDir(to)
		if err != nil || len(left) != 5-len(failed) {
			t.Errorf("%s: left behind %v", what, left)
		}
		if _, _, err := m.restore(1, view.RestoreOptions{}); !errors.Is(err, view.ErrDamaged) {
			t.Errorf("%s: without keeping going: %v", what, err)
		}
		v, err := m.snapshot(1).Verify(context.Background(), view.Slice{N: 1, Of: 1}, nil)
		if err != nil || v.Bad != uint64(len(users)) {
			t.Errorf("%s: verify: %d wrong, want %d: %v", what, v.Bad, len(users), err)
		}
	}
	// The next backup makes a whole one.
	m.repo.Replace(damaged, nil)
	m.backup(root)
	if to, _, err := m.restore(2, view.RestoreOptions{}); err != nil {
		t.Error(err)
	} else if got, err := os.ReadFile(filepath.Join(to, "f2")); err != nil || len(got) != 10<<20 {
		t.Error(err)
	}
}

// A damaged cache, or one of another account, is replaced by a new one.
func TestDamagedCache(t *testing.T) {
	m := newMachine(t)
	root := t.TempDir()
	write(t, filepath.Join(root, "f"), "content")
	m.backup(root)
	m.cache.Close()
	content, err := os.ReadFile(m.path)
	if err != nil {
		t.Fatal(err)
	}
	for what, bad := range map[string][]byte{"empty": {}, "text": []byte("no database"), "cut": content[:len(content)/2], "zeros": make([]byte, len(content))} {
		if err := os.WriteFile(m.path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		m.open()
		if result := m.backup(root); m.cat(result.Version, "f") != "content" {
			t.Errorf("%s: %+v", what, result)
		}
		m.cache.Close()
	}
	c, err := cache.Open(m.path, []byte("another owner"), time.Second)
	if err != nil || !c.Fresh {
		t.Errorf("another owner: %v", err)
	}
	if _, err := cache.Open(m.path, []byte("another owner"), 0); !errors.Is(err, cache.ErrBusy) {
		t.Errorf("opened twice: %v", err)
	}
	c.Close()
	m.open()
}

// A cache that was lost is made anew from the trees: nothing is opened that did
// not change, and nothing is sent.
func TestLearn(t *testing.T) {
	m := newMachine(t)
	root := t.TempDir()
	for i := range 40 {
		write(t, filepath.Join(root, fmt.Sprintf("d%d/e/f%d", i%5, i)), fmt.Sprint(i))
	}
	write(t, filepath.Join(root, "large"), random(3<<20))
	opened := 0
	opts := m.options().WithClock(later).WithOpen(func(i *scan.Item) (take.File, scan.Stat, error) {
		opened++
		return i.Open()
	})
	for _, paths := range [][]string{{root}, {filepath.Join(root, "d1"), filepath.Join(root, "d2/e"), filepath.Join(root, "large")}} {
		if _, err := m.try(opts, paths...); err != nil {
			t.Fatal(err)
		}
		m.cache.Close()
		if err := os.Remove(m.path); err != nil {
			t.Fatal(err)
		}
		m.open()
		if err := take.Learn(context.Background(), m.repo, m.viewKeys(), m.cache, "home"); err != nil {
			t.Fatal(err)
		}
		before, puts := opened, m.repo.Puts
		result, err := m.try(opts, paths...)
		if err != nil || opened != before || m.repo.Puts != puts || result.New+result.Changed != 0 {
			t.Errorf("%q: %+v, %v: %d files opened, %d packs sent", paths, result, err, opened-before, m.repo.Puts-puts)
		}
		if to, _, err := m.restore(0, view.RestoreOptions{}); err != nil {
			t.Error(err)
		} else if v, err := m.snapshot(0).Verify(context.Background(), view.Slice{N: 1, Of: 1}, nil); err != nil || v.Bad > 0 {
			t.Errorf("%s: %+v, %v", to, v, err)
		}
	}
	if err := take.Learn(context.Background(), m.repo, m.viewKeys(), m.cache, "none"); err != nil {
		t.Error(err)
	}
}
