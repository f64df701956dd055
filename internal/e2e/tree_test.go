package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// entries is a folder of everything that a backup has to keep. A name that ends
// in a slash is a folder.
var entries = []struct {
	name, content, link string
	mode                fs.FileMode
}{
	{name: "empty folder/", mode: 0o755},
	{name: "empty folder/another/", mode: 0o700},
	{name: "private/", mode: 0o700},
	{name: "private/read only", content: "nobody writes here", mode: 0o400},
	{name: "run.sh", content: "#!/bin/sh\necho ran\n", mode: 0o755},
	{name: "set group id/", mode: 0o755 | fs.ModeSetgid},
	{name: "empty", mode: 0o644},
	{name: "שלום עולם/", mode: 0o755},
	{name: "שלום עולם/Привет, 世界 🗄", content: "unicode", mode: 0o600},
	{name: "é composed", content: "\u00e9", mode: 0o644},
	{name: "e\u0301 decomposed", content: "e\u0301", mode: 0o644},
	{name: "-o", content: "looks like a flag", mode: 0o644},
	{name: "new\nline and \ttab", content: "odd", mode: 0o644},
	{name: "latin1 \xe9", content: "not UTF-8", mode: 0o644},
	{name: "link to file", link: "run.sh"},
	{name: "link to folder", link: "private"},
	{name: "broken link", link: "no/such/file"},
	{name: "link out", link: "/etc/hostname"},
	{name: "locked/", mode: 0o755},
	{name: "locked/inside", content: "in a folder that cannot be written", mode: 0o644},
}

func tree(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: tree FOLDER")
	}
	root := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(root, 0o755))
	for _, e := range entries {
		name := filepath.Join(root, e.name)
		switch {
		case e.link != "":
			ts.Check(os.Symlink(e.link, name))
		case e.name[len(e.name)-1] == '/':
			ts.Check(os.Mkdir(name, 0o755))
		default:
			ts.Check(os.WriteFile(name, []byte(e.content), 0o644))
		}
	}
	ts.Check(os.WriteFile(filepath.Join(root, "big"), randomBytes(7, 3<<20), 0o640))
	// Modes and times from the last to the first: what is inside comes before
	// its folder.
	for i := len(entries) - 1; i >= 0; i-- {
		e := entries[i]
		if e.link != "" {
			continue
		}
		name := filepath.Join(root, e.name)
		when := time.Date(2001+i, 2, 3, 4, 5, 6, 123456789, time.UTC)
		ts.Check(os.Chmod(name, e.mode))
		ts.Check(os.Chtimes(name, when, when))
	}
	ts.Check(os.Chmod(filepath.Join(root, "locked"), 0o555))
	ts.Defer(func() { os.Chmod(filepath.Join(root, "locked"), 0o755) }) // so that it can be removed
	when := time.Date(1999, 12, 31, 23, 59, 59, 999, time.UTC)
	ts.Check(os.Chtimes(root, when, when))
}

func same(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: same A B")
	}
	a, err := describe(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := describe(ts.MkAbs(args[1]))
	ts.Check(err)
	if len(a) == 0 {
		ts.Fatalf("%s is not there", args[0])
	}
	for name, what := range a {
		if b[name] != what {
			ts.Fatalf("%q is %s, and then %s", name, what, b[name])
		}
	}
	for name := range b {
		if a[name] == "" {
			ts.Fatalf("%q was not there before", name)
		}
	}
}

// describe returns a description of each thing below root, and of root. A file
// that is root itself has no times to compare.
func describe(root string) (map[string]string, error) {
	found := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			found[name] = "link to " + target
			return err
		case info.IsDir():
			found[name] = fmt.Sprint(info.Mode(), info.ModTime().UnixNano())
		default:
			content, err := os.ReadFile(path)
			found[name] = fmt.Sprintf("%d bytes %x", len(content), content[:min(len(content), 64)])
			if len(content) > 64 {
				found[name] += fmt.Sprintf(" cksum %d", sum(content))
			}
			if path != root {
				found[name] += fmt.Sprint(" ", info.Mode(), info.ModTime().UnixNano())
			}
			return err
		}
		return nil
	})
	return found, err
}
