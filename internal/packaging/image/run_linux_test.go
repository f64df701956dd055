package image

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

// A container is an image as an engine runs it: its root is read-only, its
// volumes are not, and processes run as the image's user.
type container struct {
	t     *testing.T
	image image
	root  string
	env   []string
}

// newContainer mounts an image's root. Volumes begin with what the image has.
func newContainer(t *testing.T, target, tree string, volumes, temporary []string, env ...string) *container {
	t.Helper()
	c := &container{t: t, image: imageOf(t, target), root: t.TempDir()}
	c.env = append(slices.Clone(c.image.env), env...)
	// What is mounted needs a place to be; an engine makes it.
	for _, folder := range temporary {
		if err := os.MkdirAll(filepath.Join(tree, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c.mount(tree, "", "", syscall.MS_BIND, "")
	c.mount("", "", "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY|syscall.MS_NOSUID|syscall.MS_NODEV, "")
	for _, folder := range volumes {
		volume := t.TempDir()
		copied := exec.Command("cp", "-a", filepath.Join(tree, folder)+"/.", volume) // with owners
		if out, err := copied.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		info, err := os.Stat(filepath.Join(tree, folder))
		if err != nil {
			t.Fatal(err)
		}
		owner := info.Sys().(*syscall.Stat_t)
		if err := os.Chown(volume, int(owner.Uid), int(owner.Gid)); err != nil {
			t.Fatal(err)
		}
		c.mount(volume, folder, "", syscall.MS_BIND, "")
	}
	for _, folder := range temporary {
		c.mount("tmpfs", folder, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=1777")
	}
	return c
}

func (c *container) mount(source, folder, kind string, flags uintptr, data string) {
	c.t.Helper()
	target := filepath.Join(c.root, folder)
	if err := syscall.Mount(source, target, kind, flags, data); err != nil {
		const why = "an image is run by root alone, who may mount: "
		if os.Getenv("CI") != "" {
			c.t.Fatal(why, err)
		}
		c.t.Skip(why, err)
	}
	if flags&syscall.MS_REMOUNT == 0 {
		c.t.Cleanup(func() {
			if err := syscall.Unmount(target, syscall.MNT_DETACH); err != nil {
				c.t.Errorf("unmounting: %v", err)
			}
		})
	}
}

// user is who the container's programs run as.
func (c *container) user() (uid, gid uint32) {
	c.t.Helper()
	user, group, _ := strings.Cut(c.image.user, ":")
	u, err := strconv.ParseUint(user, 10, 32)
	if err != nil {
		c.t.Fatal(err)
	}
	g, err := strconv.ParseUint(group, 10, 32)
	if err != nil {
		c.t.Fatal(err)
	}
	return uint32(u), uint32(g)
}

// command is one that runs in the container.
func (c *container) command(ctx context.Context, args ...string) *exec.Cmd {
	c.t.Helper()
	uid, gid := c.user()
	cmd := exec.CommandContext(ctx, "/bin/"+args[0], args[1:]...)
	cmd.Env, cmd.Dir = c.env, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: c.root, Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	return cmd
}

// must runs a command that has to succeed.
func (c *container) must(args ...string) string {
	c.t.Helper()
	out, err := c.command(c.t.Context(), args...).CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// start runs the image as it says itself, until its health check passes, and
// stops it when the test ends.
func (c *container) start() {
	c.t.Helper()
	cmd := c.command(context.Background(), append(slices.Clone(c.image.entry), c.image.command...)...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			c.t.Errorf("stopping %s: %v", cmd, err)
		}
		if err := cmd.Wait(); err != nil {
			c.t.Errorf("%s: %v", cmd, err)
		}
		if c.t.Failed() {
			c.t.Logf("the log:\n%s", &log)
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		out, err := c.command(c.t.Context(), c.image.health...).CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("it is not healthy: %v\n%s", err, out)
		}
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

// runImages runs what was built through health checks, a backup and a restore.
func runImages(t *testing.T, built map[string]string) {
	secret := "COFFER_CORE_SECRET=" + strings.Repeat("5a", 32)
	clients, internal, console, web := freeAddr(t), freeAddr(t), freeAddr(t), freeAddr(t)
	core := newContainer(t, "server", built["server"], []string{"data"}, nil,
		"COFFER_SERVER_LISTEN="+clients, "COFFER_SERVER_INTERNAL_LISTEN="+internal, "COFFER_CONSOLE_LISTEN="+console, "COFFER_SERVER_MIN_FREE=1MiB", secret)
	core.start()
	gateway := newContainer(t, "gateway", built["gateway"], []string{"data"}, []string{"tmp"},
		"COFFER_GATEWAY_CORE="+internal, "COFFER_GATEWAY_LISTEN="+web, secret)
	gateway.start()
	cli := newContainer(t, "cli", built["cli"], []string{"keys"}, []string{"files"}, "COFFER_RSA_BITS=1024")
	cli.must("coffer", "register", "--server", clients, "--name", "contained")
	content := bytes.Repeat([]byte("what is kept\n"), 100_000)
	kept := filepath.Join(cli.root, "files/kept")
	if err := os.WriteFile(kept, content, 0o644); err != nil {
		t.Fatal(err)
	}
	// Restoring the owner of a file of somebody else takes root.
	uid, gid := cli.user()
	if err := os.Chown(kept, int(uid), int(gid)); err != nil {
		t.Fatal(err)
	}
	cli.must("coffer", "backup", "/files/kept")
	cli.must("coffer", "restore", "kept", "-o", "/files/back")
	if back, err := os.ReadFile(filepath.Join(cli.root, "files/back")); err != nil || !bytes.Equal(back, content) {
		t.Errorf("it came back as %d bytes, %v", len(back), err)
	}
	if info, err := os.Stat(filepath.Join(core.root, "data/core/master.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the master key: %v, %v", info, err)
	}
	// The root is read-only to everybody.
	if err := os.WriteFile(filepath.Join(core.root, "bin/another"), nil, 0o600); err == nil {
		t.Error("the image can be written to")
	}
}
