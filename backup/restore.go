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
	Delete   bool           // with Force: also deletes what else is in a folder
	// RefuseFolder fails for a folder: the Writer is a terminal, which an
	// archive would only confuse.
	RefuseFolder bool
	Progress     Progress
	Trust
}

// A Restored is a version that was read back, whole and as it was backed up.
type Restored struct {
	*protocol.FileInfo
	Content uint64 // bytes of the person's own data, a folder's as its archive
	Seen    bool   // this machine had sent it, or seen it before
	// Unremembered is why it could not be noted that the version was seen.
	Unremembered error
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
// Where there is an Identity, only what is sealed is taken, or what this machine
// sent unsealed.
func Restore(ctx context.Context, session *client.Session, name string, version uint32, opts RestoreOptions) (*Restored, error) {
	return restore(ctx, online{session}, name, version, opts)
}

func restore(ctx context.Context, from origin, name string, version uint32, opts RestoreOptions) (*Restored, error) {
	return inspect(ctx, from, name, version, opts.Trust, func(info *protocol.FileInfo, unsealed bool) (uint64, error) {
		opts.AcceptUnsealed = unsealed
		if opts.Writer != nil && opts.RefuseFolder && IsFolder(info.Format) {
			return 0, ErrIsFolder
		}
		if opts.Writer != nil {
			return pass(ctx, from, info, opts.Identity, unsealed, opts.Progress, opts.Writer)
		}
		if err := checkPlace(opts, IsFolder(info.Format)); err != nil {
			return 0, err
		}
		if IsFolder(info.Format) {
			return restoreFolder(ctx, from, info, opts)
		}
		return restoreFile(ctx, from, info, opts)
	})
}

// inspect finds a version, holds it against what was seen, and lets read read
// it. What was found right is remembered. The Restored is nil if not even the
// server's answer was to be had.
func inspect(ctx context.Context, from origin, name string, version uint32, trust Trust, read func(info *protocol.FileInfo, unsealed bool) (uint64, error)) (*Restored, error) {
	info, err := from.info(ctx, name, version)
	if err != nil {
		return nil, trust.missing(name, version, err)
	}
	result := &Restored{FileInfo: info}
	seen, known, err := trust.check(name, version, info)
	if err != nil {
		return result, err
	}
	result.Seen = known
	if result.Content, err = read(info, trust.AcceptUnsealed || known && seen.Sent); err != nil {
		return result, err
	}
	result.Unremembered = trust.remember(version, info, result.Content)
	return result, nil
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

func restoreFile(ctx context.Context, from origin, info *protocol.FileInfo, opts RestoreOptions) (size uint64, err error) {
	dir, base := filepath.Split(opts.Path)
	tmp, err := os.CreateTemp(filepath.Clean(dir+"."), "."+shorten(base)+".coffer-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	size, err = readStored(ctx, from, info, opts.Identity, opts.AcceptUnsealed, opts.Progress, func(r io.Reader) error {
		_, err := io.CopyBuffer(tmp, r, make([]byte, chunkSize))
		return err
	})
	if err != nil {
		return 0, err
	}
	if err := tmp.Sync(); err != nil {
		return 0, err
	}
	if err := tmp.Close(); err != nil {
		return 0, err
	}
	if err := refuseExisting(opts); err != nil {
		return 0, err
	}
	return size, os.Rename(tmp.Name(), opts.Path)
}

func restoreFolder(ctx context.Context, from origin, info *protocol.FileInfo, opts RestoreOptions) (size uint64, err error) {
	dir, base := filepath.Split(filepath.Clean(opts.Path))
	tmp, err := os.MkdirTemp(filepath.Clean(dir+"."), "."+shorten(base)+".coffer-*")
	if err != nil {
		return 0, err
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
	size, err = readStored(ctx, from, info, opts.Identity, opts.AcceptUnsealed, opts.Progress, func(r io.Reader) error {
		return seal.Unpack(ctx, r, made, seal.UnpackOptions{})
	})
	if err == nil {
		size, err = measure(ctx, made)
	}
	if err != nil {
		return 0, err
	}
	if err := refuseExisting(opts); err != nil {
		return 0, err
	}
	if !opts.Force {
		return size, rename(made, opts.Path)
	}
	old := filepath.Join(tmp, "old")
	if err := rename(opts.Path, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if err := rename(made, opts.Path); err != nil {
		if back := rename(old, opts.Path); back != nil {
			keep = true
			return 0, fmt.Errorf("%w; what was there before is now %s", errors.Join(err, back), old)
		}
		return 0, err
	}
	return size, nil
}

// measure is how much content a folder has.
func measure(ctx context.Context, folder string) (uint64, error) {
	_, size, err := seal.Measure(ctx, folder)
	return uint64(max(size, 0)), err
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
// Restore checks: length, padding, checksums, its seal to the end, and that it is
// what was seen. The Restored is nil if the server did not say what there is.
func Verify(ctx context.Context, session *client.Session, name string, version uint32, id *seal.Identity, trust Trust, progress Progress) (*Restored, error) {
	from := online{session}
	return inspect(ctx, from, name, version, trust, func(info *protocol.FileInfo, unsealed bool) (uint64, error) {
		return pass(ctx, from, info, id, unsealed, progress, io.Discard)
	})
}

// pass writes the content as it comes. How much data there is in a folder its
// archive does not tell: that is 0.
func pass(ctx context.Context, from origin, info *protocol.FileInfo, id *seal.Identity, unsealed bool, progress Progress, to io.Writer) (uint64, error) {
	size, err := readStored(ctx, from, info, id, unsealed, progress, func(r io.Reader) error {
		_, err := io.Copy(to, r)
		return err
	})
	if IsFolder(info.Format) {
		size = 0
	}
	return size, err
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
			if !follows(m, entry) {
				return fmt.Errorf("%w: a list that goes round in circles", client.ErrProtocol)
			}
			m.AfterName, m.AfterVersion = entry.Name, entry.Version
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
	}
}

// follows reports whether an entry has its place behind the last one that was
// listed, so that a list ends at some time.
func follows(m protocol.ListFiles, entry protocol.FileEntry) bool {
	if entry.Version == 0 {
		return false
	}
	return entry.Name > m.AfterName || m.AllVersions && entry.Name == m.AfterName && entry.Version < m.AfterVersion
}
