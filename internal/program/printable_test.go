package program

import "testing"

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"notes/été שלום 🔑.txt": "notes/été שלום 🔑.txt",
		"a\x1b[2Jb":            "a\uFFFD[2Jb",
		"a\r\nb\tc\x00":        "a\uFFFD\uFFFDb\uFFFDc\uFFFD",
		"\u202Egpj.exe":        "\uFFFDgpj.exe", // would be shown from right to left
		"\xff":                 "\uFFFD",
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
