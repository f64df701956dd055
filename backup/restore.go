package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"coffer/client"
	"coffer/protocol"
	"coffer/seal"
)

// RestoreOptions say where a restored file goes.
type RestoreOptions struct {
	Identity *seal.Identity // opens sealed files
	Path     string         // of the file or folder to be made
	Writer   io.Writer      // if not nil: gets the content, a folder as its archive, instead
	Force    bool           // replaces what is at Path
	Progress Progress
}

// Info describes a version of a file, 0 for the newest.
func Info(ctx context.Context, session *client.Session, name string, version uint32) (info *protocol.FileInfo, err error) {
	err = session.Do(ctx, func(conn *client.Conn) (err error) {
		info, err = conn.AskFile(ctx, session.Client(), name, version)
		return err
	})
	return info, err
}

// IsFolder reports whether a version is a folder.
func IsFolder(f protocol.Format) bool {
	return f == protocol.FormatFolder || f == protocol.FormatSealedFolder
}

// IsSealed reports whether a version was sealed by a client of Coffer's.
func IsSealed(f protocol.Format) bool {
	return f == protocol.FormatSealedFile || f == protocol.FormatSealedFolder
}

// Restore brings a version of a file back, 0 for the newest. At the place of a
// file or folder nothing appears before all of it was checked; a Writer gets
// content as it comes and is told by the error that it is not to be trusted.
func Restore(ctx context.Context, session *client.Session, name string, version uint32, opts RestoreOptions) (*protocol.FileInfo, error) {
	return restore(ctx, online{session}, name, version, opts)
}

func restore(ctx context.Context, from origin, name string, version uint32, opts RestoreOptions) (*protocol.FileInfo, error) {
	info, err := from.info(ctx, name, version)
	if err != nil {
		return nil, err
	}
	if opts.Writer != nil {
		return info, readStored(ctx, from, info, opts.Identity, opts.Progress, func(r io.Reader) error {
			_, err := io.Copy(opts.Writer, r)
			return err
		})
	}
	if err := refuseExisting(opts); err != nil {
		return nil, err
	}
	if IsFolder(info.Format) {
		return info, restoreFolder(ctx, from, info, opts)
	}
	return info, restoreFile(ctx, from, info, opts)
}

func refuseExisting(opts RestoreOptions) error {
	if opts.Force {
		return nil
	}
	switch _, err := os.Lstat(opts.Path); {
	case err == nil:
		return fmt.Errorf("%s: %w", opts.Path, ErrExists)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	default:
		return err
	}
}

func restoreFile(ctx context.Context, from origin, info *protocol.FileInfo, opts RestoreOptions) (err error) {
	dir, base := filepath.Split(opts.Path)
	tmp, err := os.CreateTemp(filepath.Clean(dir+"."), "."+shorten(base)+".coffer-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	err = readStored(ctx, from, info, opts.Identity, opts.Progress, func(r io.Reader) error {
		_, err := io.CopyBuffer(tmp, r, make([]byte, chunkSize))
		return err
	})
	if err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := refuseExisting(opts); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), opts.Path)
}

func restoreFolder(ctx context.Context, from origin, info *protocol.FileInfo, opts RestoreOptions) (err error) {
	dir, base := filepath.Split(filepath.Clean(opts.Path))
	tmp, err := os.MkdirTemp(filepath.Clean(dir+"."), "."+shorten(base)+".coffer-*")
	if err != nil {
		return err
	}
	keep := false
	defer func() {
		if keep {
			return
		}
		if removeErr := removeAll(tmp); err == nil {
			err = removeErr
		}
	}()
	made := filepath.Join(tmp, "new")
	err = readStored(ctx, from, info, opts.Identity, opts.Progress, func(r io.Reader) error {
		return seal.Unpack(ctx, r, made, seal.UnpackOptions{})
	})
	if err != nil {
		return err
	}
	if err := refuseExisting(opts); err != nil {
		return err
	}
	if !opts.Force {
		return rename(made, opts.Path)
	}
	old := filepath.Join(tmp, "old")
	if err := rename(opts.Path, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := rename(made, opts.Path); err != nil {
		if back := rename(old, opts.Path); back != nil {
			keep = true
			return fmt.Errorf("%w; what was there before is now %s", errors.Join(err, back), old)
		}
		return err
	}
	return nil
}

// rename moves a file or folder. A folder that its owner may not write can be
// moved only while he may: its entry for its parent changes.
func rename(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if !info.IsDir() || info.Mode().Perm()&0o200 != 0 {
		return os.Rename(from, to)
	}
	if err := os.Chmod(from, info.Mode()|0o200); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return os.Chmod(to, info.Mode())
}

// removeAll removes a tree, folders that cannot be written included.
func removeAll(root string) error {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return nil // what cannot be looked into is for RemoveAll to report
	})
	return errors.Join(err, os.RemoveAll(root))
}

// shorten leaves room in a file name for what stands around it.
func shorten(base string) string {
	if len(base) > 100 {
		return "restored"
	}
	return base
}

// Verify reads a version back, 0 for the newest, and checks everything that
// Restore checks: length, padding, checksum, and its seal to the end.
func Verify(ctx context.Context, session *client.Session, name string, version uint32, id *seal.Identity, progress Progress) (*protocol.FileInfo, error) {
	info, err := Info(ctx, session, name, version)
	if err != nil {
		return nil, err
	}
	return info, readStored(ctx, online{session}, info, id, progress, func(r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
}

// Each calls f for each of the client's files, ordered by name and version:
// the newest version of each, or all.
func Each(ctx context.Context, session *client.Session, allVersions bool, f func(protocol.FileEntry) error) error {
	m := protocol.ListFiles{Limit: protocol.MaxListFiles, AllVersions: allVersions}
	for {
		var page *protocol.FileList
		err := session.Do(ctx, func(conn *client.Conn) (err error) {
			page, err = conn.ListFiles(ctx, session.Client(), m)
			return err
		})
		if err != nil {
			return err
		}
		for _, entry := range page.Files {
			if err := f(entry); err != nil {
				return err
			}
		}
		if !page.More {
			return nil
		}
		if len(page.Files) == 0 {
			return fmt.Errorf("%w: an empty page that is not the last", client.ErrProtocol)
		}
		last := page.Files[len(page.Files)-1]
		m.AfterName, m.AfterVersion = last.Name, last.Version
	}
}
