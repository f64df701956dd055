package deploy

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// debian is a small Debian in a folder, which packages are installed in.
type debian struct {
	t    *testing.T
	root string
}

func newDebian(t *testing.T) *debian {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "only root makes another system's root")
	}
	bootstrap := tool(t, "debootstrap")
	d := &debian{t: t, root: filepath.Join(t.TempDir(), "root")}
	cmd := exec.CommandContext(t.Context(), bootstrap, "--variant=minbase", "bookworm", d.root)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	if err := syscall.Mount("proc", filepath.Join(d.root, "proc"), "proc", 0, ""); err != nil {
		missing(t, "the packages' scripts need /proc, which cannot be mounted: "+err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(filepath.Join(d.root, "proc"), syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	return d
}

// command is one that runs in the system, as a user.
func (d *debian) command(user string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(d.t.Context(), "chroot", append([]string{"--userspec=" + user, d.root}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "HOME=/root", "LC_ALL=C",
		"COFFER_CORE_SECRET=" + strings.Repeat("5a", 32)}
	cmd.Dir = "/"
	return cmd
}

// must runs a command as root that has to succeed.
func (d *debian) must(args ...string) string {
	d.t.Helper()
	out, err := d.command("root", args...).CombinedOutput()
	if err != nil {
		d.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (d *debian) there(name string) bool {
	_, err := os.Lstat(filepath.Join(d.root, name))
	return !errors.Is(err, fs.ErrNotExist)
}

var packages = []string{"coffer", "coffer-gateway", "coffer-server"}

// What the packages bring, and what is left when they go.
var (
	programsOf = []string{"/usr/bin/coffer", "/usr/bin/coffer-server", "/usr/bin/coffer-gateway", "/usr/share/man/man1/coffer.1.gz",
		"/usr/share/bash-completion/completions/coffer-server", "/usr/lib/systemd/system/coffer-gateway.service"}
	settingsOf = []string{"/etc/coffer/server.env", "/etc/coffer/gateway.env"}
	enabledBy  = []string{"/etc/systemd/system/multi-user.target.wants/coffer-server.service",
		"/etc/systemd/system/multi-user.target.wants/coffer-gateway.service"}
)

// checkPackages checks that a release's packages are installed by apt, work, and
// go again without a trace, except for what was backed up.
func checkPackages(t *testing.T, dist string) {
	t.Helper()
	d := newDebian(t)
	debs, err := filepath.Glob(filepath.Join(dist, "*.deb"))
	if err != nil || len(debs) != len(packages) {
		t.Fatalf("the packages are %q, %v", debs, err)
	}
	install := []string{"apt-get", "install", "-y", "--no-install-recommends"}
	for _, deb := range debs {
		content, err := os.ReadFile(deb)
		if err != nil {
			t.Fatal(err)
		}
		name := "/var/tmp/" + filepath.Base(deb)
		if err := os.WriteFile(filepath.Join(d.root, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
		install = append(install, name)
	}
	d.must(install...)
	d.expect(true, programsOf, settingsOf, enabledBy)
	if out := d.must(append([]string{"dpkg", "--verify"}, packages...)...); strings.Contains(out, "5") {
		t.Errorf("what was installed is not what was packed:\n%s", out)
	}
	d.serve()

	d.must(append([]string{"apt-get", "remove", "-y"}, packages...)...)
	d.expect(false, programsOf)
	d.expect(true, settingsOf)
	d.must(install...)
	d.expect(true, programsOf, settingsOf, enabledBy)
	if out := d.must(append([]string{"apt-get", "purge", "-y"}, packages...)...); !strings.Contains(out, "still in /var/lib/coffer") {
		t.Errorf("nobody is told where the backups are:\n%s", out)
	}
	d.expect(false, programsOf, settingsOf, enabledBy, []string{"/var/lib/coffer-gateway", "/etc/coffer"})
	d.expect(true, []string{"/var/lib/coffer/defensive.db", "/var/lib/coffer/master.key"})
}

// expect checks that files are there, or that they are not.
func (d *debian) expect(there bool, lists ...[]string) {
	d.t.Helper()
	for _, list := range lists {
		for _, name := range list {
			if d.there(name) != there {
				d.t.Errorf("%s: there is %v", name, !there)
			}
		}
	}
}

// serve runs core and gateway as their units do, until a client has backed
// something up and brought it back.
func (d *debian) serve() {
	d.t.Helper()
	clients, internal, web := freeAddr(d.t), freeAddr(d.t), freeAddr(d.t)
	// systemd makes these, for StateDirectory.
	for _, user := range []string{"coffer", "coffer-gateway"} {
		d.must("install", "-d", "-m", "700", "-o", user, "-g", user, "/var/lib/"+user)
	}
	core := d.start("coffer", "/usr/bin/coffer-server", "serve", "--data", "/var/lib/coffer", "--min-free", "1MiB",
		"--listen", clients, "--internal-listen", internal)
	defer core()
	d.await("/usr/bin/coffer-server", "health", "--internal-listen", internal)
	gateway := d.start("coffer-gateway", "/usr/bin/coffer-gateway", "serve", "--listen", web, "--core", internal,
		"--jwt-secret-file", "/var/lib/coffer-gateway/jwt.secret")
	defer gateway()
	d.await("/usr/bin/coffer-gateway", "health", "--url", "http://"+web)
	if out, err := d.command("coffer-gateway", "ls", "/var/lib/coffer").CombinedOutput(); err == nil {
		d.t.Errorf("the gateway sees what the core keeps:\n%s", out)
	}
	d.must("coffer", "register", "--server", clients, "--name", "root", "--rsa-bits", "1024")
	d.must("coffer", "backup", "/etc/passwd")
	if back := d.must("coffer", "-q", "restore", "passwd", "-o", "-"); back != d.must("cat", "/etc/passwd") {
		d.t.Errorf("it came back as:\n%s", back)
	}
}

// start starts a server of the system's and returns what stops it.
func (d *debian) start(user string, args ...string) (stop func()) {
	d.t.Helper()
	cmd := d.command(user, args...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	return func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			d.t.Errorf("stopping %s: %v", args[0], err)
		}
		if err := cmd.Wait(); err != nil {
			d.t.Errorf("%s: %v\n%s", args[0], err, &log)
		}
	}
}

// await waits until a command succeeds.
func (d *debian) await(args ...string) {
	d.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		out, err := d.command("nobody", args...).CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// freeAddr is an address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
