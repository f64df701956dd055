package seal

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// nastyTree makes a tree of what real ones hold at their worst.
func nastyTree(t *testing.T) (root string) {
	t.Helper()
	root = filepath.Join(t.TempDir(), "root")
	makeRemovable(t, root)
	mkdir(t, root)
	dir, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()

	names := []string{
		"plain", "with space ", " leading", "new\nline", "tab\there", "quote\"'`", `back\slash`, "C:", "*?", "-rf", "...", "..x",
		"żółć 日本語 🦀", "e\u0301", "é", "\xff\xfe not utf-8", "NUL", "aux.txt", "\x01\x7f", "100%d%s",
		strings.Repeat("n", 99), strings.Repeat("n", 100), strings.Repeat("n", 101), strings.Repeat("n", 255), strings.Repeat("ż", 127),
		"path=evil", "12 path=x",
	}
	for i, name := range names {
		check(t, dir.WriteFile(name, []byte(name), 0o600))
		check(t, dir.Chtimes(name, time.Time{}, time.Unix(1_600_000_000+int64(i), 123_456_789-int64(i))))
	}
	for _, size := range []int{0, 1, 511, 512, 513, copySize - 1, copySize, copySize + 1, 1 << 20} {
		check(t, dir.WriteFile(fmt.Sprintf("size-%d", size), bytes.Repeat([]byte{byte(size), 'x'}, size)[:size], 0o644))
	}

	// Longer than PATH_MAX, so that it can be made and read only step by step.
	deep := strings.Repeat(strings.Repeat("d", 250)+"/", 20) + "end"
	check(t, dir.MkdirAll(deep, 0o755))
	check(t, dir.WriteFile(deep+"/file", []byte("deep"), 0o644))
	check(t, dir.Symlink(strings.Repeat("t", 2000), deep+"/link"))
	check(t, dir.Link(deep+"/file", "hard link to the deep"))

	check(t, dir.Mkdir("links", 0o755))
	for name, target := range map[string]string{
		"dangling": "nowhere", "absolute": "/etc/passwd", "up": "../../..", "self": "self", "file": "../plain",
		"folder": ".", "slash": "/", "long": strings.Repeat("l/", 90) + "x", "newline": "a\nb", "raw": "\xff",
		"odd": "./a//b/../c/",
	} {
		check(t, dir.Symlink(target, "links/"+name))
	}
	check(t, dir.Link("plain", "links/hard"))
	check(t, dir.Link("plain", "zzz hard"))
	check(t, dir.Link("links/dangling", "links/hard link to a link"))
	setTestLinkTime(t, dir, "links/up", time.Unix(1_111_111_111, 222_333_444))

	for _, mode := range []fs.FileMode{
		0, 0o400, 0o200, 0o111, 0o777, 0o640 | fs.ModeSetuid, 0o755 | fs.ModeSetuid | fs.ModeSetgid, 0o600 | fs.ModeSticky,
	} {
		name := fmt.Sprintf("mode %v", mode)
		check(t, dir.WriteFile(name, []byte("mode"), 0o600))
		check(t, dir.Chmod(name, mode))
	}
	for i, mode := range []fs.FileMode{0, 0o500, 0o111, 0o777 | fs.ModeSticky, 0o770 | fs.ModeSetgid, 0o755} {
		name := fmt.Sprintf("folder %v", mode)
		check(t, dir.Mkdir(name, 0o755))
		if i%2 == 0 {
			check(t, dir.WriteFile(name+"/in", []byte("in"), 0o444))
			check(t, dir.Mkdir(name+"/empty", 0o755))
			check(t, dir.Chmod(name+"/empty", mode))
		}
	}
	for name, moment := range map[string]time.Time{
		"before 1970": time.Unix(-1_000_000, 999_999_999), "at 1970": time.Unix(0, 0), "just before": time.Unix(-1, 1),
		"after 2106": time.Unix(5_000_000_000, 1), "whole": time.Unix(1_000_000_000, 0),
	} {
		check(t, dir.WriteFile(name, []byte("time"), 0o644))
		check(t, dir.Chtimes(name, time.Time{}, moment))
	}
	if os.Geteuid() == 0 {
		check(t, dir.Lchown("plain", 12345, 54321))
		check(t, dir.Lchown("links/up", 3_000_000_000, 1))
		check(t, dir.Lchown("folder -rwxr-xr-x", 65534, 65534))
	}
	// Last, since what is made inside a folder changes its time.
	for i, mode := range []fs.FileMode{0, 0o500, 0o111, 0o777 | fs.ModeSticky, 0o770 | fs.ModeSetgid, 0o755} {
		name := fmt.Sprintf("folder %v", mode)
		check(t, dir.Chtimes(name, time.Time{}, time.Unix(1_234_567_890, int64(i+1))))
		check(t, dir.Chmod(name, mode))
	}
	check(t, os.Chtimes(root, time.Time{}, time.Unix(1_300_000_000, 987_654_321)))
	check(t, os.Chmod(root, 0o550))
	return root
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func setTestLinkTime(t *testing.T, dir *os.Root, name string, moment time.Time) {
	t.Helper()
	path := filepath.Join(dir.Name(), name)
	stamp := unix.NsecToTimespec(moment.UnixNano())
	check(t, unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{stamp, stamp}, unix.AT_SYMLINK_NOFOLLOW))
}

func TestRoundTripOfNastyTree(t *testing.T) {
	root := nastyTree(t)
	// A umask that would show in every mode it is not corrected in. No test of
	// this package runs beside another.
	old := unix.Umask(0o027)
	defer unix.Umask(old)
	if os.Geteuid() != 0 {
		// What locks its owner out can be archived by root alone.
		for _, name := range []string{"folder ----------", "folder ---x--x--x", "mode ----------", "mode --w-------", "mode ---x--x--x"} {
			check(t, os.Chmod(filepath.Join(root, name), 0o700))
		}
		for _, name := range []string{"folder ----------", "folder ---x--x--x"} {
			check(t, os.Chmod(filepath.Join(root, name, "empty"), 0o700))
		}
	}
	want := describeTree(t, root)
	dir := roundTrip(t, root, ArchiveOptions{Skipped: func(path, reason string) { t.Errorf("%q: %s", path, reason) }})
	compareTrees(t, describeTree(t, dir), want)
	if len(want) < 100 {
		t.Errorf("the tree has only %d entries", len(want))
	}
}

func TestSpecialFilesAreReported(t *testing.T) {
	root := t.TempDir()
	check(t, unix.Mkfifo(filepath.Join(root, "pipe"), 0o644))
	listener, err := net.Listen("unix", filepath.Join(root, "socket"))
	check(t, err)
	defer listener.Close()
	writeFile(t, filepath.Join(root, "file"), "file")
	var skipped []string
	dir := roundTrip(t, root, ArchiveOptions{Skipped: func(path, reason string) { skipped = append(skipped, path+": "+reason) }})
	if want := []string{"pipe: it is a named pipe", "socket: it is a socket"}; !slices.Equal(skipped, want) {
		t.Errorf("skipped %q, want %q", skipped, want)
	}
	if tree := describeTree(t, dir); len(tree) != 2 {
		t.Errorf("restored %q", tree)
	}
}

func TestMeasureCountsHardLinksOnce(t *testing.T) {
	root := t.TempDir()
	writeFile(t, filepath.Join(root, "a"), "12345")
	check(t, os.Link(filepath.Join(root, "a"), filepath.Join(root, "b")))
	writeFile(t, filepath.Join(root, "c"), "123")
	files, total, err := Measure(t.Context(), root)
	if err != nil || files != 2 || total != 8 {
		t.Errorf("got %d files, %d bytes, %v", files, total, err)
	}
}

// asPerson runs f with the rights of an ordinary user where the tests run as
// root. The thread ends with f, so nothing has to be given back. It relies on
// the package starting no goroutines of its own.
func asPerson(t *testing.T, dirs []string, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	const nobody = 65534
	for _, dir := range dirs {
		check(t, os.Lchown(dir, nobody, nobody))
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread is not used again
		_, err := unix.SetfsgidRetGid(nobody)
		if err == nil {
			_, err = unix.SetfsuidRetUid(nobody)
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	check(t, <-done)
}

// openUp lets everybody reach a temporary folder of the test's.
func openUp(t *testing.T, dir string) {
	t.Helper()
	for ; dir != os.TempDir() && len(dir) > 1; dir = filepath.Dir(dir) {
		check(t, os.Chmod(dir, 0o755))
	}
}

// Folders that nobody may write to, or enter, are restored by an ordinary user.
func TestUnpackLockedFoldersAsPerson(t *testing.T) {
	root := nastyTree(t)
	archive := archiveBytes(t, root, ArchiveOptions{})
	want := describeTree(t, root)
	dir := filepath.Join(t.TempDir(), "dir")
	openUp(t, filepath.Dir(dir))
	makeRemovable(t, dir)
	var err error
	asPerson(t, []string{filepath.Dir(dir)}, func() {
		err = unpackInto(t.Context(), bytes.NewReader(archive), dir, UnpackOptions{IgnoreOwner: true, KeepSetID: true})
	})
	check(t, err)
	withoutOwner := func(tree map[string]string) map[string]string {
		for path, line := range tree {
			fields := strings.SplitN(line, " ", 4)
			tree[path] = strings.Join(slices.Delete(fields, 2, 3), " ")
		}
		return tree
	}
	compareTrees(t, withoutOwner(describeTree(t, dir)), withoutOwner(want))
}

// What cannot be read is left out and named; all else is kept.
func TestUnreadableIsLeftOut(t *testing.T) {
	for _, name := range []string{"file", "folder", "folder/inner"} {
		root := t.TempDir()
		writeFile(t, filepath.Join(root, "file"), "file")
		writeFile(t, filepath.Join(root, "zz"), "zz")
		mkdir(t, filepath.Join(root, "folder"))
		mkdir(t, filepath.Join(root, "folder", "inner"))
		openUp(t, root)
		check(t, os.Chmod(filepath.Join(root, name), 0))
		var buf bytes.Buffer
		var err error
		var skipped []string
		asPerson(t, []string{root, filepath.Join(root, "file"), filepath.Join(root, "zz"), filepath.Join(root, "folder"), filepath.Join(root, "folder", "inner")}, func() {
			err = Archive(t.Context(), root, &buf, ArchiveOptions{Skipped: func(path, reason string) { skipped = append(skipped, path+": "+reason) }})
		})
		check(t, os.Chmod(filepath.Join(root, name), 0o700))
		if err != nil || !slices.Equal(skipped, []string{name + ": permission denied"}) {
			t.Errorf("%s: %v, skipped %q", name, err, skipped)
		}
		dir := filepath.Join(t.TempDir(), "dir")
		check(t, unpackInto(t.Context(), &buf, dir, UnpackOptions{IgnoreOwner: true}))
		for _, other := range []string{"file", "zz", "folder"} {
			if _, err := os.Lstat(filepath.Join(dir, other)); (err == nil) != (other != name) {
				t.Errorf("%s unreadable: %s: %v", name, other, err)
			}
		}
	}
}

// The kernel's own file systems are left out of what holds them, and what is
// asked for inside them neither hangs nor ends a backup.
func TestKernelFileSystems(t *testing.T) {
	root := t.TempDir()
	mkdir(t, filepath.Join(root, "proc"))
	writeFile(t, filepath.Join(root, "zz"), "zz")
	if err := unix.Mount("proc", filepath.Join(root, "proc"), "proc", 0, ""); err == nil {
		defer unix.Unmount(filepath.Join(root, "proc"), unix.MNT_DETACH)
		var skipped []string
		archiveBytes(t, root, ArchiveOptions{Skipped: func(path, reason string) { skipped = append(skipped, path+": "+reason) }})
		if !slices.Equal(skipped, []string{"proc: it is a virtual file system of the kernel (proc)"}) {
			t.Errorf("skipped %q", skipped)
		}
	}
	var changed []string
	dir := filepath.Join(t.TempDir(), "dir")
	makeRemovable(t, dir)
	archive := archiveBytes(t, "/proc/self", ArchiveOptions{Changed: func(path, how string) { changed = append(changed, path+": "+how) }})
	check(t, unpackInto(t.Context(), bytes.NewReader(archive), dir, UnpackOptions{}))
	if content, err := os.ReadFile(filepath.Join(dir, "cmdline")); err != nil || len(content) == 0 {
		t.Errorf("cmdline: %q, %v", content, err)
	}
	if len(changed) > 0 {
		t.Errorf("changed: %.3q", changed)
	}
}

// What no archive keeps is reported once for each kind.
func TestWhatIsNotKeptIsTold(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"a", "b"} {
		path := filepath.Join(root, name)
		writeFile(t, path, "x")
		if err := unix.Setxattr(path, "user.note", []byte("remember"), 0); err != nil {
			t.Skip("no extended attributes here: ", err)
		}
		check(t, os.Truncate(path, 4<<20))
	}
	acl := []byte{2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 1, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
		16, 0, 6, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255}
	want := []string{"extended attributes: a"}
	if unix.Setxattr(filepath.Join(root, "b"), "system.posix_acl_access", acl, 0) == nil {
		want = append(want, "access control lists: b")
	}
	if unix.Setxattr(filepath.Join(root, "b"), "security.capability", []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0) == nil {
		want = append(want, "file capabilities: b")
	}
	want = append(want, lostHoles+": a")
	var got []string
	dir := roundTrip(t, root, ArchiveOptions{NotKept: func(kind, path string) { got = append(got, kind+": "+path) }})
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	for _, name := range []string{"a", "b"} {
		var stat unix.Stat_t
		check(t, unix.Stat(filepath.Join(dir, name), &stat))
		if stat.Size != 4<<20 || stat.Blocks*512 > 64<<10 {
			t.Errorf("%s takes %d bytes of the disk for %d", name, stat.Blocks*512, stat.Size)
		}
	}
}

// Times come back that nanoseconds since 1970 cannot say.
func TestFarTimes(t *testing.T) {
	root := t.TempDir()
	far := map[string]int64{"2300": 10_413_792_000, "1900": -2_208_988_800, "1902": -2_145_916_800, "2400": 13_569_465_600, "1600": -11_676_096_000}
	for name, seconds := range far {
		path := filepath.Join(root, name)
		writeFile(t, path, name)
		mkdir(t, path+" folder")
		for _, path := range []string{path, path + " folder"} {
			stamp := []unix.Timespec{{Sec: seconds, Nsec: 5}, {Sec: seconds, Nsec: 5}}
			check(t, unix.UtimesNanoAt(unix.AT_FDCWD, path, stamp, 0))
		}
	}
	want := describeTree(t, root) // as far as the file system can say them
	compareTrees(t, describeTree(t, roundTrip(t, root, ArchiveOptions{})), want)
}
