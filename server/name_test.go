package server

import "testing"

// New names look like no other ones; what scripts need is let alone.
func TestCheckNewName(t *testing.T) {
	for _, name := range []string{"ada", "ada lovelace", "été", "דנה כהן", "日本語", "photos/2026/👩\u200d💻.jpg", "می\u200cخواهم", "a+b", "नमस्ते", "e\u0301te\u0301", "\u212bngstrom"} {
		if err := checkNewName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", "ada ", " ada", "ada\u00a0", "ada\u2003", "\u3000ada", // spaces around
		"a\u200bda", "ada\u200b", "a\u2060da", "\ufeffada", "ad\u00ada", // zero width
		"a\u200dda", "a\u200cda", "\u200dada", "ada\u200d", // joiners where nothing joins
		"\u202eada", "a\u202dda", "\u2066ada\u2069", "ada\u200f", "ada\u200e", // direction
		"ada\u3164", "ada\U000e0041", // blanks, tags
	} {
		if err := checkNewName(name); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}
