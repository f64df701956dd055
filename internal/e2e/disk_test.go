package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// smallDisk mounts a file system of so many bytes, or returns false where that
// is not permitted.
func smallDisk(t *testing.T, size string) (folder string, ok bool) {
	t.Helper()
	folder = t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+size); err != nil {
		t.Logf("no small disk can be mounted: %v", err)
		return "", false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	return folder, true
}

// fill has a file take size bytes, or as many as there is room for. It takes
// them in one step: what a server gives up when it sees the disk full is left
// to the server.
func fill(t *testing.T, name string, size int64) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for {
		var disk syscall.Statfs_t
		if err := syscall.Fstatfs(int(f.Fd()), &disk); err != nil {
			t.Fatal("reading the free space:", err)
		}
		room := min(size, int64(disk.Bavail)*int64(disk.Bsize))
		if room == 0 {
			return
		}
		err := syscall.Fallocate(int(f.Fd()), 0, 0, room)
		if err == nil {
			return
		}
		if !errors.Is(err, syscall.ENOSPC) { // the server wrote something in between
			t.Fatal("filling the disk:", err)
		}
	}
}

// checkLowSpace checks what has to go on, and what not, while there is little
// space. "one" and "two" are backed up as kept says.
func checkLowSpace(t *testing.T, p *person, kept []byte) {
	t.Helper()
	p.write("new", 1<<20)
	p.refused("no space left", "backup", "new")
	p.write("small", 10)
	p.refused("no space left", "backup", "small")
	p.gets("one", kept)
	p.must("verify", "--all")
	p.must("list", "--json")
	p.must("status")
	p.must("remove", "two", "--yes")
	p.refused("no such file", "restore", "two")
	p.must("key", "export", "--passphrase-file", passphraseFile(t), filepath.Join(t.TempDir(), "keys"))
}

func passphraseFile(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(name, []byte("correct horse battery staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Below --min-free new content is refused, and nothing else; it is served again
// when there is room.
func TestLittleSpace(t *testing.T) {
	t.Parallel()
	if disk, ok := smallDisk(t, "64m"); ok {
		testFillingDisk(t, disk)
	}
	// Where no disk can be mounted, asking for more than there is does as well.
	const more = "1000PiB"
	c := newCore(t)
	p := register(t, c.addr, "crowded")
	kept := p.write("one", 2<<20)
	p.write("two", 10_000)
	p.must("backup", "one")
	p.must("backup", "two")
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	c.restart(t, "--min-free", more)
	checkLowSpace(t, p, kept)
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	c.restart(t)
	p.must("backup", "new")
}

func testFillingDisk(t *testing.T, disk string) {
	t.Helper()
	c := newCore(t, "--data", disk+"/data", "--min-free", "16MiB")
	p := register(t, c.addr, "crowded")
	kept := p.write("one", 4<<20)
	p.write("two", 10_000)
	p.must("backup", "one")
	p.must("backup", "two")

	from := c.log.length()
	fill(t, disk+"/filler", 40<<20)
	c.expect(t, from, "little space is left")
	checkLowSpace(t, p, kept)

	from = c.log.length()
	if err := os.Remove(disk + "/filler"); err != nil {
		t.Fatal(err)
	}
	c.expect(t, from, "there is space again")
	p.must("backup", "new")
	p.must("verify", "--all")
}

// When the disk is full to the last byte, the catalog lives on the reserve.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk, ok := smallDisk(t, "64m")
	if !ok {
		return // TestLittleSpace has tested what can be tested here
	}
	args := []string{"--data", disk + "/data", "--min-free", "12MiB"}
	c := newCore(t, args...)
	p := register(t, c.addr, "full")
	kept := p.write("one", 4<<20)
	p.write("two", 10_000)
	p.must("backup", "one")
	p.must("backup", "two")

	// An upload that does not fit ends with a clear message and leaves nothing.
	p.write("too big", 80<<20)
	from := c.log.length()
	p.refused("no space left", "backup", "too big", "--no-seal")
	c.expect(t, from, "little space is left")
	from = c.log.length()
	p.gets("one", kept)
	p.must("verify", "--all")

	// What that upload took is given back; then somebody else takes all.
	c.expect(t, 0, "there is space again")
	if _, err := os.Stat(disk + "/data/reserve"); err != nil {
		t.Error("there is no reserve again:", err)
	}
	fill(t, disk+"/filler", 1<<30)
	c.expect(t, from, "the reserve file was given up")
	if _, err := os.Stat(disk + "/data/reserve"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the reserve was kept:", err)
	}
	checkLowSpace(t, p, kept)

	// It starts like that, too.
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	c.restart(t, args...)
	p.gets("one", kept)

	from = c.log.length()
	if err := os.Remove(disk + "/filler"); err != nil {
		t.Fatal(err)
	}
	c.expect(t, from, "there is space again")
	p.must("backup", "new")
	p.must("verify", "--all")
}
