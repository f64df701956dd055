// Package archtest checks the rules of docs/architecture.md about who may
// import whom. It has tests alone, and each failure gives the rule's reason.
package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
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

// A rule is about one folder and all below it that have no rule of their own.
type rule struct {
	folder string
	// project lists the project's folders that may be imported directly; "/..."
	// at the end includes what lies below.
	project []string
	// standardOnly forbids whatever is not of the standard library or in
	// project, indirectly too.
	standardOnly bool
	// never lists packages, with all below them, that must not be reached
	// even indirectly.
	never  []string
	reason string
}

var (
	cannotOpen = []string{module + "/seal", module + "/backup", "filippo.io/age"}
	serverSide = []string{module + "/server", module + "/store"}
)

var rules = []rule{
	{
		folder: "protocol", standardOnly: true,
		reason: "the wire is the vocabulary that every program shares: it knows nobody, so that all can know it",
	},
	{
		folder: "protocol/cksum", standardOnly: true,
		reason: "a checksum needs nothing of the project, and other programs can use it as it is",
	},
	{
		folder: "protocol/crypt", standardOnly: true,
		reason: "the protocol's cryptography is the standard library's and is reviewed on its own",
	},
	{
		folder: "seal",
		reason: "sealing happens before the protocol sees a file and must not depend on where it goes",
	},
	{
		folder: "client", project: []string{"protocol/...", "internal/socket"}, never: append(cannotOpen, serverSide...),
		reason: "the client library speaks the wire and nothing else: it neither seals nor shares code with the core",
	},
	{
		folder: "export", standardOnly: true,
		reason: "an export must open without any server, and whoever reads or writes one shares no more than its layout",
	},
	{
		folder: "maintain", project: []string{"store", "export"}, never: append([]string{module + "/client", module + "/server"}, cannotOpen...),
		reason: "looking after storage needs a catalog and blobs alone, works without a core, and cannot open what it reads",
	},
	{
		folder: "maintain/importer", project: []string{"protocol/...", "store"}, never: append([]string{module + "/client", module + "/server"}, cannotOpen...),
		reason: "an import stores what clients would have sent; like the core it gets its storage from cmd, and needs no core",
	},
	{
		folder: "backup", project: []string{"client", "export", "seal", "protocol/..."}, never: serverSide,
		reason: "backing up works against any core on the wire, so it must not share code with this one",
	},
	{
		folder: "store", standardOnly: true, never: cannotOpen,
		reason: "a storage contract that imports a backend, the wire or a library binds every implementation to it",
	},
	{
		folder: "store/", project: []string{"store", "internal/alike"}, never: cannotOpen,
		reason: "storage implements the contract; it knows neither the wire nor the core, and cannot open what it keeps",
	},
	{
		folder: "server", project: []string{"internal/alike", "protocol/...", "store", "maintain", "web", "internal/fair"},
		never: append([]string{module + "/client", module + "/api"}, cannotOpen...),
		reason: "the core must be unable to open a sealed file, gets its storage from cmd, " +
			"and is not its own client",
	},
	{
		folder: "api/contract",
		reason: "the contract is generated, and says what is exchanged with whoever calls, not how it is done",
	},
	{
		folder: "console/contract",
		reason: "the contract is generated, and says what is exchanged with whoever calls, not how it is done",
	},
	{
		folder: "api", project: []string{"api/contract", "protocol/...", "client", "web", "internal/content", "internal/openapi", "internal/fair", "internal/pages"}, never: append(serverSide, cannotOpen...),
		reason: "the gateway is another process: it has the wire alone, and must be unable to open a sealed file",
	},
	{
		folder: "console", project: []string{"console/contract", "protocol/...", "server", "store", "internal/content", "internal/openapi", "internal/pages"}, never: append([]string{module + "/client", module + "/api"}, cannotOpen...),
		reason: "the console is part of the core's process and asks the core itself, not the wire or a database",
	},
	{
		folder: "console/top", project: []string{"console/contract", "internal/program"}, never: append([]string{module + "/client", module + "/api"}, cannotOpen...),
		reason: "the terminal's view asks the console of a running server, as any script could: it knows the contract alone",
	},
	{
		folder: "web",
		reason: "the web client's files are data to the programs that embed them",
	},
	{
		folder: "cmd", project: []string{"protocol/...", "seal", "client", "backup", "store/...", "server", "maintain/...", "export", "api", "console/...", "web", "internal/program", "internal/socket"},
		reason: "cmd wires the parts and is no part itself",
	},
	{
		folder: "internal/alike",
		reason: "which names are alike is one rule of the core and of storage, which knows neither of them",
	},
	{
		folder: "internal/openapi",
		reason: "gateway and console hold requests against their contracts in one way, which knows neither of them",
	},
	{
		folder: "internal/fair", standardOnly: true,
		reason: "core and gateway have dear work done in turns in one way, which knows neither of them",
	},
	{
		folder: "internal/content", standardOnly: true,
		reason: "gateway and console follow RFC 9110 in one way, which knows neither of them",
	},
	{
		folder: "internal/pages",
		reason: "gateway and console serve their pages in one way, which knows neither of them",
	},
	{
		folder: "internal/socket", standardOnly: true,
		reason: "a Unix socket's address is the same for whoever listens and whoever connects, and for no protocol in particular",
	},
	{
		folder: "internal/program", project: []string{"internal/socket"},
		reason: "what the programs have in common is how they begin and end, not what they do",
	},
}

// ruleOf returns the rule for an import path, nil if there is none.
func ruleOf(importPath string) *rule {
	path := strings.TrimPrefix(importPath, module+"/")
	var best *rule
	for i := range rules {
		r := &rules[i]
		if within(path, strings.TrimSuffix(r.folder, "/")) && (best == nil || len(r.folder) > len(best.folder)) &&
			(!strings.HasSuffix(r.folder, "/") || strings.HasPrefix(path, r.folder)) {
			best = r
		}
	}
	return best
}

// within reports whether path is folder or below it.
func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// isProject reports whether an import path is the project's.
func isProject(path string) bool { return within(path, module) }

// check returns what is wrong with a package.
func check(p listed, standard map[string]bool) []string {
	r := ruleOf(p.ImportPath)
	if r == nil && within(p.ImportPath, module+"/internal") {
		return nil // tests and tools, which no program contains; see allows
	}
	if r == nil {
		return []string{fmt.Sprintf("%s is in no folder that docs/architecture.md knows: give it a rule", p.ImportPath)}
	}
	var wrong []string
	complain := func(verb, path string) {
		wrong = append(wrong, fmt.Sprintf("%s %s %s.\n\tReason for the rule: %s.", p.ImportPath, verb, path, r.reason))
	}
	for _, path := range p.Imports {
		if isProject(path) && !r.allows(path) {
			complain("must not import", path)
		}
	}
	for _, path := range p.Deps {
		forbidden := slices.ContainsFunc(r.never, func(never string) bool { return within(path, never) })
		if forbidden || r.standardOnly && !standard[path] && !r.allows(path) {
			complain("must not reach", path)
		}
	}
	return wrong
}

func (r *rule) allows(importPath string) bool {
	path := strings.TrimPrefix(importPath, module+"/")
	return slices.ContainsFunc(r.project, func(allowed string) bool {
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
	for _, p := range project {
		for _, wrong := range check(p, standard) {
			t.Error(wrong)
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
		{from: "coffer/console", to: "coffer/server", allowed: true},
		{from: "coffer/console", to: "coffer/client"},
		{from: "coffer/console/top", to: "coffer/console/contract", allowed: true},
		{from: "coffer/console/top", to: "coffer/console"},
		{from: "coffer/api/contract", to: "coffer/api"},
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
	for _, test := range tests {
		p := listed{ImportPath: test.from, Deps: []string{test.to}}
		if !test.indirect {
			p.Imports = p.Deps
		}
		if wrong := check(p, standard); (len(wrong) == 0) != test.allowed {
			t.Errorf("%s importing %s (indirectly: %t): %q", test.from, test.to, test.indirect, wrong)
		}
	}
}
