package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"coffer/protocol/cksum"
)

// block returns the first fenced block of a language below a heading of a
// Markdown file.
func block(t *testing.T, file, heading, language string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n"+heading+"\n")
	if found {
		section, _, _ = strings.Cut(section, "\n## ")
		_, section, found = strings.Cut(section, "\n```"+language+"\n")
	}
	code, _, closed := strings.Cut(section, "\n```")
	if !found || !closed {
		t.Fatalf("%s has no block of %s under %s", file, language, heading)
	}
	return code
}

// What the README says works as it stands there.
func TestTourOverHTTP(t *testing.T) {
	_, g, _ := newServers(t)
	tour := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", block(t, "../../README.md", "## Over HTTP", "sh"))
	tour.Dir = t.TempDir()
	tour.Env = append(os.Environ(), "COFFER_URL="+g.url)
	out, err := tour.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		`"packet_received":1`,
		fmt.Sprintf(`"server_crc":"0x%08x"`, cksum.Sum([]byte("Dear diary\n"))),
		`"verified":true`,
		"notes/diary.txt, 11 bytes\nidentical\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it does not say %s:\n%s", want, out)
		}
	}
}
