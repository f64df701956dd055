package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"coffer/protocol/cksum"
)

// What the README does over HTTP ends as it should.
func TestTourOverHTTP(t *testing.T) {
	_, g, _ := newServers(t)
	all := blocks(t, "../../README.md")
	i := slices.IndexFunc(all, func(b fenced) bool { return strings.Contains(b.text, "/auth/register") })
	if i < 0 {
		t.Fatal("there is no tour over HTTP")
	}
	tour := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", all[i].text)
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
