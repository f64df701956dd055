package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "coffer"

// A listed package is what `go list` says of it. Its tests are not part of it:
// they may import what they like.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string // direct
	Deps       []string // direct and indirect
}

// A rule is one folder of the table in docs/architecture.md, and all below it
// that has no row of its own.
type rule struct {
	folder string
	holds  string
	may    string // what it may import, in the table's words
}

// anything: the row of a folder of tests and tools, which no program contains
// and which may import what they like.
func (r *rule) anything() bool { return r.may == "" }

// standardOnly forbids whatever is not of the standard library, or allowed,
// indirectly too.
func (r *rule) standardOnly() bool { return strings.HasPrefix(r.may, "the standard library") }

// quoted are the folders that a cell of the table names.
var quoted = regexp.MustCompile("`([^`]+)`")

func folders(cell string) []string {
	var list []string
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		list = append(list, strings.TrimSuffix(m[1], "/"))
	}
	return list
}

// A table is the one of docs/architecture.md.
type table []rule

// readTable reads the table. A row may be about several folders.
func readTable(t *testing.T) table {
	t.Helper()
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, found := strings.Cut(string(text), "| folder | holds | may import |\n|---|---|---|\n")
	if !found {
		t.Fatal("docs/architecture.md has no table of folders and what they may import")
	}
	var all table
	for row := range strings.Lines(rows) {
		cells := strings.Split(strings.TrimSpace(row), "|")
		if len(cells) != 5 {
			break // the table's end
		}
		may := strings.TrimSpace(cells[3])
		switch {
		case may == "", may == "all", strings.HasPrefix(may, "the standard library"), strings.HasPrefix(may, "nothing of the project"):
		case len(folders(may)) == 0:
			t.Errorf("docs/architecture.md: %q says nothing that can be checked", may)
		}
		for _, folder := range folders(cells[1]) {
			all = append(all, rule{folder, strings.TrimSpace(cells[2]), may})
		}
	}
	return all
}

// of returns the rule for an import path, nil if there is none.
func (all table) of(importPath string) *rule {
	path := strings.TrimPrefix(importPath, module+"/")
	var best *rule
	for i := range all {
		if within(path, all[i].folder) && (best == nil || len(all[i].folder) > len(best.folder)) {
			best = &all[i]
		}
	}
	return best
}

// A boundary must not be crossed even indirectly.
type boundary struct {
	from, to []string // folders, and packages, with all below them
	reason   string
}

var boundaries = []boundary{
	{
		from:   []string{"client", "store", "maintain", "server", "api", "console"},
		to:     []string{module + "/seal", module + "/snapshot", module + "/backup", "filippo.io/age"},
		reason: "that the server cannot open a sealed file is a test, not a promise",
	},
	{
		from:   []string{"client", "backup", "api"},
		to:     []string{module + "/server", module + "/store"},
		reason: "who talks to the core has the wire alone, and shares no code with it",
	},
	{
		from:   []string{"server", "maintain", "console"},
		to:     []string{module + "/client", module + "/api"},
		reason: "the core is not its own client",
	},
	{
		from:   []string{"maintain"},
		to:     []string{module + "/server"},
		reason: "looking after storage needs a catalog and blobs alone, and works without a core",
	},
}

// within reports whether path is folder or below it.
func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// isProject reports whether an import path is the project's.
func isProject(path string) bool { return within(path, module) }

// check returns what is wrong with a package.
func (all table) check(p listed, standard map[string]bool) []string {
	r := all.of(p.ImportPath)
	if r == nil {
		return []string{fmt.Sprintf("%s is in no folder that the table of docs/architecture.md has: give it a row", p.ImportPath)}
	}
	if r.anything() {
		return nil
	}
	var wrong []string
	row := fmt.Sprintf("docs/architecture.md says that %s holds %s, and may import: %s", r.folder, r.holds, r.may)
	for _, path := range p.Imports {
		if isProject(path) && !all.allows(r, path) {
			wrong = append(wrong, fmt.Sprintf("%s must not import %s.\n\t%s.", p.ImportPath, path, row))
		}
	}
	for _, path := range p.Deps {
		if r.standardOnly() && !standard[path] && !all.allows(r, path) {
			wrong = append(wrong, fmt.Sprintf("%s must not reach %s.\n\t%s.", p.ImportPath, path, row))
		}
		for _, b := range boundaries {
			from := slices.ContainsFunc(b.from, func(folder string) bool { return within(p.ImportPath, module+"/"+folder) })
			if from && slices.ContainsFunc(b.to, func(never string) bool { return within(path, never) }) {
				wrong = append(wrong, fmt.Sprintf("%s must not reach %s.\n\tReason: %s.", p.ImportPath, path, b.reason))
			}
		}
	}
	return wrong
}

// allows reports whether a rule lets a package be imported directly.
func (all table) allows(r *rule, importPath string) bool {
	if r.may == "all" { // but tests and tools
		target := all.of(importPath)
		return target != nil && !target.anything()
	}
	path := strings.TrimPrefix(importPath, module+"/")
	return slices.ContainsFunc(folders(r.may), func(allowed string) bool {
		if folder, below := strings.CutSuffix(allowed, "/..."); below {
			return within(path, folder)
		}
		return path == allowed
	})
}

// list returns the project's packages, and which packages are the standard
// library's.
func list(t *testing.T) (project []listed, standard map[string]bool) {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports,Deps", module+"/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	standard = map[string]bool{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("reading what go list says: %v", err)
		}
		standard[p.ImportPath] = p.Standard
		if isProject(p.ImportPath) {
			project = append(project, p)
		}
	}
	return project, standard
}

func TestImports(t *testing.T) {
	project, standard := list(t)
	if !slices.ContainsFunc(project, func(p listed) bool { return p.ImportPath == module+"/protocol" }) {
		t.Fatal("go list does not even find the protocol")
	}
	all := readTable(t)
	for _, p := range project {
		for _, wrong := range all.check(p, standard) {
			t.Error(wrong)
		}
	}
}

// What the table names is there.
func TestTableIsOfThisProject(t *testing.T) {
	for _, r := range readTable(t) {
		for _, name := range append(folders(r.may), r.folder) {
			path := filepath.Join("../..", filepath.FromSlash(strings.TrimSuffix(name, "/...")))
			if info, err := os.Stat(path); err != nil || !info.IsDir() {
				t.Errorf("docs/architecture.md, %s: there is no folder %s", r.folder, name)
			}
		}
	}
}

// A rule that nothing can break is no rule: each of these must be caught.
func TestRulesBite(t *testing.T) {
	standard := map[string]bool{"io": true, "net/http": true}
	tests := []struct {
		from, to string
		indirect bool
		allowed  bool
	}{
		{from: "coffer/protocol", to: "io", allowed: true},
		{from: "coffer/protocol", to: "golang.org/x/sys/unix"},
		{from: "coffer/protocol", to: "golang.org/x/sys/unix", indirect: true},
		{from: "coffer/protocol", to: "coffer/protocol/crypt"},
		{from: "coffer/protocol/crypt", to: "golang.org/x/crypto/chacha20"},
		{from: "coffer/protocol/cksum", to: "coffer/protocol"},
		{from: "coffer/seal", to: "filippo.io/age", allowed: true},
		{from: "coffer/seal", to: "coffer/protocol"},
		{from: "coffer/snapshot", to: "filippo.io/age", allowed: true},
		{from: "coffer/snapshot", to: "coffer/client"},
		{from: "coffer/snapshot/cut", to: "coffer/snapshot"},
		{from: "coffer/snapshot/pack", to: "coffer/snapshot", allowed: true},
		{from: "coffer/snapshot/pack", to: "coffer/client"},
		{from: "coffer/server", to: "coffer/snapshot/pack", indirect: true},
		{from: "coffer/client", to: "coffer/protocol/crypt", allowed: true},
		{from: "coffer/client", to: "coffer/seal"},
		{from: "coffer/client", to: "coffer/store", indirect: true},
		{from: "coffer/backup", to: "coffer/seal", allowed: true},
		{from: "coffer/backup", to: "coffer/server"},
		{from: "coffer/backup", to: "coffer/export", allowed: true},
		{from: "coffer/export", to: "coffer/store"},
		{from: "coffer/export", to: "golang.org/x/text/encoding", indirect: true},
		{from: "coffer/maintain", to: "coffer/export", allowed: true},
		{from: "coffer/maintain", to: "coffer/protocol"},
		{from: "coffer/maintain", to: "coffer/server", indirect: true},
		{from: "coffer/maintain", to: "coffer/store/files"},
		{from: "coffer/maintain/importer", to: "coffer/store", allowed: true},
		{from: "coffer/maintain/importer", to: "coffer/store/sqlite"},
		{from: "coffer/maintain/importer", to: "coffer/server", indirect: true},
		{from: "coffer/maintain/importer", to: "filippo.io/age", indirect: true},
		{from: "coffer/store", to: "modernc.org/sqlite"},
		{from: "coffer/store", to: "coffer/protocol"},
		{from: "coffer/store/sqlite", to: "coffer/store", allowed: true},
		{from: "coffer/store/sqlite", to: "modernc.org/sqlite", allowed: true},
		{from: "coffer/store/sqlite", to: "coffer/store/files"},
		{from: "coffer/store/files", to: "coffer/server"},
		{from: "coffer/store/files", to: "filippo.io/age", indirect: true},
		{from: "coffer/server", to: "coffer/store", allowed: true},
		{from: "coffer/server", to: "coffer/maintain", allowed: true},
		{from: "coffer/server", to: "coffer/maintain/importer"},
		{from: "coffer/server", to: "coffer/store/sqlite"},
		{from: "coffer/server", to: "coffer/client"},
		{from: "coffer/server", to: "coffer/seal", indirect: true},
		{from: "coffer/server", to: "filippo.io/age/armor", indirect: true},
		{from: "coffer/api", to: "coffer/client", allowed: true},
		{from: "coffer/api", to: "coffer/server"},
		{from: "coffer/api", to: "coffer/store/sqlite", indirect: true},
		{from: "coffer/api", to: "filippo.io/age"},
		{from: "coffer/web", to: "coffer/api"},
		{from: "coffer/console", to: "coffer/server/admin", allowed: true},
		{from: "coffer/console", to: "coffer/server"},
		{from: "coffer/server/admin", to: "coffer/protocol"},
		{from: "coffer/server/admin", to: "coffer/server"},
		{from: "coffer/server/metrics", to: "coffer/server"},
		{from: "coffer/server/settings", to: "coffer/protocol"},
		{from: "coffer/console", to: "coffer/client"},
		{from: "coffer/console/top", to: "coffer/console/contract", allowed: true},
		{from: "coffer/console/top", to: "coffer/console"},
		{from: "coffer/api/contract", to: "coffer/api"},
		{from: "coffer/api/packetjson", to: "coffer/internal/problem", allowed: true},
		{from: "coffer/api/packetjson", to: "coffer/client"},
		{from: "coffer/api/packetjson", to: "github.com/getkin/kin-openapi/openapi3", indirect: true},
		{from: "coffer/api/relay", to: "coffer/client", allowed: true},
		{from: "coffer/api/relay", to: "coffer/api"},
		{from: "coffer/console/contract", to: "coffer/server"},
		{from: "coffer/console", to: "coffer/store/sqlite"},
		{from: "coffer/console", to: "filippo.io/age", indirect: true},
		{from: "coffer/internal/pages", to: "coffer/api"},
		{from: "coffer/cmd/coffer-server", to: "coffer/store/files", allowed: true},
		{from: "coffer/cmd/coffer-server", to: "coffer/internal/program", allowed: true},
		{from: "coffer/cmd/coffer-server", to: "coffer/internal/archtest"},
		{from: "coffer/internal/program", to: "github.com/alecthomas/kong", allowed: true},
		{from: "coffer/internal/program", to: "coffer/protocol"},
		{from: "coffer/internal/bench", to: "coffer/server", allowed: true},
		{from: "coffer/api", to: "coffer/internal/program"},
		{from: "coffer/server", to: "coffer/cmd/coffer"},
		{from: "coffer/server", to: "coffer/internal/archtest"},
		{from: "coffer/util", to: "io"},
	}
	all := readTable(t)
	for _, test := range tests {
		p := listed{ImportPath: test.from, Deps: []string{test.to}}
		if !test.indirect {
			p.Imports = p.Deps
		}
		if wrong := all.check(p, standard); (len(wrong) == 0) != test.allowed {
			t.Errorf("%s importing %s (indirectly: %t): %q", test.from, test.to, test.indirect, wrong)
		}
	}
}
