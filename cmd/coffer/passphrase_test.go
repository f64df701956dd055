package main

import (
	"strings"
	"testing"
)

// A passphrase that a file holds is the one that a person types elsewhere, or
// none.
func TestPassphraseLine(t *testing.T) {
	for _, test := range []struct{ content, want, says string }{
		{"seven words\n", "seven words", ""},
		{"seven words\r\nmore\r\n", "seven words", ""},
		{"caf\u00e9", "café", ""},
		{" spaces stay \n", " spaces stay ", ""},
		{"text\n\xff\xfe", "text", ""}, // what follows is not read
		{"\xef\xbb\xbfseven words\n", "", "byte order mark"},
		{"\xff\xfes\x00e\x00\n\x00", "", "UTF-16"},
		{"\xfe\xff\x00s\x00e\x00\n", "", "UTF-16"},
		{"s\x00e\x00\n\x00", "", "UTF-16"},
		{"caf\xe9\n", "", "not valid UTF-8"},
	} {
		got, err := passphraseLine("file", test.content)
		if got != test.want || (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: %q, %v", test.content, got, err)
		}
	}
}
