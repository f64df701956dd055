package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"coffer/client"
	"coffer/protocol"
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
	p.refused("no backup is named", "restore", "two")
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
	p.refused("no space left", "backup", "too big", "--no-seal")
	if _, err := os.Stat(disk + "/data/reserve"); err != nil {
		t.Error("it took the reserve:", err)
	}
	p.gets("one", kept)
	p.must("verify", "--all")

	// Then somebody else takes all.
	from := c.log.length()
	fill(t, disk+"/filler", 1<<30)
	c.expect(t, from, "released the reserve file")
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

// freeBytes is what the disk that a folder is on has free.
func freeBytes(t *testing.T, folder string) int64 {
	t.Helper()
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		t.Fatal(err)
	}
	return int64(disk.Bavail) * int64(disk.Bsize)
}

// takeAll leaves not one byte of the disk, whatever the server gives up or
// writes meanwhile. It makes a file for each time that there was some.
func takeAll(t *testing.T, folder string) {
	t.Helper()
	for freeBytes(t, folder) > 0 {
		f, err := os.CreateTemp(folder, "filler-*")
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		fill(t, f.Name(), 1<<30)
	}
}

// floods uploads without end, to see itself refused while the disk has what
// belongs to the others.
func floods(t *testing.T, u *uploader) (sent int) {
	t.Helper()
	piece := randomBytes(1, 1<<20)
	err := u.session.Do(t.Context(), func(conn *client.Conn) error {
		for n := 0; ; n++ {
			begun, err := conn.BeginUpload(t.Context(), u.id, protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Name: fmt.Sprint("flood ", n)})
			for packet := uint32(1); err == nil && packet <= 4; packet++ {
				if _, err = conn.UploadPacket(t.Context(), u.id, protocol.UploadPacket{Upload: begun.Upload, Number: packet}, piece); err == nil {
					sent += len(piece)
				}
			}
			if err != nil {
				return err
			}
		}
	})
	if !client.IsStatus(err, protocol.StatusNoSpace) {
		t.Fatalf("after %d bytes: %v", sent, err)
	}
	return sent
}

// registers takes names until there is no room for more.
func registers(t *testing.T, addr string) (taken int) {
	t.Helper()
	conn, err := client.Dial(t.Context(), addr, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for ; taken < 20_000; taken++ {
		if _, err := conn.Register(t.Context(), fmt.Sprint("newcomer ", taken)); err != nil {
			return taken
		}
	}
	t.Fatal("no end of registrations")
	return taken
}

// Newcomers fill what they may, then others take the disk's last byte, again
// and again. Beside them the owner lists, restores, reconnects and removes; the
// core starts; the operator removes; and there is space again.
func TestFloodedDisk(t *testing.T) {
	t.Parallel()
	disk, ok := smallDisk(t, "64m")
	if !ok {
		return
	}
	const minFree = 16 << 20
	args := []string{"--min-free", fmt.Sprint(minFree), "--registration-rate", "0", "--scrub-interval", "0"}
	o := newOperator(t, append(args, "--data", disk+"/data")...)
	c := o.core
	args = append(args, "--data", disk+"/data", "--console-listen", strings.TrimPrefix(o.url, "http://"))
	p := register(t, c.addr, "owner")
	kept := p.write("one", 1<<20)
	small := p.write("small", 1000)
	p.write("two", 10_000)
	p.write("three", 2<<20)
	p.must("backup", "one", "--no-seal")
	p.must("backup", "small")
	p.must("backup", "two")
	p.must("backup", "three", "--archive") // packs of snapshots go with a sweep only

	u := newUploader(t, c.addr, 1)
	sent := floods(t, u)
	taken := registers(t, c.addr)
	if left := freeBytes(t, disk); left < minFree-(1<<20) {
		t.Errorf("newcomers left %d bytes", left)
	}
	if _, err := os.Stat(disk + "/data/reserve"); err != nil {
		t.Error("newcomers took the reserve:", err)
	}
	t.Logf("newcomers: %d MiB sent, %d names, %d MiB left", sent>>20, taken, freeBytes(t, disk)>>20)

	works := func(when string) {
		t.Helper()
		takeAll(t, disk)
		t.Logf("%s: %d bytes free", when, freeBytes(t, disk))
		p.must("list", "--json")
		p.gets("one", kept)
		p.gets("small", small)
		p.must("status")
		p.refused("no space left", "backup", "small")
		if floods(t, u) > 0 {
			t.Error(when, "a newcomer's upload was taken")
		}
		if registers(t, c.addr) > 0 {
			t.Error(when, "a newcomer was registered")
		}
	}
	c.kill()
	takeAll(t, disk)
	c.restart(t, args...)
	if _, err := os.Stat(disk + "/data/reserve"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the reserve was kept:", err)
	}
	works("killed and started")

	c.kill()
	takeAll(t, disk)
	c.restart(t, args...)
	works("without a reserve")
	p.must("remove", "two", "--yes")
	takeAll(t, disk)
	before := freeBytes(t, disk)
	p.must("remove", "three", "--yes")
	if gained := freeBytes(t, disk) - before; gained < 1<<20 {
		t.Errorf("removing 2 MiB gave %d bytes back", gained)
	}

	works("removed")
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	takeAll(t, disk)
	c.restart(t, args...)
	works("stopped and started")

	from := c.log.length()
	before = freeBytes(t, disk)
	o.must(204, "DELETE", "/api/clients/"+url.PathEscape(u.name)+"?confirm="+url.QueryEscape(u.name), nil, nil)
	gained := freeBytes(t, disk) - before
	if gained < int64(sent)/2 {
		t.Errorf("the operator's removal gave %d of %d bytes back", gained, sent)
	}
	t.Logf("the operator's removal gave %d MiB back", gained>>20)
	c.expect(t, from, "there is space again")
	p.write("new", 1<<20)
	p.must("backup", "new")
	p.must("verify", "--all")
	c.kill()
	c.restart(t, args...)
	p.must("verify", "--all")
}
