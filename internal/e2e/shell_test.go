package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tool is a program that the tests need and .ci/tools installs. Without it a
// test is skipped, except in CI.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		for _, folder := range []string{"/usr/sbin", "/sbin"} { // where Debian has what serves
			if path, err = exec.LookPath(filepath.Join(folder, name)); err == nil {
				return path
			}
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: .ci/tools installs it", name)
		}
		t.Skipf("%s is missing: .ci/tools installs it", name)
	}
	return path
}

// Every program's command line is completed in real shells.
func TestShellCompletion(t *testing.T) {
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, "archive"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "apple.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// Each asks for what may follow the line "$1 $2 $3 …", a candidate a line.
	shells := map[string]string{
		// -F is given the function by name; readline would set these variables.
		"bash": `source <("$1" completion bash) || exit 1
			declare -F _${1//-/_} >/dev/null && complete -p "$1" >/dev/null || exit 1
			compopt() { :; } # it works within a completion alone
			COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
			_${1//-/_}
			printf '%s\n' "${COMPREPLY[@]}"`,
		"fish": `$argv[1] completion fish | source; or exit 1
			complete -C (string join -- ' ' $argv) | string replace -r '\t.*' ''; or true`,
		// compadd and friends work within the line editor alone.
		"zsh": `autoload -Uz compinit && compinit -D -u
			source <("$1" completion zsh) || exit 1
			[[ ${_comps[$1]} == _${1//-/_} ]] || exit 1
			_describe() { local -a list=("${(@P)3}"); print -rl -- "${list[@]%%:*}" }
			_files() { print -rl -- ${words[CURRENT]#*=}*(N) }
			compset() { : }
			words=("$@") CURRENT=$#
			_${1//-/_}`,
	}
	for shell, script := range shells {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			path := tool(t, shell)
			for _, test := range []struct {
				line, want string
				not        string // another candidate, which does not begin so
			}{
				{"coffer ba", "backup", "restore"},
				{"coffer backup --n", "--name", "--quiet"},
				{"coffer key ex", "export", "import"},
				{"coffer completion f", "fish", "bash"},
				{"coffer backup a", "a", "zebra"},
				{"coffer-server --log-format ", "json", "debug"},
				{"coffer-server --log-l", "--log-level", "--listen"},
				{"coffer-server sc", "scrub", "serve"},
				{"coffer-gateway --trusted", "--trusted-proxies", "--rate"},
			} {
				args := strings.Split(test.line, " ")
				if shell == "fish" {
					args = append([]string{"--no-config", "-c", script}, args...)
				} else if shell == "bash" {
					args = append([]string{"--norc", "-c", script, "bash"}, args...)
				} else {
					args = append([]string{"-f", "-c", script, "zsh"}, args...)
				}
				cmd := exec.CommandContext(t.Context(), path, args...)
				var errs bytes.Buffer
				cmd.Dir, cmd.Stderr = folder, &errs
				cmd.Env = append(os.Environ(), "HOME="+folder)
				out, err := cmd.Output()
				if err != nil || errs.Len() > 0 {
					t.Fatalf("%q: %v\n%s", test.line, err, &errs)
				}
				found := "\n" + string(out)
				if !strings.Contains(found, "\n"+test.want) || strings.Contains(found, "\n"+test.not) {
					t.Errorf("%q goes on with:\n%s", test.line, out)
				}
			}
		})
	}
}

// Manual pages say nothing that man does not understand.
func TestManualPages(t *testing.T) {
	mandoc := tool(t, "mandoc")
	for _, program := range []string{"coffer", "coffer-server", "coffer-gateway"} {
		made := exec.CommandContext(t.Context(), program, "man")
		made.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1500000000")
		page, err := made.Output()
		if err != nil {
			t.Fatal(err)
		}
		lint := exec.CommandContext(t.Context(), mandoc, "-T", "lint", "-W", "warning")
		lint.Stdin = bytes.NewReader(page)
		if out, err := lint.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", program, err, out)
		}
		show := exec.CommandContext(t.Context(), mandoc, "-T", "ascii")
		show.Stdin = bytes.NewReader(page)
		out, err := show.Output()
		if err != nil || !bytes.Contains(out, []byte("EXIT STATUS")) && !bytes.Contains(out, []byte("E\bEX\bX")) {
			t.Errorf("%s is shown as, %v:\n%s", program, err, out)
		}
	}
}

// Every program says what it was built from.
func TestVersions(t *testing.T) {
	for _, program := range []string{"coffer", "coffer-server", "coffer-gateway"} {
		out, err := exec.CommandContext(t.Context(), program, "--version").Output()
		if f := strings.Fields(string(out)); err != nil || len(f) < 6 || f[0] != program || f[2] != "(commit" || !strings.Contains(string(out), ", go1.") {
			t.Errorf("%s: %v\n%s", program, err, out)
		}
	}
}
