package main

import (
	"strings"
	"testing"

	"coffer/console/contract"
)

// The list marks names that look alike, and escapes what a terminal would act
// on.
func TestAccounts(t *testing.T) {
	like := "admin\x1b[31m"
	var out strings.Builder
	err := printAccounts(&out, []contract.Client{
		{Name: "admin", Fingerprint: "9f86d081", Files: 3, Bytes: 2048, KeyBits: 3072},
		{Name: "adrnin\x1b]2;x\a", Fingerprint: "00000000", LooksLike: &like, Suspended: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range [][]string{{"NAME", "FINGERPRINT", "NOTES"}, {"admin ", "9f86d081", "2.05 kB", "-"}, {"adrnin\uFFFD]2;x\uFFFD", "looks like admin\uFFFD[31m; suspended; without a key"}} {
		for _, part := range want {
			if !strings.Contains(lines[i], part) {
				t.Errorf("%q is not in %q", part, lines[i])
			}
		}
	}
	if strings.ContainsAny(out.String(), "\x1b\a") {
		t.Errorf("a name reaches the terminal: %q", out.String())
	}
	out.Reset()
	if err := printAccounts(&out, nil); err != nil || out.String() != "no account is registered\n" {
		t.Errorf("%q %v", out.String(), err)
	}
}
