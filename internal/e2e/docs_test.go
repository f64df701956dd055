package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"coffer/internal/stack"
)

// A fenced block of a document that has commands. What stands in comments right
// above it, <!-- test: WORDS -->, which readers do not see, says what the test
// does first:
//
//	stop           stop the server
//	start          start it again
//	run: COMMANDS  what the document takes for given
//	skip: WHY      leave the block out
type fenced struct {
	line     int
	language string // sh or console
	text     string
	before   []string // WORDS
}

func (b fenced) skipped() bool {
	return slices.ContainsFunc(b.before, func(words string) bool { return strings.HasPrefix(words, "skip: ") })
}

// fence begins and ends a block.
const fence = "```"

var testComment = regexp.MustCompile(`^<!-- test: (.+) -->$`)

// blocks are the fenced blocks of a Markdown file that have commands, and what
// is to be done before them.
func blocks(t *testing.T, file string) []fenced {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []fenced
	var open *fenced
	var before []string
	for i, line := range strings.Split(string(text), "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case open != nil && trimmed == fence:
			if open.language == "sh" || open.language == "console" {
				all = append(all, *open)
			} else if len(open.before) > 0 {
				t.Errorf("%s:%d: nothing is run there", file, open.line)
			}
			open, before = nil, nil
		case open != nil:
			open.text += line + "\n"
		case strings.HasPrefix(trimmed, "```"):
			open = &fenced{line: i + 1, language: strings.TrimPrefix(trimmed, fence), before: before}
		case testComment.MatchString(trimmed):
			before = append(before, testComment.FindStringSubmatch(trimmed)[1])
		case trimmed != "":
			before = nil
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: the block does not end", file, open.line)
	}
	return all
}

// A reader does what a document says, in a folder like the project's, where
// servers run as `make run` has them, but at other addresses.
type reader struct {
	t       *testing.T
	core    *core
	args    []string // the core's
	folder  string
	names   *strings.Replacer // from the document's names to those here
	back    *strings.Replacer
	home    string
	gateway *gateway
}

// newReader starts the servers for a document.
func newReader(t *testing.T) *reader {
	t.Helper()
	internal, console, web := stack.FreeAddr(t), stack.FreeAddr(t), stack.FreeAddr(t)
	r := &reader{t: t, folder: t.TempDir(), home: t.TempDir(), args: []string{"--internal-listen", internal, "--console-listen", console}}
	r.core = newCore(t, r.args...)
	r.gateway = newGatewayAt(t, web, internal)
	if err := os.Mkdir(filepath.Join(r.folder, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	copied := exec.Command("cp", "-a", "../../protocol", "../../examples", r.folder)
	if out, err := copied.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Symlink(r.core.data, filepath.Join(r.folder, "data")); err != nil {
		t.Fatal(err)
	}
	there := []string{
		"localhost:1256", r.core.addr, "localhost:5000", web, "127.0.0.1:8090", console, "localhost:8090", console,
		"127.0.0.1:1257", internal, "/tmp/", r.folder + "/tmp/", "/var/lib/coffer", r.core.data, "/home/ada", r.home,
	}
	var back []string
	for i := 0; i < len(there); i += 2 {
		back = append(back, there[i+1], there[i])
	}
	r.names, r.back = strings.NewReplacer(there...), strings.NewReplacer(back...)
	return r
}

// buildAge puts the program age, which some systems lack, or have too old for
// the keys of today, where the reader finds it.
func (r *reader) buildAge() {
	r.t.Helper()
	build := exec.Command("go", "build", "-modfile=.ci/packaging.mod", "-o", filepath.Join(r.home, "bin", "age"), "filippo.io/age/cmd/age")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		r.t.Fatalf("%v\n%s", err, out)
	}
}

// shell keeps what a person's shell does from block to block: its folder and
// what was exported.
const shell = `
[ ! -e "$STATE" ] || . "$STATE"
trap '{ declare -px | grep -v -e " BASH" -e " SHLVL" -e " STATE="; printf "cd %q\n" "$PWD"; } > "$STATE"' EXIT
`

// run runs commands and returns their output.
func (r *reader) run(commands string) (string, error) {
	cmd := exec.CommandContext(r.t.Context(), "bash", "-euo", "pipefail", "-c", shell+r.names.Replace(commands))
	cmd.Dir = r.folder
	cmd.Env = append(os.Environ(), "STATE="+filepath.Join(r.home, ".state"), "HOME="+r.home, "LC_ALL=C", "PATH="+filepath.Join(r.home, "bin")+":"+os.Getenv("PATH"), "XDG_CONFIG_HOME=",
		"COFFER_PASSPHRASE=seven unlikely words about nothing at all", "COFFER_SERVER_INTERNAL_LISTEN="+r.args[1], "COFFER_URL="+r.gateway.url)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// read does what a block says. What a console block shows must come, but for
// numbers.
func (r *reader) read(b fenced) error {
	r.t.Helper()
	for _, words := range b.before {
		commands, given := strings.CutPrefix(words, "run: ")
		switch {
		case given:
			if out, err := r.run(commands); err != nil {
				return fmt.Errorf("%s: %w\n%s", commands, err, out)
			}
		case words == "stop":
			if err := r.core.stop(); err != nil {
				return err
			}
		case words == "start":
			r.core.restart(r.t, r.args...)
		default:
			return fmt.Errorf("the comment %q means nothing", words)
		}
	}
	if b.language == "sh" {
		out, err := r.run(b.text)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		return nil
	}
	for _, c := range dialogue(b.text) {
		out, err := r.run(c.command)
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", c.command, err, out)
		}
		if want, got := alike(c.shows), alike(r.back.Replace(out)); !shows(want, got) {
			return fmt.Errorf("%s shows\n%s\nand is said to show\n%s", c.command, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	return nil
}

// An exchange with a shell: a command, and what it prints.
type answered struct{ command, shows string }

// dialogue takes a console block apart.
func dialogue(text string) (list []answered) {
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			list = append(list, answered{command: strings.TrimSuffix(command, "\n")})
		} else if len(list) > 0 && strings.HasSuffix(list[len(list)-1].command, "\\") {
			list[len(list)-1].command += "\n" + strings.TrimSuffix(line, "\n")
		} else if len(list) > 0 {
			list[len(list)-1].shows += line
		}
	}
	return list
}

var (
	prompt  = regexp.MustCompile(`^(Passphrase|Confirm passphrase): *$`)
	bytesOf = regexp.MustCompile(`[0-9.]+ (?:[kKMGTPE]?i?B|bytes?)\b`)
	longHex = regexp.MustCompile(`\b(?:[0-9]+ \(0x[0-9a-f]{8}\)|0x[0-9a-f]{8}|[0-9a-f]{12,})\b`)
	pins    = regexp.MustCompile(`sha256//[A-Za-z0-9+/]{43}=`)
	digits  = regexp.MustCompile(`[0-9]+`)
)

// alike are the lines of an output without what differs each time, and without
// prompts, which only a terminal sees.
func alike(text string) (lines []string) {
	for line := range strings.Lines(text) {
		line = strings.Join(strings.Fields(line), " ")
		if prompt.MatchString(line) {
			continue
		}
		line = bytesOf.ReplaceAllString(line, "SIZE")
		line = pins.ReplaceAllString(line, "PIN")
		line = longHex.ReplaceAllString(line, "HEX")
		lines = append(lines, digits.ReplaceAllString(line, "#"))
	}
	return lines
}

// shows reports whether an output is as documented, where … stands for any
// lines.
func shows(want, got []string) bool {
	for i, line := range want {
		if line == "…" {
			for ; len(got) >= 0; got = got[1:] {
				if shows(want[i+1:], got) {
					return true
				}
				if len(got) == 0 {
					return false
				}
			}
		}
		if len(got) == 0 || got[0] != line {
			return false
		}
		got = got[1:]
	}
	return len(got) == 0
}

// documents are the project's, in the order of reading.
func documents(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(files) < 5 {
		t.Fatalf("the documents are %q, %v", files, err)
	}
	files = append([]string{"../../README.md"}, files...)
	return append(files, "../../CONTRIBUTING.md", "../../SECURITY.md", "../../CHANGELOG.md", "../../cpp/README.md")
}

var (
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading    = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	notInNames = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// Links between the documents lead somewhere.
func TestDocumentLinks(t *testing.T) {
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range link.FindAllStringSubmatch(string(text), -1) {
			target, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			path := file
			if target != "" {
				path = filepath.Join(filepath.Dir(file), target)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %s is not there", file, found[1])
				continue
			}
			if anchor == "" {
				continue
			}
			linked, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(anchors(string(linked)), anchor) {
				t.Errorf("%s: %s has no part %s", file, path, anchor)
			}
		}
	}
}

// anchors are the names that a document's headings are linked by.
func anchors(text string) (names []string) {
	for _, found := range heading.FindAllStringSubmatch(text, -1) {
		name := notInNames.ReplaceAllString(strings.ToLower(found[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// The commands in the documents work, in the order in which they appear, and
// print what the documents show. Commands that cannot run here are marked, with
// the reason.
func TestDocuments(t *testing.T) {
	t.Parallel()
	for _, file := range documents(t) {
		t.Run(strings.TrimPrefix(file, "../../"), func(t *testing.T) {
			t.Parallel()
			all := blocks(t, file)
			var r *reader
			for _, b := range all {
				if b.skipped() {
					continue
				}
				if r == nil {
					r = newReader(t)
				}
				if strings.Contains(b.text, "age -d") {
					r.buildAge()
				}
				if err := r.read(b); err != nil {
					t.Fatalf("%s:%d: %v", filepath.Base(file), b.line, err)
				}
			}
		})
	}
}

// A document that is wrong is found out.
func TestDocumentsAreReadClosely(t *testing.T) {
	for _, test := range []struct {
		said, shown string
		same        bool
	}{
		{"a 12 kB, cksum 10 (0x0000000a)\n", "a  3.5 MB,  cksum 4275878552 (0xfedcba98)\n", true},
		{"a 1 byte\n", "a 900 bytes\n", true},
		{"Passphrase: \nok\n", "ok\n", true},
		{"ok\n", "ko\n", false},
		{"ok\n", "", false},
		{"", "something\n", false},
		{"first\n…\nlast\n", "first\nand\nso on\nlast\n", true},
		{"first\n…\nlast\n", "first\nand\nso on\n", false},
		{"…\n", "", true},
	} {
		if got := shows(alike(test.said), alike(test.shown)); got != test.same {
			t.Errorf("%q for %q: %v", test.shown, test.said, got)
		}
	}
	file := write(t, t.TempDir(), "x.md", "a\n\n<!-- test: stop -->\n<!-- test: skip: x -->\n```sh\nfalse\n```\n\n```console\n$ echo a \\\n  b\na b\n$ true\n```\n\n```\nnot run\n```\n")
	all := blocks(t, file)
	if len(all) != 2 || !slices.Equal(all[0].before, []string{"stop", "skip: x"}) || !all[0].skipped() || all[0].text != "false\n" || all[1].before != nil {
		t.Errorf("the blocks are %+v", all)
	}
	if d := dialogue(all[1].text); len(d) != 2 || d[0].shows != "a b\n" || d[1].command != "true" {
		t.Errorf("the dialogue is %+v", d)
	}
}
