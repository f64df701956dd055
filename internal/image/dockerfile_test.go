// Package image checks how the programs are packed for containers, as far as
// that goes without a container engine. It has tests alone.
package image

import (
	"bufio"
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

const root = "../.."

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

// Every command of the Dockerfile is run in a clean folder, stage by stage, on
// what .dockerignore lets through. The folder stands for the image's root.
func TestImageBuilds(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the web client and the programs")
	}
	context := buildContext(t)
	built := map[string]string{} // stage → its root
	var final string
	for _, s := range readDockerfile(t) {
		final = t.TempDir()
		built[s.name] = final
		build(t, s, context, built)
	}
	programs, err := filepath.Glob(filepath.Join(final, "bin", "*"))
	if err != nil || len(programs) < 3 {
		t.Fatalf("the image has the programs %q, %v", programs, err)
	}
	for _, program := range programs {
		static(t, program)
		version := exec.Command(program, "--version")
		if filepath.Base(program) == "coffer" {
			version = exec.Command(program, "version")
		}
		if out, err := version.CombinedOutput(); err != nil || !strings.Contains(string(out), " v1.2.3-test (") {
			t.Errorf("%s: %v\n%s", version, err, out)
		}
	}
	for _, folder := range []string{"data/core", "data/gateway"} {
		if info, err := os.Stat(filepath.Join(final, folder)); err != nil || info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s: %v, %v", folder, info.Mode(), err)
		}
	}
	if _, err := os.Stat(filepath.Join(final, "etc/ssl/certs/ca-certificates.crt")); err != nil {
		t.Errorf("the image trusts nobody: %v", err)
	}
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
			if in.args != "VERSION=unknown" {
				t.Fatalf("the test knows no argument %s", in.args)
			}
			env = append(env, "VERSION=v1.2.3-test")
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
			}
		case "RUN":
			// Paths of the image are below the stage's folder here.
			cmd := exec.Command("sh", "-euc", strings.ReplaceAll(in.args, " /out/", " "+here+"/out/"))
			cmd.Dir, cmd.Env = filepath.Join(here, workdir), env
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("RUN %s: %v\n%s", in.args, err, out)
			}
		case "ENV", "USER", "CMD":
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
