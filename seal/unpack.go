package seal

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"coffer/internal/fileattr"
)

// maxWindow is the largest zstd window that is unpacked, in bytes. Ours have
// [windowSize]; this is what the zstd program makes by default and a bit more.
const maxWindow = 32 << 20

// ErrDamagedArchive: the bytes are no complete archive.
var ErrDamagedArchive = errors.New("the archive is damaged or incomplete")

// UnpackOptions say how an archive is unpacked. Functions are called by the
// goroutine that called [Unpack]; nil is allowed.
type UnpackOptions struct {
	// Progress receives how many bytes of the archive were read so far.
	Progress func(read int64)
	// IgnoreOwner makes the user who unpacks the owner of everything. Without
	// it, root restores the numeric owners in the archive; nobody else can.
	IgnoreOwner bool
	// KeepSetID restores setuid and setgid bits: for archives that the user
	// made. Without it they are left out, and each is reported to Changed.
	KeepSetID bool
	// Changed receives what is restored differently, and how.
	Changed func(path, how string)
	// MaxSize bounds what is unpacked, in bytes; 0 leaves it to the disk and to
	// Confirm.
	MaxSize int64
	// Confirm is asked, once, whether to continue with an archive that becomes
	// absurdly large, beyond [AbsurdRatio]. Without it, and without a MaxSize,
	// such an archive is refused with [ErrAbsurdSize].
	Confirm func(unpacked, archived int64) bool

	free      func() (int64, error) // what the disk has room for; nil asks the system
	plausible int64                 // what any archive may become; 0 is the constant
}

// Unpack restores the archive that r reads, up to io.EOF, into the empty folder
// root, and returns how much content there was, in bytes. It restores modes
// exactly, whatever the umask is, and the modes of folders last, so that a
// read-only folder can be filled; until then only the owner has access to a
// folder. Zeros become holes where the file system has them.
//
// Unpack creates nothing outside root, replaces nothing, and writes through no
// symbolic link, though links may point anywhere: it refuses an archive that
// asks for one of these with [ErrUnsafeArchive]. An archive that is cut short or
// broken is [ErrDamagedArchive]; one that outgrows its bounds is [ErrTooMuch],
// [ErrAbsurdSize] or, before the disk is full, [ErrNoRoom]. Errors of r are
// returned wrapped. After an error, the caller removes what was unpacked.
//
// Memory is bounded by zstd's window and a record for each folder.
func Unpack(ctx context.Context, r io.Reader, root *os.Root, opts UnpackOptions) (size int64, err error) {
	if size, err = unpack(ctx, r, root, opts); err != nil {
		return 0, fmt.Errorf("unpack: %w", err)
	}
	return size, nil
}

func unpack(ctx context.Context, r io.Reader, root *os.Root, opts UnpackOptions) (size int64, err error) {
	names, err := namesIn(root)
	if err != nil {
		return 0, fmt.Errorf("open the folder: %w", err)
	}
	if len(names) > 0 {
		return 0, fmt.Errorf("the folder %q is not empty", root.Name())
	}
	in, err := newTarSource(ctx, r, opts.Progress)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	if opts.plausible == 0 {
		opts.plausible = plausible
	}
	if opts.free == nil {
		opts.free = func() (int64, error) { return FreeSpace(root) }
	}
	u := &unpacker{
		in:      in,
		opts:    opts,
		bounds:  bounds{opts: opts, archived: func() int64 { return in.raw.read }},
		chown:   fileattr.CanChown() && !opts.IgnoreOwner,
		folders: newFolders(root),
		buf:     make([]byte, copySize),
	}
	defer u.folders.close()
	for {
		header, err := in.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
		if err := u.entry(header); err != nil {
			return 0, err
		}
	}
	return u.bounds.contents, u.folders.finish(u.chown)
}

// unpacker makes the entries of one archive.
type unpacker struct {
	in      *tarSource
	opts    UnpackOptions
	bounds  bounds
	chown   bool
	folders *folders
	buf     []byte
}

// entry makes one entry.
func (u *unpacker) entry(header *tar.Header) error {
	name, err := localName(header.Name)
	if err != nil {
		return err
	}
	if err := u.bounds.entry(); err != nil {
		return fmt.Errorf("at %q: %w", header.Name, err)
	}
	u.stripSetID(header)
	if header.Typeflag == tar.TypeDir {
		return u.folders.add(name, header)
	}
	folder, base := split(name)
	if name == "." || header.Name[len(header.Name)-1] == '/' {
		return refuse(header.Name, "has the name of a folder, but is not one")
	}
	dir, err := u.folders.open(folder, header.Name)
	if err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeReg:
		err = u.file(dir, base, header)
	case tar.TypeSymlink:
		err = u.symlink(dir, base, header)
	case tar.TypeLink:
		err = u.hardLink(name, header)
	default:
		return refuse(header.Name, fmt.Sprintf("has the type %q, which is not a file, folder or link", header.Typeflag))
	}
	if errors.Is(err, fs.ErrExist) {
		return refuse(header.Name, "would replace another entry")
	}
	return err
}

func (u *unpacker) file(dir *os.Root, base string, header *tar.Header) error {
	// Exclusive: an existing name is an error, be it a link or a file.
	f, err := dir.OpenFile(base, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make %q: %w", header.Name, err)
	}
	if err := u.fill(f, header); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write %q: %w", header.Name, err)
	}
	return setTime(dir, base, header)
}

// stripSetID takes the bits away that lend a file's owner to who runs it.
func (u *unpacker) stripSetID(header *tar.Header) {
	const setID = 0o6000
	if u.opts.KeepSetID || header.Mode&setID == 0 || header.Typeflag != tar.TypeReg && header.Typeflag != tar.TypeDir {
		return
	}
	header.Mode &^= setID
	if u.opts.Changed != nil {
		u.opts.Changed(header.Name, "without its setuid and setgid bits")
	}
}

// fill gives a new file its content, owner and mode, in this order: both
// writing and a change of owner may take the setuid bit away.
func (u *unpacker) fill(f *os.File, header *tar.Header) error {
	out := fileattr.NewSparseWriter(f)
	for {
		n, readErr := io.ReadFull(u.in, u.buf)
		if err := u.bounds.content(n); err != nil {
			return fmt.Errorf("at %q: %w", header.Name, err)
		}
		written, err := out.Write(u.buf[:n])
		if err != nil {
			return fmt.Errorf("write %q: %w", header.Name, err)
		}
		if err := u.bounds.disk(written); err != nil {
			return fmt.Errorf("at %q: %w", header.Name, err)
		}
		if readErr == io.EOF || readErr == io.ErrUnexpectedEOF {
			break
		}
		if readErr != nil {
			return fmt.Errorf("read %q: %w", header.Name, readErr)
		}
	}
	if err := out.Finish(); err != nil {
		return fmt.Errorf("write %q: %w", header.Name, err)
	}
	if u.chown {
		if err := f.Chown(header.Uid, header.Gid); err != nil {
			return fmt.Errorf("set the owner of %q: %w", header.Name, err)
		}
	}
	if err := f.Chmod(fileMode(header)); err != nil {
		return fmt.Errorf("set the mode of %q: %w", header.Name, err)
	}
	return nil
}

func (u *unpacker) symlink(dir *os.Root, base string, header *tar.Header) error {
	if err := dir.Symlink(header.Linkname, base); err != nil {
		return fmt.Errorf("make the link %q: %w", header.Name, err)
	}
	if u.chown {
		if err := dir.Lchown(base, header.Uid, header.Gid); err != nil {
			return fmt.Errorf("set the owner of %q: %w", header.Name, err)
		}
	}
	if err := fileattr.SetLinkTime(dir, base, header.ModTime); err != nil {
		return fmt.Errorf("set the time of %q: %w", header.Name, err)
	}
	return nil
}

// hardLink gives an entry that was unpacked before another name.
func (u *unpacker) hardLink(name string, header *tar.Header) error {
	target, err := localName(header.Linkname)
	if err != nil {
		return refuse(header.Name, "is a hard link to an invalid path")
	}
	root := u.folders.root
	if folder, _ := split(target); u.folders.named[folder] == nil {
		return refuse(header.Name, "is a hard link into a folder that is not in the archive")
	}
	info, err := root.Lstat(target)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return refuse(header.Name, "is a hard link to a file that is not in the archive")
	}
	if err != nil {
		return fmt.Errorf("examine %q: %w", header.Linkname, err)
	}
	if err := root.Link(target, name); err != nil {
		return fmt.Errorf("make the hard link %q: %w", header.Name, err)
	}
	return nil
}

// setTime sets when something other than a link was last changed.
func setTime(dir *os.Root, name string, header *tar.Header) error {
	if err := fileattr.SetTime(dir, name, header.ModTime); err != nil {
		return fmt.Errorf("set the time of %q: %w", header.Name, err)
	}
	return nil
}

// fileMode is the permissions and the setuid, setgid and sticky bits of an
// entry.
func fileMode(header *tar.Header) fs.FileMode {
	const kept = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	return header.FileInfo().Mode() & kept
}
