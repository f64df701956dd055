package server

import "testing"

// New names look like no other ones; what scripts need is let alone.
func TestCheckNewName(t *testing.T) {
	for _, name := range []string{"ada", "ada lovelace", "été", "דנה כהן", "日本語", "photos/2026/👩\u200d💻.jpg", "می\u200cخواهم", "a+b", "❤\uFE0F", "नमस्ते", "e\u0301te\u0301", "\u212bngstrom"} {
		if err := checkNewName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", "ada ", " ada", "ada\u00a0", "ada\u2003", "\u3000ada", // spaces around
		"a\u200bda", "ada\u200b", "a\u2060da", "\ufeffada", "ad\u00ada", // zero width
		"a\u200dda", "a\u200cda", "\u200dada", "ada\u200d", // joiners where nothing joins
		"\u202eada", "a\u202dda", "\u2066ada\u2069", "ada\u200f", "ada\u200e", // direction
		"ada\u3164", "ada\u2800", "ada\U000e0041", "ada\ufe0f", "a\u034fda", "日\u200d本", // blanks, tags, selectors
	} {
		if err := checkNewName(name); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

// Files are named by systems that know more characters than people do: what was
// stored before is stored still.
func TestFormatting(t *testing.T) {
	for name, want := range map[string]bool{
		"葛\U000e0100飾.txt": false, "a\u034fb": false, "⠀": false, "日\u200d本": false, "می\u200cخواهم": false,
		"a\u200bb": true, "a\u202eb": true, "a\u200db": true, "a\u3164": true,
	} {
		if _, ok := formatting(name); ok != want {
			t.Errorf("%+q: %v", name, ok)
		}
	}
}
