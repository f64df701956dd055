package seal

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// maxWindow is the largest zstd window that is unpacked, in bytes. Ours have
// [windowSize]; this is what the zstd program makes by default and a bit more.
const maxWindow = 32 << 20

// ErrDamagedArchive: the bytes are no complete archive.
var ErrDamagedArchive = errors.New("the archive is damaged or incomplete")

// UnpackOptions say how an archive is unpacked.
type UnpackOptions struct {
	// Progress, if not nil, is told how many bytes of the archive were read so
	// far, by the goroutine that called [Unpack].
	Progress func(read int64)
	// IgnoreOwner gives everything to whoever unpacks. Without it the numeric
	// owners in the archive are restored by root, and by nobody else.
	IgnoreOwner bool
}

// Unpack restores the archive that r reads, up to io.EOF, into dir, which is
// made or has to be empty. Modes are exact whatever the umask is, and those of
// folders are set last, so that a read-only folder can be filled; until then
// nobody else can look into a folder.
//
// Nothing is made outside dir, nothing is replaced, and nothing is written
// through a symbolic link, though links may point anywhere: an archive that
// asks for it is refused with [ErrUnsafeArchive]. One that is cut short or
// broken is [ErrDamagedArchive]; errors of r are passed on, wrapped. After an
// error what was unpacked so far is left for the caller to remove.
//
// Memory is bounded by zstd's window and a record for each folder.
func Unpack(ctx context.Context, r io.Reader, dir string, opts UnpackOptions) error {
	if err := unpack(ctx, r, dir, opts); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	return nil
}

func unpack(ctx context.Context, r io.Reader, dir string, opts UnpackOptions) error {
	in, err := newTarSource(ctx, r, opts.Progress)
	if err != nil {
		return err
	}
	defer in.Close()
	root, err := emptyFolder(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	u := &unpacker{
		in:      in,
		chown:   canChown() && !opts.IgnoreOwner,
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
			return err
		}
		if err := u.entry(header); err != nil {
			return err
		}
	}
	return u.folders.finish(u.chown)
}

// emptyFolder opens dir, which it makes if it is not there.
func emptyFolder(dir string) (*os.Root, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make the folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the folder: %w", err)
	}
	names, err := namesIn(root)
	if err == nil && len(names) > 0 {
		err = fmt.Errorf("the folder %q is not empty", dir)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// unpacker makes the entries of one archive.
type unpacker struct {
	in      *tarSource
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
	if header.Typeflag == tar.TypeDir {
		return u.folders.add(name, header)
	}
	folder, base := split(name)
	if name == "." || header.Name[len(header.Name)-1] == '/' {
		return refuse(header.Name, "has the name of a folder and is none")
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
		return refuse(header.Name, fmt.Sprintf("is of the kind %q: no file, folder or link", header.Typeflag))
	}
	if errors.Is(err, fs.ErrExist) {
		return refuse(header.Name, "would replace another one")
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

// fill gives a new file its content, owner and mode, in this order: both
// writing and a change of owner may take the setuid bit away.
func (u *unpacker) fill(f *os.File, header *tar.Header) error {
	for {
		n, readErr := u.in.Read(u.buf)
		if _, err := f.Write(u.buf[:n]); err != nil {
			return fmt.Errorf("write %q: %w", header.Name, err)
		}
		if readErr == io.EOF {
			break
		}
		if readErr != nil {
			return fmt.Errorf("read %q: %w", header.Name, readErr)
		}
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
	if err := setLinkTime(dir, base, header.ModTime); err != nil {
		return fmt.Errorf("set the time of %q: %w", header.Name, err)
	}
	return nil
}

// hardLink gives an entry that was unpacked before another name.
func (u *unpacker) hardLink(name string, header *tar.Header) error {
	target, err := localName(header.Linkname)
	if err != nil {
		return refuse(header.Name, "is a hard link to a place that no entry may have")
	}
	root := u.folders.root
	if folder, _ := split(target); u.folders.named[folder] == nil {
		return refuse(header.Name, "is a hard link into no folder of the archive's")
	}
	info, err := root.Lstat(target)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return refuse(header.Name, "is a hard link to what is no file of the archive's")
	}
	if err != nil {
		return fmt.Errorf("look at %q: %w", header.Linkname, err)
	}
	if err := root.Link(target, name); err != nil {
		return fmt.Errorf("make the hard link %q: %w", header.Name, err)
	}
	return nil
}

// setTime sets when something other than a link was last changed.
func setTime(dir *os.Root, name string, header *tar.Header) error {
	if err := dir.Chtimes(name, time.Time{}, header.ModTime); err != nil {
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
