package alike

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// scripts returns the scripts of a name's letters, in order, with "+" between
// them. The scripts that are used together for Japanese, Korean and Chinese
// count as one.
type scripts string

const eastAsian = "East Asian"

func scriptsOf(name string) scripts {
	found := make(map[string]bool)
	var script string
	for _, r := range name {
		if unicode.IsLetter(r) && (script == "" || !unicode.Is(unicode.Scripts[script], r)) { // usually it is the script of the letter before
			script = scriptOf(r)
			found[script] = true
		}
	}
	for _, script := range []string{"Han", "Hiragana", "Katakana", "Hangul", "Bopomofo"} {
		if found[script] {
			delete(found, script)
			found[eastAsian] = true
		}
	}
	delete(found, "Common")
	delete(found, "Inherited")
	return scripts(strings.Join(slices.Sorted(maps.Keys(found)), "+"))
}

func scriptOf(r rune) string {
	if r <= unicode.MaxASCII {
		return "Latin"
	}
	for script, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return script
		}
	}
	return "Common"
}

// same reports whether two names are written in one script, and the same one. A
// name without letters is written as any other is.
func (s scripts) same(other scripts) bool {
	if s == "" {
		s = other
	}
	return (s == other || other == "") && !strings.Contains(string(s), "+")
}
