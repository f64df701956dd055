//go:build !386 && !arm && !mips && !mipsle

package mount

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"coffer/snapshot"
	"coffer/snapshot/snaptest"
	"coffer/snapshot/view"
)

// An account has snapshots in a repository in memory.
type testAccount struct {
	*snaptest.Account
	t *testing.T
}

func newAccount(t *testing.T) *testAccount { return &testAccount{snaptest.NewAccount(t), t} }

func (a *testAccount) library() Library { return Account(a.Repo, a.ViewKeys(), nil, nil) }

// A mounted library.
type mounted struct {
	dir  string
	stop func()        // unmounts
	done chan struct{} // closed at the end
	err  error         // once done

	mu     sync.Mutex
	failed map[string]error
}

func (m *mounted) fail(path string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed[path] = err
}

func (m *mounted) failures() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.failed))
}

// mount mounts an account's snapshots until the test ends, or stop is called.
// Change, if not nil, changes the tree before.
func (a *testAccount) mount(opts Options, change func(*tree)) *mounted {
	a.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	m := &mounted{dir: a.t.TempDir(), stop: stop, done: make(chan struct{}), failed: map[string]error{}}
	ready := make(chan struct{})
	opts.Failed, opts.Ready = m.fail, func() { close(ready) }
	fetching, end := context.WithCancel(context.Background())
	tree := newTree(fetching, a.library(), opts)
	if change != nil {
		change(tree)
	}
	go func() {
		defer close(m.done)
		defer end()
		if m.err = usable(m.dir); m.err == nil {
			m.err = tree.serve(ctx, m.dir, opts, end)
		}
	}()
	a.t.Cleanup(func() {
		stop()
		<-m.done
		if m.err != nil {
			a.t.Error(m.err)
		}
	})
	select {
	case <-ready:
	case <-m.done:
		a.t.Fatalf("mount: %v", m.err)
	}
	return m
}

// fill makes a folder with all that a system of files has, and one with many files.
func (a *testAccount) fill(many int) {
	a.t.Helper()
	random := make([]byte, 5<<20)
	rand.NewChaCha8([32]byte{1}).Read(random)
	at := func(path string) string { return filepath.Join(a.Root, path) }
	sparse := func() error {
		f, err := os.Create(at("sparse"))
		if err != nil {
			return err
		}
		_, first := f.WriteAt(random[:100_000], 1<<20)
		_, second := f.WriteAt(random[:10], 9<<20)
		return errors.Join(first, second, f.Truncate(12<<20), f.Close())
	}
	err := errors.Join(
		os.MkdirAll(at("a/b/empty folder"), 0o755),
		os.MkdirAll(at("many"), 0o700),
		os.WriteFile(at("large"), random, 0o640),
		os.WriteFile(at("empty"), nil, 0o600),
		os.WriteFile(at("a/none may read"), []byte("secret"), 0),
		os.WriteFile(at("a/b/\xff not UTF-8 \n%"), []byte("odd"), 0o644),
		os.WriteFile(at("a/linked"), []byte("one file"), 0o644),
		os.Link(at("a/linked"), at("a/b/linked too")),
		os.Symlink("../large", at("a/link")),
		os.Symlink("nowhere/\xff", at("a/broken")),
		unix.Mkfifo(at("a/pipe"), 0o620),
		sparse(),
		unix.Lsetxattr(at("large"), "user.colour", []byte("red\x00\xff"), 0),
		unix.Lsetxattr(at("large"), "user.none", nil, 0),
		unix.Lsetxattr(at("a"), "user.folder", []byte("yes"), 0),
	)
	for i := range many {
		err = errors.Join(err, os.WriteFile(at(fmt.Sprintf("many/a file with quite a long name, number %05d", i)), fmt.Append(nil, i), 0o644))
	}
	if os.Geteuid() == 0 {
		err = errors.Join(err,
			unix.Mknod(at("a/device"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))),
			os.Lchown(at("a/link"), 12, 34),
			os.Lchown(at("a/linked"), 56, 78))
	}
	// Read and write for the owner and for user 7, as Linux writes it in bytes.
	list := []byte("\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x06\x00\x07\x00\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff\x10\x00\x06\x00\xff\xff\xff\xff\x20\x00\x04\x00\xff\xff\xff\xff")
	if e := unix.Lsetxattr(at("a/linked"), "system.posix_acl_access", list, 0); !errors.Is(e, unix.ENOTSUP) {
		err = errors.Join(err, e)
	}
	old := time.Date(1931, 5, 6, 7, 8, 9, 123456789, time.UTC)
	err = errors.Join(err, os.Chmod(at("a/none may read"), 0), os.Chmod(at("empty"), 0o4711|fs.ModeSetuid), os.Chmod(at("a/b"), 0o777|fs.ModeSticky), os.Chtimes(at("large"), old, old))
	if err != nil {
		a.t.Fatal(err)
	}
}

// describe says all that there is to say of a file, without what tells its place
// in the system.
func describe(t *testing.T, path string) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Error(err)
		return ""
	}
	text := fmt.Sprintf("%o %d:%d %d.%09d rdev %d", st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec, st.Rdev)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		text += fmt.Sprintf(" -> %q %v size %d", target, err, st.Size)
	default:
		text += fmt.Sprintf(" size %d nlink %d", st.Size, st.Nlink)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFREG {
		f, err := os.Open(path)
		if err != nil {
			return text + " " + errors.Unwrap(err).Error()
		}
		defer f.Close()
		hash := sha256.New()
		n, err := io.Copy(hash, f)
		text += fmt.Sprintf(" %d bytes %s %v", n, hex.EncodeToString(hash.Sum(nil)), err)
	}
	return text + xattrs(t, path)
}

func xattrs(t *testing.T, path string) (text string) {
	t.Helper()
	names := make([]byte, 4096)
	n, err := unix.Llistxattr(path, names)
	if err != nil {
		t.Errorf("%s: list extended attributes: %v", path, err)
		return ""
	}
	for _, name := range slices.Sorted(strings.SplitSeq(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00")) {
		if name == "" {
			continue
		}
		value := make([]byte, 4096)
		n, err := unix.Lgetxattr(path, name, value)
		text += fmt.Sprintf(" %s=%q %v", name, value[:max(n, 0)], err)
	}
	return text
}

// same compares two folders in everything.
func same(t *testing.T, want, got string) {
	t.Helper()
	all := func(dir string) []string {
		var list []string
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			rest, _ := filepath.Rel(dir, path)
			list = append(list, rest)
			return err
		})
		if err != nil {
			t.Error(err)
		}
		return list
	}
	paths := all(want)
	if there := all(got); !slices.Equal(paths, there) {
		t.Fatalf("%d names are there, want %d", len(there), len(paths))
	}
	for _, path := range paths {
		if is, want := describe(t, filepath.Join(got, path)), describe(t, filepath.Join(want, path)); is != want {
			t.Errorf("%q is\n%s, want\n%s", path, is, want)
		}
	}
}

// What is mounted is what was backed up, to the last bit.
func TestMountShowsEverything(t *testing.T) {
	a := newAccount(t)
	a.fill(300)
	a.Backup("home")
	m := a.mount(Options{}, nil)
	same(t, a.Root, filepath.Join(m.dir, "home", "1"))
	var one, other unix.Stat_t
	if err := errors.Join(unix.Stat(filepath.Join(m.dir, "home/1/a/linked"), &one), unix.Stat(filepath.Join(m.dir, "home/1/a/b/linked too"), &other)); err != nil || one.Ino != other.Ino {
		t.Errorf("the names of one file have the inodes %d and %d: %v", one.Ino, other.Ino, err)
	}
	if list := m.failures(); len(list) > 0 {
		t.Errorf("failures are reported: %q", list)
	}
}

// Versions are found by number, by time, and as the latest; nothing can be
// changed.
func TestMountedVersions(t *testing.T) {
	a := newAccount(t)
	if err := os.WriteFile(filepath.Join(a.Root, "file"), []byte("first"), 0o644); err != nil {
		t.Fatal(err)
	}
	a.Backup("home")
	a.Backup("ho/me 100%")
	if err := os.WriteFile(filepath.Join(a.Root, "file"), []byte("second"), 0o644); err != nil {
		t.Fatal(err)
	}
	a.Backup("home")
	now := time.Now()
	var later atomic.Bool
	m := a.mount(Options{}, func(tree *tree) {
		tree.now = func() time.Time {
			if later.Load() {
				return now.Add(2 * fresh)
			}
			return now
		}
	})
	names := func(dir string) (list []string) {
		entries, err := os.ReadDir(filepath.Join(m.dir, dir))
		if err != nil {
			t.Error(err)
		}
		for _, e := range entries {
			list = append(list, e.Name())
		}
		return list
	}
	if list := names("."); !slices.Equal(list, []string{"ho%2Fme 100%25", "home"}) {
		t.Errorf("the names are %q", list)
	}
	list := names("home")
	if !slices.Contains(list, "1") || !slices.Contains(list, "2") || !slices.Contains(list, latest) || len(list) < 4 || len(list) > 5 {
		t.Errorf("the versions are %q", list)
	}
	for path, want := range map[string]string{"home/1/file": "first", "home/2/file": "second", "home/latest/file": "second",
		"home/" + now.AddDate(0, 0, 1).Format(time.DateOnly) + "/file": "second", "ho%2Fme 100%25/latest/file": "first"} {
		if content, err := os.ReadFile(filepath.Join(m.dir, path)); err != nil || string(content) != want {
			t.Errorf("%s holds %q, %v, want %q", path, content, err, want)
		}
	}
	for _, path := range []string{"other", "home/3", "home/1999-12-31", "home/1/other", "home/01"} {
		if _, err := os.Stat(filepath.Join(m.dir, path)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := os.WriteFile(filepath.Join(m.dir, "home/1/file"), nil, 0o644); !errors.Is(err, syscall.EROFS) {
		t.Errorf("a file is written: %v", err)
	}
	a.Backup("home")
	later.Store(true)
	if target, err := os.Readlink(filepath.Join(m.dir, "home/latest")); err != nil || target != "3" {
		t.Errorf("the latest is %q, %v, want 3", target, err)
	}
}

// Many programs read at once, anywhere in files.
func TestConcurrentReads(t *testing.T) {
	a := newAccount(t)
	a.fill(0)
	a.Backup("home")
	m := a.mount(Options{}, func(tree *tree) { tree.data.room = 2 << 20 })
	want := map[string][]byte{}
	for _, name := range []string{"large", "sparse"} {
		content, err := os.ReadFile(filepath.Join(a.Root, name))
		if err != nil {
			t.Fatal(err)
		}
		want[name] = content
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 0))
			name := []string{"large", "sparse"}[i%2]
			f, err := os.Open(filepath.Join(m.dir, "home/latest", name))
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			buf := make([]byte, 300_000)
			for range 20 {
				at := random.IntN(len(want[name]))
				part := buf[:1+random.IntN(len(buf)-1)]
				n, err := f.ReadAt(part, int64(at))
				if err != nil && !errors.Is(err, io.EOF) || !bytes.Equal(part[:n], want[name][at:min(len(want[name]), at+len(part))]) {
					t.Errorf("%s from %d: %d bytes, %v", name, at, n, err)
				}
			}
		})
	}
	group.Wait()
}

// What is damaged is an error of reading, reported once; the rest is there.
func TestDamageIsAnErrorOfReading(t *testing.T) {
	a := newAccount(t)
	a.fill(0)
	a.Backup("home")
	library := a.library()
	from, root, err := library.Open(t.Context(), "home", 1)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: newTree(t.Context(), library, Options{}), subtree: root.Subtree}
	large, err := n.find(from, "large")
	if err != nil {
		t.Fatal(err)
	}
	a.Repo.Replace(large.Content[0].Pack, nil)
	m := a.mount(Options{}, nil)
	for range 2 {
		if _, err := os.ReadFile(filepath.Join(m.dir, "home/1/large")); !errors.Is(err, syscall.EIO) {
			t.Errorf("read what is lost: %v", err)
		}
	}
	if list := m.failures(); !slices.Equal(list, []string{"home/1/large"}) || !errors.Is(m.failed["home/1/large"], view.ErrDamaged) {
		t.Errorf("reported are %v", m.failed)
	}
	if content, err := os.ReadFile(filepath.Join(m.dir, "home/1/empty")); err != nil || len(content) > 0 {
		t.Errorf("an empty file: %q, %v", content, err)
	}
}

// A folder of which a piece is lost shows the others, and then fails.
func TestDamagedFolder(t *testing.T) {
	a := newAccount(t)
	a.fill(1000)
	a.Backup("home")
	m := a.mount(Options{}, func(tree *tree) {
		tree.lib = losing{tree.lib, "many"}
	})
	at := filepath.Join(m.dir, "home/1/many")
	entries, err := os.ReadDir(at)
	if !errors.Is(err, syscall.EIO) || len(entries) == 0 || len(entries) >= 1000 {
		t.Fatalf("%d names, %v", len(entries), err)
	}
	there := map[string]bool{}
	for _, e := range entries {
		there[e.Name()] = true
		if _, err := os.ReadFile(filepath.Join(at, e.Name())); err != nil {
			t.Error(err)
		}
	}
	source, err := os.ReadDir(filepath.Join(a.Root, "many"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range source {
		if there[e.Name()] {
			continue
		}
		if _, err := os.Stat(filepath.Join(at, e.Name())); !errors.Is(err, syscall.EIO) {
			t.Errorf("what may be in the lost piece: %v", err)
		}
		break
	}
}

// A snapshot that the caller refuses shows nothing; the others are there.
func TestRefusedSnapshot(t *testing.T) {
	a := newAccount(t)
	a.fill(0)
	a.Backup("home")
	a.Backup("home")
	opened := func(s *view.Snapshot) error {
		if s.Number == 1 {
			return errors.New("it is not what was seen")
		}
		return nil
	}
	m := a.mount(Options{}, func(tree *tree) { tree.lib = Account(a.Repo, a.ViewKeys(), opened, nil) })
	if entries, err := os.ReadDir(filepath.Join(m.dir, "home/1")); err == nil || len(entries) > 0 {
		t.Errorf("refused: %d names, %v", len(entries), err)
	}
	if failures := m.failures(); len(failures) == 0 {
		t.Error("nobody learns why")
	}
	if _, err := os.ReadDir(filepath.Join(m.dir, "home/2/many")); err != nil {
		t.Error(err)
	}
}

// losing is a library whose snapshots have lost the first piece of a folder.
type losing struct {
	Library
	folder string
}

func (l losing) Open(ctx context.Context, name string, number uint32) (Chunks, *snapshot.Entry, error) {
	from, root, err := l.Library.Open(ctx, name, number)
	if err != nil {
		return nil, nil, err
	}
	n := &node{t: newTree(ctx, l, Options{}), subtree: root.Subtree}
	e, err := n.find(from, l.folder)
	if err != nil {
		return nil, nil, err
	}
	if len(e.Subtree) < 2 {
		return nil, nil, fmt.Errorf("%s has one piece alone", l.folder)
	}
	return without{from, e.Subtree[0].ID}, root, nil
}

type without struct {
	Chunks
	lost snapshot.ChunkID
}

func (w without) Chunk(ctx context.Context, kind snapshot.Kind, p snapshot.Place) ([]byte, snapshot.PackID, error) {
	if p.ID == w.lost {
		return nil, p.Pack, view.ErrDamaged
	}
	return w.Chunks.Chunk(ctx, kind, p)
}

// However much is read, little is kept: neither content nor what the kernel
// knows.
func TestMemoryHasABound(t *testing.T) {
	a := newAccount(t)
	a.fill(300)
	a.Backup("home")
	var mine *tree
	m := a.mount(Options{}, func(tree *tree) {
		mine = tree
		tree.known, tree.trees.room, tree.data.room = newKnown(100), 2<<20, 2<<20
	})
	same(t, a.Root, filepath.Join(m.dir, "home/1"))
	many := mine.root.GetChild("home").GetChild("1").GetChild("many")
	for len(many.Children()) > 2*mine.known.limit {
		// What was asked to be forgotten is, while other things are asked for.
		if _, err := os.Lstat(filepath.Join(m.dir, "home/latest")); err != nil {
			t.Fatal(err)
		}
	}
	m.stop()
	<-m.done
	for _, c := range []*chunks{mine.trees, mine.data} {
		if c.held > c.room && c.recent.Len() > 1 || c.recent.Len() != len(c.at) {
			t.Errorf("%d bytes of %d chunks are held, where %d are the limit", c.held, c.recent.Len(), c.room)
		}
	}
}

// A folder that is in use is detached, and its users can go on.
func TestBusyMount(t *testing.T) {
	a := newAccount(t)
	a.fill(0)
	a.Backup("home")
	busy := make(chan struct{})
	m := a.mount(Options{Busy: func() <-chan os.Signal {
		close(busy)
		return nil
	}}, nil)
	f, err := os.Open(filepath.Join(m.dir, "home/1/large"))
	if err != nil {
		t.Fatal(err)
	}
	m.stop()
	<-busy
	if entries, err := os.ReadDir(m.dir); err != nil || len(entries) > 0 {
		t.Errorf("after unmounting, %d names are there: %v", len(entries), err)
	}
	if n, err := io.Copy(io.Discard, f); err != nil || n != 5<<20 {
		t.Errorf("who used it has read %d bytes: %v", n, err)
	}
	f.Close()
	<-m.done
	if m.err != nil {
		t.Error(m.err)
	}
}

// Who unmounts the folder with another program ends the mount.
func TestUnmountedByAnother(t *testing.T) {
	a := newAccount(t)
	a.Backup("home")
	m := a.mount(Options{}, nil)
	if err := unix.Unmount(m.dir, 0); err != nil {
		t.Fatal(err)
	}
	<-m.done
	if m.err != nil {
		t.Error(m.err)
	}
}

// Nothing is hidden by a mount.
func TestFolderInUseIsRefused(t *testing.T) {
	a := newAccount(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Serve(t.Context(), a.library(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a folder with a file: %v", err)
	}
	if err := Serve(t.Context(), a.library(), filepath.Join(dir, "none"), Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// Other users have access if they are given it, as far as modes allow; setuid
// bits and devices count only if they are trusted.
func TestOtherUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test acts for other users: run it as root")
	}
	a := newAccount(t)
	a.fill(0)
	a.Backup("home")
	for _, test := range []struct {
		opts         Options
		open, closed bool // whether another user can read files that all may read, and that only the owner may
		flags        int64
	}{
		{Options{}, false, false, unix.ST_RDONLY | unix.ST_NOSUID | unix.ST_NODEV},
		{Options{AllowOther: true}, true, false, unix.ST_RDONLY | unix.ST_NOSUID | unix.ST_NODEV},
		{Options{AllowOther: true, Trust: true}, true, false, unix.ST_RDONLY},
	} {
		m := a.mount(test.opts, nil)
		if err := os.Chmod(filepath.Dir(m.dir), 0o755); err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]bool{"home/1/a/linked": test.open, "home/1/large": test.closed} {
			cat := exec.Command("cat", filepath.Join(m.dir, path))
			cat.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			if err := cat.Run(); (err == nil) != want {
				t.Errorf("%+v: another user reads %s: %v", test.opts, path, err)
			}
		}
		var st unix.Statfs_t
		if err := unix.Statfs(m.dir, &st); err != nil || int64(st.Flags)&(unix.ST_RDONLY|unix.ST_NOSUID|unix.ST_NODEV) != test.flags {
			t.Errorf("%+v: mounted with the flags %#x, %v", test.opts, st.Flags, err)
		}
	}
}

// A name that the kernel would not pass on is left out with an error, and the
// others are there.
func TestOverlongName(t *testing.T) {
	keys := newAccount(t).Keys
	var piece []byte
	w := snapshot.NewTreeWriter(keys, func(made []byte) error {
		piece = bytes.Clone(made)
		return nil
	})
	for _, name := range []string{"a", strings.Repeat("b", maxName), strings.Repeat("c", maxName+1), "d"} {
		if err := w.Add(&snapshot.Entry{Name: name, Type: snapshot.File}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var failed []string
	tree := newTree(t.Context(), nil, Options{Failed: func(path string, _ error) { failed = append(failed, path) }})
	l := &listing{n: &node{t: tree, v: version{"home", 1}, subtree: make([]snapshot.Place, 1)}, from: pieceOf(piece)}
	var names []string
	for {
		e, errno := l.Readdirent(t.Context())
		if errno != 0 || e == nil {
			if errno != syscall.EIO {
				t.Errorf("the listing ends with %v", errno)
			}
			break
		}
		names = append(names, e.Name[:1])
	}
	if !slices.Equal(names, []string{"a", "b", "d"}) || !slices.Equal(failed, []string{"home/1"}) {
		t.Errorf("listed are %q, reported %q", names, failed)
	}
}

// pieceOf has one piece, wherever it is read.
type pieceOf []byte

func (p pieceOf) Chunk(context.Context, snapshot.Kind, snapshot.Place) ([]byte, snapshot.PackID, error) {
	return p, snapshot.PackID{}, nil
}
