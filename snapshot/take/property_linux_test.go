package take_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coffer/internal/fileattr"
	"coffer/snapshot/view"
)

// describe is everything in a tree, a line each: kind, mode, owner, time, and
// content, target, holes, extended attributes, and which names are one file.
func describe(t testing.TB, root string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	first := map[uint64]string{}
	dir, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	err = filepath.WalkDir(root, func(full string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path, err := filepath.Rel(root, full)
		if err != nil {
			return err
		}
		info, err := dir.Lstat(path)
		if err != nil {
			return err
		}
		stat := info.Sys().(*syscall.Stat_t)
		line := fmt.Sprintf("%v %d:%d %v", info.Mode(), stat.Uid, stat.Gid, info.ModTime().UnixNano())
		at, base := dir, path
		if outer, name, ok := cutLast(path); ok {
			if at, err = dir.OpenRoot(outer); err != nil {
				return err
			}
			defer at.Close()
			base = name
		}
		attributes, err := fileattr.AttributesAt(at, base)
		if err != nil {
			return err
		}
		for _, a := range attributes {
			line += fmt.Sprintf(" %s=%q", a.Name, a.Value)
		}
		if stat.Nlink > 1 && !info.IsDir() {
			if first[stat.Ino] == "" {
				first[stat.Ino] = path
			}
			line += " is " + first[stat.Ino]
		}
		switch info.Mode().Type() {
		case 0:
			content, err := dir.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %d %x", len(content), sha256.Sum256(content))
			f, err := dir.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			line += fmt.Sprint(" ", fileattr.Holes(f, info.Size()))
		case fs.ModeSymlink:
			target, err := dir.Readlink(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %q", target)
		}
		tree[path] = line
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func cutLast(path string) (outer, base string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

func compare(t interface{ Errorf(string, ...any) }, what string, got, want map[string]string) {
	names := map[string]bool{}
	for _, tree := range []map[string]string{got, want} {
		for name := range tree {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if got[name] != want[name] {
			t.Errorf("%s, %q:\n\t%s, want\n\t%s", what, name, got[name], want[name])
		}
	}
}

func (m *machine) restore(version uint32, opts view.RestoreOptions) (string, view.Restored, error) {
	m.t.Helper()
	to, err := os.MkdirTemp(m.t.TempDir(), "restored")
	if err != nil {
		m.t.Fatal(err)
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		m.t.Fatal(err)
	}
	defer root.Close()
	s := m.snapshot(version)
	restored, err := s.Restore(context.Background(), &s.Root, root, opts)
	return to, restored, err
}

// changer changes a tree at random.
type changer struct {
	t    *rapid.T
	root string
	n    int
}

func (c *changer) paths(dirs bool) []string {
	var list []string
	err := filepath.WalkDir(c.root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() == dirs {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	sort.Strings(list)
	return list
}

func (c *changer) pick(dirs bool) string {
	list := c.paths(dirs)
	if len(list) == 0 {
		return ""
	}
	return rapid.SampledFrom(list).Draw(c.t, "path")
}

func (c *changer) name() string {
	c.n++
	name := rapid.SampledFrom([]string{"a", "b b", "\xff\xfe", "é", "-", "z\n"}).Draw(c.t, "name")
	return fmt.Sprintf("%s%d", name, c.n)
}

func (c *changer) content() []byte {
	size := rapid.SampledFrom([]int{0, 1, 100, 5000, 600 << 10, 3 << 20}).Draw(c.t, "size")
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte{byte(c.n)})
	r.Read(b)
	return b
}

func (c *changer) must(err error) {
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *changer) step() {
	switch rapid.IntRange(0, 12).Draw(c.t, "step") {
	case 0, 1, 2:
		c.must(os.WriteFile(filepath.Join(c.pick(true), c.name()), c.content(), 0o644))
	case 3:
		c.must(os.Mkdir(filepath.Join(c.pick(true), c.name()), 0o755))
	case 4:
		c.must(os.Symlink("no\xffwhere", filepath.Join(c.pick(true), c.name())))
	case 5:
		if p := c.pick(false); p != "" {
			c.must(os.Remove(p))
		}
	case 6:
		if p := c.pick(true); p != c.root {
			c.must(os.RemoveAll(p))
		}
	case 7: // in place, with the size that it has
		if p := c.pick(false); p != "" && regular(p) {
			f, err := os.OpenFile(p, os.O_RDWR, 0)
			c.must(err)
			_, err = f.WriteAt([]byte{byte(c.n)}, 0)
			c.must(err)
			c.must(f.Close())
		}
	case 8:
		if p := c.pick(false); p != "" {
			c.must(os.Link(p, filepath.Join(c.pick(true), c.name())))
		}
	case 9:
		p := c.pick(rapid.Bool().Draw(c.t, "dir"))
		if p != "" && p != c.root && (regular(p) || isDir(p)) {
			c.must(os.Chmod(p, fileattr.FileMode(rapid.SampledFrom([]uint32{0o700, 0o4755, 0o1777, 0o2750}).Draw(c.t, "mode"))))
			c.must(os.Lchown(p, rapid.IntRange(0, 3).Draw(c.t, "uid"), 5))
		}
	case 10:
		if p := c.pick(false); p != "" && regular(p) {
			sec := rapid.SampledFrom([]int64{-3600, 0, 1 << 30, 9_000_000_000}).Draw(c.t, "time")
			c.must(os.Chtimes(p, time.Time{}, time.Unix(sec, 123456789)))
		}
	case 11: // a sparse file
		f, err := os.Create(filepath.Join(c.pick(true), c.name()))
		c.must(err)
		c.must(f.Truncate(4 << 20))
		_, err = f.WriteAt(c.content(), 1<<20)
		c.must(err)
		c.must(f.Close())
	case 12:
		if p := c.pick(rapid.Bool().Draw(c.t, "dir")); p != "" && (regular(p) || isDir(p)) {
			err := syscall.Setxattr(p, "user.test", []byte{0, byte(c.n)}, 0)
			if err != syscall.ENOTSUP {
				c.must(err)
			}
		}
	}
}

func regular(p string) bool {
	info, err := os.Lstat(p)
	return err == nil && info.Mode().IsRegular()
}

func isDir(p string) bool {
	info, err := os.Lstat(p)
	return err == nil && info.IsDir()
}

// Whatever happens to a folder between backups, and to cache and server, each
// snapshot that is there restores as it was, bit for bit.
func TestEverySnapshotRestores(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test changes owners: run it as root")
	}
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(t)
		c := &changer{t: rt, root: t.TempDir()}
		want := map[uint32]map[string]string{}
		for range rapid.IntRange(2, 4).Draw(rt, "backups") {
			for range rapid.IntRange(0, 12).Draw(rt, "steps") {
				c.step()
			}
			switch rapid.IntRange(0, 5).Draw(rt, "trouble") {
			case 0: // the cache is lost
				m.cache.Close()
				if err := os.Remove(m.path); err != nil {
					rt.Fatal(err)
				}
				m.open()
			case 1: // an earlier snapshot is forgotten, and swept
				if len(want) > 0 {
					v := rapid.SampledFrom(slices.Sorted(maps.Keys(want))).Draw(rt, "forgotten")
					m.repo.Remove(m.keys.WireName("home"), v)
					delete(want, v)
					m.repo.Sweep()
				}
			case 2: // a run is cut off
				m.repo.PutErr = context.DeadlineExceeded
				_, _ = m.try(m.options(), c.root)
				m.repo.PutErr = nil
			}
			result := m.backup(c.root)
			if result.Unreadable+result.Unsettled > 0 {
				rt.Fatalf("%+v", result)
			}
			want[result.Version] = describe(t, c.root)
		}
		for version, tree := range want {
			to, _, err := m.restore(version, view.RestoreOptions{})
			if err != nil {
				rt.Fatal(err)
			}
			compare(rt, fmt.Sprint("version ", version), describe(t, to), tree)
			v, err := m.snapshot(version).Verify(context.Background(), view.Slice{N: 1, Of: 1}, nil)
			if err != nil || v.Bad > 0 {
				rt.Errorf("version %d: %+v, %v", version, v, err)
			}
			os.RemoveAll(to)
		}
	})
}
