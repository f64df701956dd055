package alike

import (
	"maps"
	"unicode"
)

// scripts are those that the letters of a name are of.
type scripts map[string]bool

func scriptsOf(name string) scripts {
	found := make(scripts)
	for _, r := range name {
		if !unicode.IsLetter(r) {
			continue
		}
		if r < unicode.MaxASCII {
			found["Latin"] = true
			continue
		}
		for script, table := range unicode.Scripts {
			if script != "Common" && script != "Inherited" && unicode.Is(table, r) {
				found[script] = true
				break
			}
		}
	}
	return found
}

// same reports whether two names are written alike: in one script, and the same
// one, or in those that Japanese, Korean and Chinese are written in together.
func (s scripts) same(other scripts) bool {
	all := maps.Clone(s)
	maps.Copy(all, other)
	if len(all) <= 1 {
		return true
	}
	for script := range all {
		switch script {
		case "Han", "Hiragana", "Katakana", "Hangul", "Bopomofo":
		default:
			return false
		}
	}
	return true
}
