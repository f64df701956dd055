package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// randomTree fills a folder with files, folders and links of few names, so that
// two of them have much in common and little alike.
func randomTree(t *testing.T, random *rand.Rand, dir *os.Root, depth int) {
	t.Helper()
	for _, name := range []string{"a", "b", "c", "d"} {
		switch kind := random.IntN(6); {
		case kind < 2 && depth < 3:
			check(t, dir.Mkdir(name, 0o755))
			inner, err := dir.OpenRoot(name)
			check(t, err)
			randomTree(t, random, inner, depth+1)
			inner.Close()
			check(t, dir.Chmod(name, []fs.FileMode{0o755, 0o500, 0o700, 0}[random.IntN(4)]))
		case kind == 2:
			check(t, dir.Symlink([]string{"a", "../b", "/etc/passwd", "nowhere"}[random.IntN(4)], name))
		case kind < 5:
			check(t, dir.WriteFile(name, fmt.Appendf(nil, "%d", random.IntN(1000)), 0o644))
		}
	}
}

// mergeBase makes a folder with a random tree and, in ".new", another one.
func mergeBase(t *testing.T, seed uint64) (root *os.Root, before, incoming map[string]string) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	base := filepath.Join(t.TempDir(), "base")
	mkdir(t, base)
	makeRemovable(t, base)
	root, err := os.OpenRoot(base)
	check(t, err)
	t.Cleanup(func() { root.Close() })
	randomTree(t, random, root, 0)
	before = describeTree(t, base)
	check(t, root.Mkdir(".new", 0o755))
	inner, err := root.OpenRoot(".new")
	check(t, err)
	defer inner.Close()
	randomTree(t, random, inner, 0)
	return root, before, describeTree(t, filepath.Join(base, ".new"))
}

func TestMergeOfRandomTrees(t *testing.T) {
	inTheWay := 0
	for seed := range uint64(60) {
		for _, drop := range []bool{false, true} {
			root, before, incoming := mergeBase(t, seed)
			err := Merge(t.Context(), root, ".new", drop)
			check(t, RemoveAll(root, ".new"))
			got := describeTree(t, root.Name())
			delete(got, ".")
			if errors.Is(err, ErrFolderInTheWay) && !drop {
				inTheWay++
				delete(before, ".")
				compareTrees(t, got, before)
				continue
			}
			if err != nil {
				t.Fatalf("seed %d, drop %t: %v", seed, drop, err)
			}
			want := incoming
			delete(want, ".")
			if !drop {
				for path, line := range before {
					if path != "." && !below(path, incoming) {
						want[path] = line
					}
				}
			}
			compareTrees(t, got, want)
			if t.Failed() {
				t.Fatalf("seed %d, drop %t", seed, drop)
			}
		}
	}
	if inTheWay == 0 || inTheWay == 60 {
		t.Errorf("folders were in the way in %d of 60 trees", inTheWay)
	}
}

// below reports whether a path is in a tree, or in what is no folder there.
func below(path string, tree map[string]string) bool {
	if _, ok := tree[path]; ok {
		return true
	}
	for outer, _ := split(path); outer != "."; outer, _ = split(outer) {
		if line, ok := tree[outer]; ok && !strings.HasPrefix(line, "d") {
			return true
		}
	}
	return false
}

// A merge that is killed leaves each file as it was or as it becomes, and the
// next one completes it.
func TestMergeIsKilled(t *testing.T) {
	for stop := range 12 {
		root, before, incoming := mergeBase(t, 7)
		err := Merge(&countdown{Context: t.Context(), left: stop}, root, ".new", true)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if err != nil {
			for path, line := range describeTree(t, root.Name()) {
				if strings.HasPrefix(line, "-") && !strings.HasPrefix(path, ".new/") && line != before[path] && line != incoming[path] {
					t.Errorf("stopped at %d: %q is %q", stop, path, line)
				}
			}
		}
	}
}

// A countdown is a context that ends when it was asked so many times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// Nothing is written through a link that lies in a folder's place.
func TestMergeFollowsNoLink(t *testing.T) {
	base, outside := t.TempDir(), t.TempDir()
	writeFile(t, filepath.Join(outside, "canary"), "alive")
	check(t, os.Symlink(outside, filepath.Join(base, "sub")))
	check(t, os.MkdirAll(filepath.Join(base, ".new", "sub"), 0o755))
	writeFile(t, filepath.Join(base, ".new", "sub", "canary"), "dead")
	root, err := os.OpenRoot(base)
	check(t, err)
	defer root.Close()
	check(t, Merge(t.Context(), root, ".new", false))
	if got, _ := os.ReadFile(filepath.Join(outside, "canary")); string(got) != "alive" {
		t.Errorf("outside there is %q", got)
	}
	if got, err := os.ReadFile(filepath.Join(base, "sub", "canary")); string(got) != "dead" {
		t.Errorf("inside there is %q, %v", got, err)
	}
}

// Bombs: what comes is bounded whatever it is made of.
func TestUnpackIsBounded(t *testing.T) {
	const large, plausible = 32 << 20, 20 << 20
	var buf bytes.Buffer
	root := t.TempDir()
	writeFile(t, filepath.Join(root, "zeros"), "")
	check(t, os.Truncate(filepath.Join(root, "zeros"), large)) // takes no room
	check(t, Archive(t.Context(), root, &buf, ArchiveOptions{}))
	bomb := buf.Bytes()
	pattern := filepath.Join(t.TempDir(), "pattern")
	mkdir(t, pattern)
	writeFile(t, filepath.Join(pattern, "x"), strings.Repeat("bomb", 17<<20/4))
	buf = bytes.Buffer{}
	check(t, Archive(t.Context(), pattern, &buf, ArchiveOptions{}))
	small := buf.Bytes()

	asked := 0
	for _, test := range []struct {
		name    string
		archive []byte
		opts    UnpackOptions
		want    error
	}{
		{"absurd", bomb, UnpackOptions{}, ErrAbsurdSize},
		{"absurd and declined", bomb, UnpackOptions{Confirm: func(unpacked, archived int64) bool {
			asked++
			return unpacked/AbsurdRatio < archived
		}}, ErrAbsurdSize},
		{"absurd and confirmed", bomb, UnpackOptions{Confirm: func(int64, int64) bool { asked++; return true }}, nil},
		{"absurd and allowed", bomb, UnpackOptions{MaxSize: large}, nil},
		{"one byte too many", bomb, UnpackOptions{MaxSize: large - 1}, ErrTooMuch},
		{"as much as allowed", small, UnpackOptions{MaxSize: 17 << 20}, nil},
		{"a full disk", small, UnpackOptions{free: func() (int64, error) { return spaceStep - 1, nil }}, ErrNoRoom},
		{"a full disk and holes", bomb, UnpackOptions{MaxSize: large, free: func() (int64, error) { return 0, nil }}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.opts.plausible = plausible
			dir := filepath.Join(t.TempDir(), "dir")
			if err := unpackInto(t.Context(), bytes.NewReader(test.archive), dir, test.opts); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	if asked != 2 {
		t.Errorf("asked %d times, want once for each", asked)
	}
	t.Logf("%d bytes become %d", len(bomb), large)
}

// Empty entries are bounded, too.
func TestEntriesAreBounded(t *testing.T) {
	b := bounds{archived: func() int64 { return 1 << 10 }, opts: UnpackOptions{plausible: plausible, free: func() (int64, error) { return 1 << 40, nil }}}
	entries := 0
	for ; entries < 10<<20; entries++ {
		if err := b.entry(); err != nil {
			if !errors.Is(err, ErrAbsurdSize) {
				t.Error(err)
			}
			break
		}
	}
	if entries != plausible/entrySize-1 {
		t.Errorf("%d empty entries", entries)
	}
}

// Bits that lend the owner's rights are restored for whom it was asked only.
func TestSetIDNeedsTrust(t *testing.T) {
	root := t.TempDir()
	writeFile(t, filepath.Join(root, "tool"), "x")
	check(t, os.Chmod(filepath.Join(root, "tool"), 0o755|fs.ModeSetuid))
	mkdir(t, filepath.Join(root, "shared"))
	check(t, os.Chmod(filepath.Join(root, "shared"), 0o775|fs.ModeSetgid))
	archive := archiveBytes(t, root, ArchiveOptions{})
	for _, keep := range []bool{false, true} {
		var changed []string
		dir := filepath.Join(t.TempDir(), "dir")
		check(t, unpackInto(t.Context(), bytes.NewReader(archive), dir, UnpackOptions{KeepSetID: keep, Changed: func(path, _ string) { changed = append(changed, path) }}))
		for _, name := range []string{"tool", "shared"} {
			info, err := os.Stat(filepath.Join(dir, name))
			check(t, err)
			if has := info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0; has != keep {
				t.Errorf("keep %t: %s is %v", keep, name, info.Mode())
			}
		}
		if want := map[bool]int{false: 2, true: 0}[keep]; len(changed) != want {
			t.Errorf("keep %t: changed %q", keep, changed)
		}
	}
}

// A tree deeper than PATH_MAX is merged and removed.
func TestMergeOfDeepTree(t *testing.T) {
	base := t.TempDir()
	root, err := os.OpenRoot(base)
	check(t, err)
	defer root.Close()
	deep := strings.Repeat(strings.Repeat("d", 250)+"/", 20) + "end"
	for _, top := range []string{".", ".new"} {
		check(t, root.MkdirAll(join(top, deep), 0o755))
		check(t, root.WriteFile(join(top, deep)+"/file", []byte(top), 0o644))
	}
	check(t, root.WriteFile(deep+"/other", []byte("other"), 0o644))
	check(t, Merge(t.Context(), root, ".new", false))
	for name, want := range map[string]string{"file": ".new", "other": "other"} {
		if got, err := root.ReadFile(deep + "/" + name); string(got) != want {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
	check(t, root.Chmod(deep, 0))
	check(t, RemoveAll(root, strings.Repeat("d", 250)))
	check(t, RemoveAll(root, ".new"))
	if names, err := namesIn(root); err != nil || len(names) > 0 {
		t.Errorf("%d are left, %v", len(names), err)
	}
}
