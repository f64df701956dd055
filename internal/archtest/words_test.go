package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A phrase does not belong in a document.
type phrase struct {
	pattern *regexp.Regexp
	reason  string
}

func refuse(words, reason string) phrase {
	return phrase{regexp.MustCompile(`(?i)\b(?:` + words + `)\b`), reason}
}

var phrases = []phrase{
	refuse(`told|tells? (?:more|of|about)`, "programs return, send, report or print"),
	refuse(`so long(?: as)?|for so long`, "say how long, or `while`"),
	refuse(`another's|somebody else's|those of another`, "name the owner: `another account's`"),
	refuse(`that there (?:is|are)`, "leave it out"),
	refuse(`no more than that|not said|of old|long ago`, "say what is meant"),
	refuse(`whom|whoever|what(?:ever)? it may be`, "name the actor: `anyone with the token`"),
	refuse(`takes? over (?:an?|the) (?:earlier|old) server|takeover`, "the glossary has `import`"),
	refuse(`gives? (?:it|them) back|harms? nobody|look again`, "use the usual verb: return, restore, reload"),
}

// code is what a document quotes: programs' output, and the bad examples of
// CONTRIBUTING.md.
var code = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`|<!--.*?-->")

// prose is a document without what it quotes, line by line as it was.
func prose(text string) string {
	return code.ReplaceAllStringFunc(text, func(quoted string) string {
		return strings.Repeat("\n", strings.Count(quoted, "\n"))
	})
}

// documents are the texts that people read, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(paths) < 5 {
		t.Fatalf("the documents are %q, %v", paths, err)
	}
	all := map[string]string{}
	for _, path := range append(paths, "../../README.md", "../../CONTRIBUTING.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimPrefix(path, "../../")] = string(text)
	}
	return all
}

func TestDocumentsAvoidPhrases(t *testing.T) {
	for path, text := range documents(t) {
		for i, line := range strings.Split(prose(text), "\n") {
			for _, p := range phrases {
				if found := p.pattern.FindString(line); found != "" {
					t.Errorf("%s:%d: %q: %s", path, i+1, found, p.reason)
				}
			}
		}
	}
}

func TestPhrasesAreFound(t *testing.T) {
	for text, want := range map[string]bool{
		"the password that the server is told": true,
		"Whoever has it":                       true,
		"`The token is told`":                  false,
		"```\nThe token is told\n```":          false,
		"it folds, and was untold":             false,
	} {
		found := false
		for _, p := range phrases {
			found = found || p.pattern.MatchString(prose(text))
		}
		if found != want {
			t.Errorf("%q: refused %v, want %v", text, found, want)
		}
	}
}

// A word of the glossary that no other document uses is not a word of Coffer's.
func TestGlossaryIsUsed(t *testing.T) {
	all := documents(t)
	glossary := all["docs/glossary.md"]
	delete(all, "docs/glossary.md")
	var rest strings.Builder
	for _, text := range all {
		rest.WriteString(strings.Join(strings.Fields(text), " "))
	}
	entries := regexp.MustCompile(`(?m)^\| \*\*(.+?)\*\* \|`).FindAllStringSubmatch(glossary, -1)
	if len(entries) < 25 {
		t.Fatalf("the glossary has %d words", len(entries))
	}
	for _, entry := range entries {
		if !regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(entry[1])).MatchString(rest.String()) {
			t.Errorf("docs/glossary.md: no document uses %q", entry[1])
		}
	}
	for _, path := range []string{"README.md", "CONTRIBUTING.md"} {
		if !strings.Contains(all[path], "(docs/glossary.md)") {
			t.Errorf("%s does not link the glossary", path)
		}
	}
}
