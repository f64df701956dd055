package programtest

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// What the documentation says of flags and variables is what the programs have:
// their own tests hold them to it. So this is a test of all programs.
func TestVariablesHaveOneMeaning(t *testing.T) {
	text, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	services := map[string][]string{ // the prefixes of their variables
		"coffer-server":  {"COFFER_SERVER_", "COFFER_CONSOLE_", "COFFER_CORE_SECRET"},
		"coffer-gateway": {"COFFER_GATEWAY_", "COFFER_CORE_SECRET"},
	}
	people := []string{"COFFER_PASSPHRASE_FILE", "COFFER_PROFILE", "COFFER_RSA_BITS"} // what holds for a person's machine
	meaning := map[string]string{}
	variables := 0
	for _, part := range strings.Split(string(text), "\n## ")[1:] {
		name, _, _ := strings.Cut(part, "\n")
		if !slices.Contains([]string{"coffer", "coffer-server", "coffer-gateway"}, name) {
			continue
		}
		flags := readTables(part, "serve")
		ofService := map[string]bool{}
		for _, f := range flags {
			if f.command == "serve" {
				ofService[f.env] = true
			}
		}
		for _, f := range flags {
			if f.env == "" {
				continue
			}
			variables++
			if earlier, found := meaning[f.env]; found && earlier != f.name {
				t.Errorf("%s: %s means %s here and %s elsewhere", name, f.env, f.name, earlier)
			}
			meaning[f.env] = f.name
			prefixes, service := services[name]
			switch {
			case !service && !slices.Contains(people, f.env):
				t.Errorf("%s %s: a command that does one thing reads %s", name, f.command, f.env)
			case service && !ofService[f.env]:
				t.Errorf("%s %s: reads %s, which does not set the service up", name, f.command, f.env)
			case service && !slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(f.env, prefix) }):
				t.Errorf("%s: the prefix of %s is another's", name, f.env)
			}
		}
	}
	if variables < 50 {
		t.Errorf("only %d variables were found", variables)
	}
}
