package api

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"coffer/api/contract"
)

// document is the part of docs/api.md below a heading.
func document(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("docs/api.md has no part on %s", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

// rows returns what a document's tables have in the first columns, joined.
func rows(document string, row *regexp.Regexp) []string {
	var names []string
	for _, m := range row.FindAllStringSubmatch(document, -1) {
		names = append(names, strings.Join(m[1:], " "))
	}
	return names
}

// same fails for what only one of two lists has, or one has twice.
func same(t *testing.T, documented, real []string) {
	t.Helper()
	slices.Sort(documented)
	slices.Sort(real)
	if len(real) == 0 || !slices.Equal(documented, real) {
		t.Errorf("docs/api.md has\n\t%s\nand there are\n\t%s", strings.Join(documented, "\n\t"), strings.Join(real, "\n\t"))
	}
}

func TestCallsAreDocumented(t *testing.T) {
	spec, err := contract.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	var calls []string
	for path, item := range spec.Paths.Map() {
		for method := range item.Operations() {
			calls = append(calls, method+" "+strings.TrimPrefix(path, "/api/v1"))
		}
	}
	same(t, rows(document(t, "Calls"), regexp.MustCompile("(?m)^\\| `([A-Z]+) (/[^`?]*)` \\|")), calls)
}

func TestProblemsAreDocumented(t *testing.T) {
	var problems []string
	for _, known := range kindsOfProblem() {
		problems = append(problems, string(known.Kind)+" "+strconv.Itoa(known.Kind.Status()))
	}
	same(t, rows(document(t, "Errors"), regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| ([0-9]{3}) \\|")), problems)
}
