// Package image checks how the programs are packed for containers, as far as
// that goes without a container engine. It has tests alone.
package image

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

const root = "../../.."

// An instruction of a Dockerfile, its continued lines joined.
type instruction struct{ name, args string }

// A stage is a FROM and what follows it.
type stage struct {
	name         string // after AS; "" for the last one
	base         string
	instructions []instruction
}

// readDockerfile reads as much of the format as the project's file uses.
func readDockerfile(t *testing.T) []stage {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	var stages []stage
	lines := bufio.NewScanner(strings.NewReader(strings.ReplaceAll(string(text), "\\\n", " ")))
	for lines.Scan() {
		name, args, found := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		if !found {
			t.Fatalf("an instruction without arguments: %s", name)
		}
		if name != "FROM" {
			last := &stages[len(stages)-1]
			last.instructions = append(last.instructions, instruction{name, args})
			continue
		}
		f := strings.Fields(args)
		s := stage{base: f[0]}
		if len(f) == 3 && f[1] == "AS" {
			s.name = f[2]
		}
		stages = append(stages, s)
	}
	return stages
}

// A copy is what COPY does.
type copied struct {
	from, chown string
	sources     []string
	to          string
}

func parseCopy(args string) copied {
	var c copied
	var names []string
	for _, f := range strings.Fields(args) {
		if from, ok := strings.CutPrefix(f, "--from="); ok {
			c.from = from
		} else if chown, ok := strings.CutPrefix(f, "--chown="); ok {
			c.chown = chown
		} else {
			names = append(names, f)
		}
	}
	c.sources, c.to = names[:len(names)-1], names[len(names)-1]
	return c
}

// An image is how a target is run.
type image struct {
	user                   string
	env                    []string
	entry, command, health []string
}

// imageOf reads how a target is run, from its stage and those it is made on.
func imageOf(t *testing.T, target string) image {
	t.Helper()
	stages := readDockerfile(t)
	at := slices.IndexFunc(stages, func(s stage) bool { return s.name == target })
	if at < 0 {
		t.Fatalf("the Dockerfile has no target %s", target)
	}
	var im image
	if slices.ContainsFunc(stages, func(s stage) bool { return s.name == stages[at].base }) {
		im = imageOf(t, stages[at].base)
	}
	for _, in := range stages[at].instructions {
		switch in.name {
		case "USER":
			im.user = in.args
		case "ENV":
			im.env = append(im.env, strings.Fields(in.args)...)
		case "ENTRYPOINT":
			im.entry = words(t, in.args)
		case "CMD":
			im.command = words(t, in.args)
		case "HEALTHCHECK":
			_, command, found := strings.Cut(in.args, " CMD ")
			if !found {
				t.Fatalf("the health check of %s runs nothing: %s", target, in.args)
			}
			im.health = words(t, command)
		}
	}
	return im
}

// words reads a command as it must be given where there is no shell.
func words(t *testing.T, list string) (command []string) {
	t.Helper()
	if err := json.Unmarshal([]byte(list), &command); err != nil {
		t.Fatalf("%s: %v", list, err)
	}
	return command
}

// targets are the images, and the program that each has.
var targets = map[string]string{"server": "coffer-server", "gateway": "coffer-gateway", "cli": "coffer"}

// Every command of the Dockerfile is run in a clean folder, stage by stage, on
// what .dockerignore lets through. The folder stands for the image's root. Then
// the images are run: from that root, read-only, by their user.
func TestImages(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the web client and the programs")
	}
	context := buildContext(t)
	built := map[string]string{} // stage → its root
	for _, s := range readDockerfile(t) {
		built[s.name] = t.TempDir()
		if base, ok := built[s.base]; ok {
			copyTree(t, base, built[s.name], false)
		}
		build(t, s, context, built)
	}
	for target, program := range targets {
		programs, err := filepath.Glob(filepath.Join(built[target], "bin", "*"))
		if err != nil || len(programs) != 1 || filepath.Base(programs[0]) != program {
			t.Fatalf("the image %s has the programs %q, %v", target, programs, err)
		}
		static(t, programs[0])
		version := exec.Command(programs[0], "--version")
		if out, err := version.CombinedOutput(); err != nil || !strings.Contains(string(out), " v1.2.3-test (commit 0123456789, go") {
			t.Errorf("%s: %v\n%s", version, err, out)
		}
		if _, err := os.Stat(filepath.Join(built[target], "etc/ssl/certs/ca-certificates.crt")); err != nil {
			t.Errorf("the image %s trusts nobody: %v", target, err)
		}
	}
	for target, folder := range map[string]string{"server": "data/core", "gateway": "data/gateway", "cli": "keys"} {
		if info, err := os.Stat(filepath.Join(built[target], folder)); err != nil || info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s: %v, %v", folder, info, err)
		}
	}
	t.Run("run", func(t *testing.T) { runImages(t, built) })
}

// build runs a stage's instructions.
func build(t *testing.T, s stage, context string, built map[string]string) {
	t.Helper()
	here := built[s.name]
	workdir := "/"
	env := os.Environ()
	for _, in := range s.instructions {
		switch in.name {
		case "ARG":
			arguments := map[string]string{"VERSION=unknown": "VERSION=v1.2.3-test", "COMMIT=unknown": "COMMIT=0123456789"}
			if arguments[in.args] == "" {
				t.Fatalf("the test knows no argument %s", in.args)
			}
			env = append(env, arguments[in.args])
		case "WORKDIR":
			workdir = in.args
			if err := os.MkdirAll(filepath.Join(here, workdir), 0o755); err != nil {
				t.Fatal(err)
			}
		case "COPY":
			c := parseCopy(in.args)
			from := context
			if c.from != "" {
				from = built[c.from]
			}
			for _, source := range c.sources {
				if source == "/etc/ssl/certs/ca-certificates.crt" {
					from = "/" // the base image has it as this machine does
				}
				to := c.to
				if !path.IsAbs(to) {
					to = path.Join(workdir, to) + strings.TrimPrefix(to, strings.TrimRight(to, "/"))
				}
				copyTree(t, filepath.Join(from, source), filepath.Join(here, to), strings.HasSuffix(to, "/"))
				if c.chown != "" {
					give(t, filepath.Join(from, source), filepath.Join(here, to), c.chown)
				}
			}
		case "RUN":
			// Paths of the image are below the stage's folder here.
			cmd := exec.Command("sh", "-euc", strings.ReplaceAll(in.args, " /out/", " "+here+"/out/"))
			cmd.Dir, cmd.Env = filepath.Join(here, workdir), env
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("RUN %s: %v\n%s", in.args, err, out)
			}
		case "ENV", "USER", "CMD", "ENTRYPOINT", "HEALTHCHECK", "VOLUME", "EXPOSE":
		default:
			t.Fatalf("the test knows no %s", in.name)
		}
	}
}

// buildContext is a copy of what a builder gets of the project.
func buildContext(t *testing.T) string {
	t.Helper()
	f, err := os.Open(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	patterns, err := ignorefile.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil || rel == "." {
			return err
		}
		skip, err := ignored.MatchesOrParentMatches(rel)
		switch {
		case err != nil:
			return err
		case skip && d.IsDir() && !slices.ContainsFunc(patterns, func(p string) bool { return strings.HasPrefix(p, "!"+rel+"/") }):
			return filepath.SkipDir
		case skip || !d.Type().IsRegular():
			return nil
		}
		return copyFile(name, filepath.Join(to, rel))
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{".git", "data", "jwt.secret", "web/node_modules"} {
		if _, err := os.Lstat(filepath.Join(to, secret)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s goes to the builder: %v", secret, err)
		}
	}
	return to
}

// give gives what was copied from a folder to a user, where that is possible.
func give(t *testing.T, from, to, owner string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	user, group, _ := strings.Cut(owner, ":")
	uid, err := strconv.Atoi(user)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(group)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Lchown(filepath.Join(to, e.Name()), uid, gid); err != nil {
			t.Fatal(err)
		}
	}
}

// copyTree copies a file to a name or into a folder, or what is in a folder
// into another, as COPY does.
func copyTree(t *testing.T, from, to string, into bool) {
	t.Helper()
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	if !info.IsDir() {
		if into {
			to = filepath.Join(to, filepath.Base(from))
		}
		if err := copyFile(from, to); err != nil {
			t.Fatal(err)
		}
		return
	}
	err = filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(name, from))
		switch {
		case d.IsDir():
			info, err := d.Info()
			if err != nil {
				return err
			}
			if err := os.MkdirAll(target, 0o755); err != nil || name == from {
				return err
			}
			return os.Chmod(target, info.Mode().Perm())
		case d.Type().IsRegular():
			return copyFile(name, target)
		}
		return nil // links within node_modules, which nothing needs
	})
	if err != nil {
		t.Fatal(err)
	}
}

func copyFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// static checks that a program needs nothing that the image lacks.
func static(t *testing.T, program string) {
	t.Helper()
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(text))
	if err != nil {
		t.Skipf("the programs of this system are no ELF files: %v", err)
	}
	libraries, err := f.ImportedLibraries()
	if err != nil || len(libraries) > 0 {
		t.Errorf("%s needs %q, %v", program, libraries, err)
	}
}
