package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const onlyCmd = "only cmd, with the shell of its programs in internal/program, reads flags and the environment, and only cmd exits: " +
	"what a package does is decided by its caller and seen in its signature, and tests can run it"

var (
	// processImports are packages that nothing but cmd and its shell may import.
	processImports = []string{"flag", "github.com/alecthomas/kong"}
	// processCalls are what nothing but cmd may use of a package.
	processCalls = map[string][]string{
		"os": {"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv", "Exit", "Args"},
		"log": {
			"Fatal", "Fatalf", "Fatalln",
		},
		"syscall": {"Getenv", "Environ", "Exit"},
	}
)

// processUses returns where a source file reads flags or the environment, or
// exits.
func processUses(fset *token.FileSet, file *ast.File) []string {
	var uses []string
	note := func(n ast.Node, what string) {
		uses = append(uses, fmt.Sprintf("%s: %s.\n\tReason for the rule: %s.", fset.Position(n.Pos()), what, onlyCmd))
	}
	names := map[string][]string{} // what the file calls a package → what it must not use of it
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			note(spec, "an import that cannot be read")
			continue
		}
		name := path
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if slices.Contains(processImports, path) || name == "." && processCalls[path] != nil {
			note(spec, "imports "+path)
		}
		names[name] = processCalls[path]
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && slices.Contains(names[x.Name], s.Sel.Name) {
				note(s, "uses "+x.Name+"."+s.Sel.Name)
			}
		}
		return true
	})
	return uses
}

// Every Go file of the project counts, for whatever system it is built.
func TestOnlyCmdTouchesTheProcess(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	files := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			hidden := strings.HasPrefix(name, ".") && path != root
			noProgram := slices.Contains([]string{"bin", "internal", "node_modules", "testdata"}, name)
			if hidden || noProgram || path == filepath.Join(root, "cmd") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files++
		for _, use := range processUses(fset, file) {
			t.Error(use)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Fatal("no source files were found")
	}
}

func TestProcessUsesBites(t *testing.T) {
	tests := []struct {
		source string
		want   int
	}{
		{`import "os"; func f() { os.Exit(1) }`, 1},
		{`import "os"; var home = os.Getenv("HOME")`, 1},
		{`import system "os"; func f() { system.Exit(1) }`, 1},
		{`import . "os"; func f() { Exit(1) }`, 1},
		{`import "flag"`, 1},
		{`import "github.com/alecthomas/kong"`, 1},
		{`import "log"; func f() { log.Fatalf("no") }`, 1},
		{`import "os"; func f() { os.Remove(os.Args[0]) }`, 1},
		{`import "os"; func f() error { return os.Remove("x") }`, 0},
		{`import "log/slog"; func f() { slog.Info("fine") }`, 0},
	}
	for _, test := range tests {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "source.go", "package p; "+test.source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := processUses(fset, file); len(got) != test.want {
			t.Errorf("%s: %q, want %d uses", test.source, got, test.want)
		}
	}
}
