package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/stack"
	"coffer/protocol"
)

// errCannotBuild is about the machine, not about the client.
var errCannotBuild = errors.New("the C++ client cannot be built here")

// buildCPP builds coffer-cpp as it is released, where make cpp-test builds it
// too, so that there is little left to do.
var buildCPP = sync.OnceValues(func() (program string, err error) {
	if _, err := exec.LookPath("cmake"); err != nil {
		return "", fmt.Errorf("%w: there is no cmake (apt-get install cmake ninja-build)", errCannotBuild)
	}
	source, err := filepath.Abs("../../cpp")
	if err != nil {
		return "", err
	}
	configure := exec.Command("cmake", "--preset", "release")
	configure.Dir = source
	if out, err := configure.CombinedOutput(); bytes.Contains(out, []byte("Could NOT find")) {
		return "", fmt.Errorf("%w: a library is missing (apt-get install libcrypto++-dev libasio-dev)\n%s", errCannotBuild, out)
	} else if err != nil {
		return "", fmt.Errorf("cmake: %w\n%s", err, out)
	}
	build := exec.Command("cmake", "--build", "--preset", "release", "--target", "coffer-cpp")
	build.Dir = source
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cmake --build: %w\n%s", err, out)
	}
	return filepath.Join(source, "build/release/coffer-cpp"), nil
})

// A cppClient is a folder in which coffer-cpp runs.
type cppClient struct {
	t       *testing.T
	program string
	wine    bool // it is a program for Windows
	dir     string
	name    string
}

// newCPP prepares a folder for sending files to addr.
func newCPP(t *testing.T, addr, name string, files ...string) *cppClient {
	t.Helper()
	program, err := buildCPP()
	if errors.Is(err, errCannotBuild) && os.Getenv("CI") == "" { // where it must be there
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	c := &cppClient{t: t, program: program, dir: t.TempDir(), name: name}
	c.sends(addr, files...)
	return c
}

// sends writes transfer.info.
func (c *cppClient) sends(addr string, files ...string) {
	c.t.Helper()
	c.file("transfer.info", []byte(addr+"\n"+c.name+"\n"+strings.Join(files, "\n")+"\n"))
}

func (c *cppClient) file(name string, content []byte) []byte {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
		c.t.Fatal(err)
	}
	return content
}

// random makes a file of random bytes.
func (c *cppClient) random(name string, size int) []byte {
	c.t.Helper()
	return c.file(name, randomBytes(uint64(size), size))
}

// run runs the program, which has to end with an exit code, and returns all it
// said.
func (c *cppClient) run(wantCode int, args ...string) string {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), c.program, args...)
	if c.wine {
		cmd = exec.CommandContext(c.t.Context(), "wine", append([]string{c.program}, args...)...)
		cmd.Env = append(os.Environ(), "WINEDEBUG=-all", "DISPLAY=")
	}
	cmd.Dir = c.dir
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != wantCode {
		c.t.Fatalf("coffer-cpp: %v, exit code %d, not %d\n%s", err, code, wantCode, out)
	}
	return string(out)
}

// owner is a person who has what the client stored, by its me.info.
func (c *cppClient) owner(addr string) *person {
	c.t.Helper()
	p := &person{t: c.t, home: c.t.TempDir(), dir: c.t.TempDir()}
	p.must("register", "--server", addr, "--from", filepath.Join(c.dir, "me.info"))
	return p
}

// The first run registers, the next ones reconnect; what was sent is restored
// by the owner of me.info, to the byte.
func TestCPP(t *testing.T) {
	t.Parallel()
	c := newCore(t)
	const snowman = "notes/ein schöner ☃ brief.txt"
	var connections atomic.Int32
	addr := newProxy(t, c.addr, func(conn int, piece []byte) int {
		connections.Store(max(connections.Load(), int32(conn)+1))
		return len(piece)
	})
	cpp := newCPP(t, addr, "Zoë L.", "empty", "one byte", snowman, "100 MiB")
	files := map[string][]byte{
		"empty":    cpp.file("empty", nil),
		"one byte": cpp.file("one byte", []byte{0}),
		snowman:    cpp.random(snowman, 12_345),
		"100 MiB":  cpp.random("100 MiB", 100<<20),
	}
	out := cpp.run(0)
	if !strings.Contains(out, "registered Zoë L.") {
		t.Errorf("it did not say that it registered:\n%s", out)
	}
	if strings.ContainsAny(out, "\r\033") {
		t.Errorf("it drew a progress bar into a pipe:\n%q", out)
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for one run", n)
	}
	info, err := os.Stat(filepath.Join(cpp.dir, "me.info"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("me.info has mode %v", info.Mode())
	}
	me := cpp.meInfo()

	out = cpp.run(0) // the second run
	if strings.Contains(out, "registered") {
		t.Errorf("it registered again:\n%s", out)
	}
	if cpp.meInfo() != me {
		t.Error("me.info changed")
	}
	for _, secret := range strings.Split(me, "\n")[1:3] {
		if strings.Contains(out, secret) {
			t.Error("it showed a secret of me.info")
		}
	}

	p := cpp.owner(c.addr)
	for name, content := range files {
		p.gets(name, content)
	}
	list := p.must("list", "--versions")
	for name := range files {
		if got := strings.Count(list, "\n"+name+" "); got != 2 {
			t.Errorf("%d versions of %s:\n%s", got, name, list)
		}
	}
	p.must("verify", "--all", "--accept-unsealed")
}

func (c *cppClient) meInfo() string {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, "me.info"))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

// A larger key, on request.
func TestCPPRSABits(t *testing.T) {
	t.Parallel()
	c := newCore(t)
	cpp := newCPP(t, c.addr, "large key", "file")
	content := cpp.random("file", 1000)
	cpp.run(0, "--rsa-bits", "2048")
	cpp.owner(c.addr).gets("file", content)
}

// The port of transfer.info is overridden by port.info.
func TestCPPPortInfo(t *testing.T) {
	t.Parallel()
	c := newCore(t)
	host, port, _ := strings.Cut(c.addr, ":")
	cpp := newCPP(t, host+":1", "port", "file")
	cpp.random("file", 1000)
	cpp.file("port.info", []byte(port+"\n"))
	cpp.run(0)
}

// Memory stays what it is, on both sides, however large a file. The race
// detector costs the server time and memory, so it sees a smaller one.
func TestCPPConstantMemory(t *testing.T) {
	t.Parallel()
	size := int64(3 << 30)
	clientLimit, serverLimit := int64(32<<20), int64(128<<20)
	if stack.Racing || testing.Short() {
		size, serverLimit = 512<<20, 400<<20
	}
	c := newCore(t)
	cpp := newCPP(t, c.addr, "large", "zeros")
	cpp.file("zeros", nil)
	if err := os.Truncate(filepath.Join(cpp.dir, "zeros"), size); err != nil {
		t.Fatal(err)
	}
	client := process{cmd: exec.Command(cpp.program), log: newOutput()}
	client.cmd.Dir = cpp.dir
	client.cmd.Stdout, client.cmd.Stderr = client.log, client.log
	if err := client.run(); err != nil {
		t.Fatal(err)
	}
	defer client.kill()
	peak := client.watchMemory(t)
	if client.err != nil {
		t.Fatalf("%v\n%s", client.err, client.log.tail())
	}
	serverPeak, err := c.peakMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MiB sent; peak memory: client %d MiB, server %d MiB", size>>20, peak>>20, serverPeak>>20)
	if peak == 0 || peak > clientLimit {
		t.Errorf("the client took %d bytes of memory", peak)
	}
	if serverPeak > serverLimit {
		t.Errorf("the server took %d bytes of memory", serverPeak)
	}
	if out := client.log.since(0); !strings.Contains(out, "stored zeros") {
		t.Errorf("it said:\n%s", out)
	}
	list := cpp.owner(c.addr).must("list", "--json")
	if !strings.Contains(list, strconv.FormatInt(size+16, 10)) {
		t.Errorf("the listing has no ciphertext of %d bytes:\n%s", size+16, list)
	}
}

// peakMemory is VmHWM, the peak of the resident memory so far, in bytes.
func (p *process) peakMemory() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(text), "VmHWM:")
	if !found {
		return 0, errors.New("no VmHWM: the process has ended")
	}
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseInt(kib, 10, 64)
	return n << 10, err
}

// watchMemory waits until the program ends and returns the peak of its memory
// as it was last seen.
func (p *process) watchMemory(t *testing.T) (peak int64) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return peak
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-tick.C:
			if n, err := p.peakMemory(); err == nil {
				peak = n
			}
		}
	}
}

// The server is killed in the middle of a file, again and again; the client
// waits for it, takes a new session key and sends the file anew.
func TestCPPOutlivesServer(t *testing.T) {
	t.Parallel()
	c := newCore(t)
	var kills atomic.Int32
	addr := newProxy(t, c.addr, cutEvery(9<<20, 3, func() {
		kills.Add(1)
		c.kill()
		c.restart(t)
	}))
	cpp := newCPP(t, addr, "steadfast", "big")
	content := cpp.random("big", 16<<20)
	out := cpp.run(0)
	if kills.Load() != 3 || !strings.Contains(out, "sending it again") {
		t.Errorf("the server was killed %d times:\n%s", kills.Load(), out)
	}
	cpp.owner(c.addr).gets("big", content)
}

// A server that is not there is waited for, and then given up.
func TestCPPUnreachable(t *testing.T) {
	t.Parallel()
	addr := stack.FreeAddr(t)
	cpp := newCPP(t, addr, "lonely", "file")
	cpp.random("file", 10)
	if out := cpp.run(3, "--patience", "1"); !strings.Contains(out, "trying again in") {
		t.Errorf("it said:\n%s", out)
	}
}

// corruptBase flips a bit in the content of the first packet of a file, so many
// times.
func corruptBase(times int) fault {
	type stream struct {
		frames frames
		number uint16
	}
	streams := make(map[int]*stream)
	return func(conn int, piece []byte) int {
		if streams[conn] == nil {
			streams[conn] = new(stream)
		}
		s := streams[conn]
		s.frames.each(piece, func(code protocol.Code, offset uint32, b *byte) {
			const numberAt, contentAt = 8, 267
			switch {
			case code != protocol.CodeSendFile:
			case offset == numberAt:
				s.number = uint16(*b)
			case offset == numberAt+1:
				s.number |= uint16(*b) << 8
			case offset == contentAt+5 && s.number == 1 && times > 0:
				times--
				*b ^= 0x10
			}
		})
		return len(piece)
	}
}

// A wrong byte is noticed, whether it spoils the checksum or, in a file of one
// block, the padding; the file is sent again.
func TestCPPCorruptOnce(t *testing.T) {
	t.Parallel()
	c := newCore(t)
	addr := newProxy(t, c.addr, corruptBase(1))
	cpp := newCPP(t, addr, "unlucky", "file")
	content := cpp.random("file", 1_000_000)
	if out := cpp.run(0); !strings.Contains(out, "sending it again") {
		t.Errorf("it said:\n%s", out)
	}
	p := cpp.owner(c.addr)
	p.gets("file", content)
	if got := strings.Count(p.must("list", "--versions"), "\nfile "); got != 1 {
		t.Errorf("%d versions", got)
	}

	small := newCPP(t, newProxy(t, c.addr, corruptBase(1)), "unlucky with little", "small")
	content = small.random("small", 10)
	if out := small.run(0); !strings.Contains(out, "sending it again") {
		t.Errorf("it said:\n%s", out)
	}
	small.owner(c.addr).gets("small", content)
}

// The fourth wrong checksum ends a file, with 1031, and the run goes on with the
// next one.
func TestCPPCorruptFourTimes(t *testing.T) {
	t.Parallel()
	c := newCore(t)
	var mu sync.Mutex
	var codes []protocol.Code // guarded by mu
	corrupt := corruptBase(4)
	var seen frames
	addr := newProxy(t, c.addr, func(conn int, piece []byte) int {
		n := corrupt(conn, piece)
		seen.each(slices.Clone(piece), func(code protocol.Code, offset uint32, _ *byte) {
			mu.Lock()
			defer mu.Unlock()
			if offset == 0 {
				codes = append(codes, code)
			}
		})
		return n
	})
	cpp := newCPP(t, addr, "very unlucky", "spoilt", "next")
	cpp.random("spoilt", 100_000)
	content := cpp.random("next", 200_000)
	out := cpp.run(5)
	if got := strings.Count(out, "sending it again"); got != 3 || !strings.Contains(out, "given up") {
		t.Errorf("sent again %d times, not 3:\n%s", got, out)
	}
	want := []protocol.Code{
		1025, 1026, 1028, 1030, 1028, 1030, 1028, 1030, 1028, 1031, // the first file
		1028, 1029, // the second, on the same connection
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(codes, want) {
		t.Errorf("it sent %v, not %v", codes, want)
	}
	p := cpp.owner(c.addr)
	p.gets("next", content)
	p.refused("no backup is named", "restore", "spoilt")
}

// A server that does not know the client answers with 1606; the client
// registers again, with the key it has.
func TestCPPServerWithoutClient(t *testing.T) {
	t.Parallel()
	first, second := newCore(t), newCore(t)
	cpp := newCPP(t, first.addr, "moved", "file")
	content := cpp.random("file", 100_000)
	cpp.run(0)
	before := cpp.meInfo()

	cpp.sends(second.addr, "file")
	if out := cpp.run(0); !strings.Contains(out, "registered moved") {
		t.Errorf("it said:\n%s", out)
	}
	cpp.owner(second.addr).gets("file", content)
	was, is := strings.Split(before, "\n"), strings.Split(cpp.meInfo(), "\n")
	if was[1] == is[1] || was[2] != is[2] {
		t.Error("it has not got another id for the same key")
	}

	// Where the name is somebody else's, it says so.
	cpp.file("me.info", []byte(before))
	if out := cpp.run(4); !strings.Contains(out, "1601") {
		t.Errorf("it said:\n%s", out)
	}
}

// What cannot be done ends with an exit code of its own, and a sentence.
func TestCPPExitCodes(t *testing.T) {
	t.Parallel()
	c := newCore(t)
	cpp := newCPP(t, c.addr, "careless", "missing", "file")
	content := cpp.random("file", 100)
	if out := cpp.run(6); !strings.Contains(out, "missing") {
		t.Errorf("it said:\n%s", out)
	}
	cpp.owner(c.addr).gets("file", content)
	cpp.run(2, "--bogus", "1")
	cpp.file("transfer.info", []byte("one line\n"))
	if out := cpp.run(2); !strings.Contains(out, "three lines") {
		t.Errorf("it said:\n%s", out)
	}
	taken := newCPP(t, c.addr, "careless", "file")
	taken.random("file", 100)
	if out := taken.run(4); !strings.Contains(out, "1601") {
		t.Errorf("it said:\n%s", out)
	}
}

// Every flag is in docs/configuration.md, and no others are.
func TestCPPDocumented(t *testing.T) {
	t.Parallel()
	help := newCPP(t, "nowhere", "nobody").run(0, "--help")
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(text), "\n## coffer-cpp\n")
	part, _, _ = strings.Cut(part, "\n## ")
	flag := regexp.MustCompile(`(?m)^(?:\| ` + "`" + `|  )(--[a-z-]+)`)
	var inHelp, inDocument []string
	for _, m := range flag.FindAllStringSubmatch(help, -1) {
		inHelp = append(inHelp, m[1])
	}
	for _, m := range flag.FindAllStringSubmatch(part, -1) {
		inDocument = append(inDocument, m[1])
	}
	if len(inHelp) < 4 || !slices.Equal(inHelp, inDocument) {
		t.Errorf("help has %v, docs/configuration.md has %v", inHelp, inDocument)
	}
}

// What make cpp-windows built does the same, under wine.
func TestCPPWindows(t *testing.T) {
	program, err := filepath.Abs("../../bin/coffer-cpp.exe")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("there is no bin/coffer-cpp.exe: make cpp-windows builds it")
	}
	if _, err := exec.LookPath("wine"); err != nil {
		t.Skip("there is no wine to run bin/coffer-cpp.exe with")
	}
	c := newCore(t)
	const snowman = "notes/ein schöner ☃ brief.txt"
	cpp := &cppClient{t: t, program: program, wine: true, dir: t.TempDir(), name: "Zoë of Windows"}
	cpp.sends(c.addr, "empty", snowman, "large")
	files := map[string][]byte{
		"empty": cpp.file("empty", nil),
		snowman: cpp.random(snowman, 12_345),
		"large": cpp.random("large", 10<<20),
	}
	for _, run := range []string{"first", "second"} {
		out := cpp.run(0)
		if registered := strings.Contains(out, "registered Zoë"); registered != (run == "first") {
			t.Errorf("the %s run said:\n%s", run, out)
		}
	}
	p := cpp.owner(c.addr)
	for name, content := range files {
		p.gets(name, content)
	}
	cpp.sends(c.addr, "missing")
	cpp.run(6)
}
