package e2e

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"coffer/internal/stack"
)

// The scripts in testdata are what a person would type. Besides testscript's
// own commands they have:
//
//	serve [ARG...]    start coffer-server on $SERVER, its data in $WORK/data
//	gateway [ARG...]  start coffer-gateway at $GATEWAY in front of a server
//	                  that was started with --internal-listen $INTERNAL
//	shutdown          end the server with SIGTERM; it must exit with 0
//	crash             end it with SIGKILL
//	exits CODE CMD... run a command that must exit with CODE
//	tree FOLDER       make a folder of everything that a backup has to keep
//	same A B          two files or folders are the same in every respect
//	tamper GLOB       flip a bit in the middle of each file, one at least
//	[!] holds FOLDER FILE
//	                  the file's content is somewhere under the folder, as text
//	                  or compressed
//	secretless LOG HOME...
//	                  the log has none of the secrets of these profiles
//	earlier FOLDER    make the folder of an earlier server, and FOLDER-me.info
//	sums FOLDER FILE  write the state of everything in a folder to a file
//	unbound HOME FILE give the account of a profile the passphrase in a file,
//	                  with a password that is not bound to a server
//	cert              make cert.pem and key.pem for 127.0.0.1
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve":      serve,
			"gateway":    serveGateway,
			"shutdown":   shutdown,
			"crash":      crash,
			"exits":      exits,
			"tree":       tree,
			"same":       same,
			"tamper":     tamper,
			"holds":      holds,
			"secretless": secretless,
			"cert":       cert,
			"unbound":    unbound,
			"earlier":    earlier,
			"sums":       sums,
		},
	})
}

type coreKey struct{}

func setup(env *testscript.Env) error {
	var addrs [4]string
	for i := range addrs {
		addr, release, err := stack.ReserveAddr()
		if err != nil {
			return err
		}
		env.Defer(release)
		addrs[i] = addr
	}
	addr, internal, gateway, console := addrs[0], addrs[1], addrs[2], addrs[3]
	c := &core{folder: env.WorkDir, data: filepath.Join(env.WorkDir, "data"), addr: addr, process: process{log: newOutput()}}
	env.Values[coreKey{}] = c
	_, port, _ := strings.Cut(addr, ":")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Defer(func() { taken.Close() })
	env.Setenv("CONSOLE", console)
	env.Setenv("TAKEN", taken.Addr().String())
	env.Setenv("SERVER", addr)
	env.Setenv("INTERNAL", internal)
	env.Setenv("GATEWAY", "http://"+gateway)
	env.Setenv("GATEWAY_TLS", "https://"+gateway)
	env.Setenv("PORT", port)
	env.Setenv("COFFER_HOME", filepath.Join(env.WorkDir, "home"))
	env.Setenv("COFFER_RSA_BITS", "1024") // quicker to make
	env.Setenv("COFFER_CORE_SECRET", os.Getenv("COFFER_CORE_SECRET"))
	env.Defer(c.kill)
	return nil
}

func theCore(ts *testscript.TestScript) *core { return ts.Value(coreKey{}).(*core) }

func serve(ts *testscript.TestScript, neg bool, args []string) {
	c := theCore(ts)
	err := c.start(context.Background(), args...)
	ts.Check(writeLog(ts, c))
	if err != nil {
		ts.Fatalf("%v\n%s", err, c.log.tail())
	}
}

func serveGateway(ts *testscript.TestScript, neg bool, args []string) {
	g := &gateway{process: process{log: newOutput()}}
	ts.Defer(g.kill)
	addr := strings.TrimPrefix(ts.Getenv("GATEWAY"), "http://")
	if err := g.start(context.Background(), addr, ts.Getenv("INTERNAL"), ts.Getenv("WORK"), args...); err != nil {
		ts.Fatalf("%v\n%s", err, g.log.tail())
	}
}

func shutdown(ts *testscript.TestScript, neg bool, _ []string) {
	c := theCore(ts)
	err := c.stop()
	ts.Check(errors.Join(err, writeLog(ts, c)))
}

func crash(ts *testscript.TestScript, neg bool, _ []string) {
	c := theCore(ts)
	c.kill()
	ts.Check(writeLog(ts, c))
}

// writeLog writes the server's log where scripts can look at it.
func writeLog(ts *testscript.TestScript, c *core) error {
	return os.WriteFile(ts.MkAbs(ts.Getenv("WORK")+"/server.log"), []byte(c.log.since(0)), 0o600)
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func tamper(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: tamper GLOB")
	}
	names, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(names) == 0 {
		ts.Fatalf("no file is called %s", args[0])
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		ts.Check(err)
		content[len(content)/2] ^= 1
		ts.Check(os.WriteFile(name, content, 0o600))
	}
}
