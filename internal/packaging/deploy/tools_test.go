package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// .ci/tools takes a tool for missing when it does not do its work, whatever its
// name and --version promise: a clang that comes without its runtime, a compiler
// without headers, a jq that crashes. It installs what is lacking, tries again,
// and says so if that was not enough.
func TestToolsAreTried(t *testing.T) {
	const (
		fails    = "#!/bin/sh\ncase \"$1\" in --version|-dumpversion) echo 14.0.6;; *) echo cannot find its library >&2; exit 1;; esac\n"
		compiles = "#!/bin/sh\ncase \"$1\" in --version|-dumpversion) echo 14.0.6; exit;; esac\nprintf '#!/bin/sh\\n' >program; chmod +x program\n"
	)
	for name, of := range map[string]struct {
		program, packages string
		works             string // what the program is once its packages are installed
	}{
		"clang":    {"clang++", "clang libclang-rt-14-dev", compiles},
		"g++":      {"g++", "g++", compiles},
		"gcc":      {"gcc", "gcc libc6-dev", compiles},
		"doctest":  {"g++", "doctest-dev g++", compiles},
		"cksum":    {"cksum", "coreutils", "#!/bin/sh\necho 1219131554 3\n"},
		"jq":       {"jq", "jq", "#!/bin/sh\necho 2\n"},
		"openssl":  {"openssl", "openssl", "#!/bin/sh\necho ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad '*stdin'\n"},
		"chromium": {"chromium", "chromium fonts-dejavu-core", "#!/bin/sh\necho '<p id=\"up\"></p>'\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "chromium" {
				if _, err := exec.LookPath("npm"); err != nil {
					t.Skip("without Node.js no browser is wanted")
				}
			}
			for _, helps := range []bool{true, false} {
				folder := t.TempDir()
				asked := filepath.Join(folder, "asked")
				program := filepath.Join(folder, of.program)
				script(t, program, fails)
				repair := filepath.Join(folder, "repaired")
				script(t, repair, of.works)
				install := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = install ] || exit 0\necho \"$@\" >%s\n", asked)
				if helps {
					install += fmt.Sprintf("cp %s %s\n", repair, program)
				}
				script(t, filepath.Join(folder, "apt-get"), install)
				script(t, filepath.Join(folder, "sudo"), "#!/bin/sh\nexec \"$@\"\n")

				cmd := exec.CommandContext(t.Context(), filepath.Join(root, ".ci/tools"), name)
				cmd.Env = append(os.Environ(), "PATH="+folder+string(os.PathListSeparator)+os.Getenv("PATH"), "COFFER_CHROMIUM=")
				out, err := cmd.CombinedOutput()
				if (err == nil) != helps {
					t.Errorf("installing helps: %v; .ci/tools ends with %v\n%s", helps, err, out)
				}
				if !helps && !strings.Contains(string(out), name+" does not do what the tests need") {
					t.Errorf("it does not say what is wrong:\n%s", out)
				}
				got, err := os.ReadFile(asked)
				if err != nil || !strings.HasSuffix(strings.TrimSpace(string(got)), "--no-install-recommends "+of.packages) {
					t.Errorf("it installs %q, %v; want %s\n%s", got, err, of.packages, out)
				}
			}
		})
	}
}

// What works is left alone: nothing is installed, and no rights are asked for.
func TestToolsThatWorkAreLeftAlone(t *testing.T) {
	folder := t.TempDir()
	script(t, filepath.Join(folder, "cksum"), "#!/bin/sh\necho 1219131554 3\n")
	for _, name := range []string{"apt-get", "sudo"} {
		script(t, filepath.Join(folder, name), "#!/bin/sh\necho \"$0 was called\"; exit 1\n")
	}
	t.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
	if out := run(t, nil, ".ci/tools", "cksum"); out != "" {
		t.Errorf("it says %q", out)
	}
}

// script writes a program.
func script(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}
