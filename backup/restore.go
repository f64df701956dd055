package backup

import (
	"context"
	"fmt"
	"io"
	"os"

	"coffer/client"
	"coffer/protocol"
	"coffer/seal"
)

// RestoreOptions say where a restored file goes.
type RestoreOptions struct {
	Identity *seal.Identity // opens sealed files
	Path     string         // of the file or folder to be made
	Writer   io.Writer      // if not nil: gets the content, a folder as its archive, instead
	// Root, if not nil, is what Path lies in, with slashes: nothing that is
	// restored leads out of it, and folders that are missing are made.
	Root   *os.Root
	Force  bool // replaces what is at Path; what else is in a folder stays
	Delete bool // with Force: also deletes what else is in a folder
	// KeepSetID restores setuid and setgid bits of what was not sealed, which
	// anybody could have made, too.
	KeepSetID bool
	MaxSize   int64 // bounds what is written, in bytes; 0 is no bound
	// Confirm is asked before a folder becomes absurdly large for its archive;
	// nil refuses. A MaxSize takes its place.
	Confirm func(unpacked, archived int64) bool
	// Changed receives what is restored differently than it was backed up.
	Changed func(path, how string)
	// RefuseFolder fails for a folder: the Writer is a terminal, which an
	// archive would only confuse.
	RefuseFolder bool
	Progress     Progress
	Trust
}

// A Restored is a version that was read back, whole and as it was backed up.
type Restored struct {
	*protocol.FileInfo
	Content uint64 // bytes after unsealing; of a folder, those of its tar archive
	Seen    bool   // this machine had sent it, or seen it before
	// Unremembered is why it could not be noted that the version was seen.
	Unremembered error
}

// Info describes a version of a file, 0 for the newest.
func Info(ctx context.Context, session *client.Session, name string, version uint32) (info *protocol.FileInfo, err error) {
	err = session.Do(ctx, func(conn *client.Conn) (err error) {
		info, err = conn.GetFile(ctx, session.Client(), name, version)
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

// Restore restores a version of a file, 0 for the newest. A file or folder
// appears at its place only after all of it was verified. A Writer gets content
// as it arrives; if Restore returns an error, that content cannot be trusted.
// With an Identity, Restore accepts only sealed content, and content that this
// machine sent unsealed.
func Restore(ctx context.Context, session *client.Session, name string, version uint32, opts RestoreOptions) (*Restored, error) {
	return restore(ctx, online{session}, name, version, opts)
}

func restore(ctx context.Context, from origin, name string, version uint32, opts RestoreOptions) (*Restored, error) {
	return inspect(ctx, from, name, version, opts.Trust, func(info *protocol.FileInfo, sent bool) (uint64, error) {
		opts.AcceptUnsealed = opts.AcceptUnsealed || sent
		// What opens with the account's identity was sealed by the account.
		opts.KeepSetID = opts.KeepSetID || sent || info.Format == protocol.FormatSealedFolder
		if opts.Writer != nil && opts.RefuseFolder && IsFolder(info.Format) {
			return 0, ErrIsFolder
		}
		if opts.Writer != nil {
			return pass(ctx, from, info, opts.Identity, opts.AcceptUnsealed, opts.Progress, capWriter(opts.Writer, opts.MaxSize))
		}
		if IsFolder(info.Format) {
			return restoreFolder(ctx, from, info, opts)
		}
		return restoreFile(ctx, from, info, opts)
	})
}

// inspect finds a version, compares it with what was seen, and calls read with
// whether this machine sent it. It remembers what was right. The Restored is
// nil if there was not even an answer of the server.
func inspect(ctx context.Context, from origin, name string, version uint32, trust Trust, read func(info *protocol.FileInfo, sent bool) (uint64, error)) (*Restored, error) {
	info, err := from.info(ctx, name, version)
	if err != nil {
		return nil, trust.missing(name, version, err)
	}
	result := &Restored{FileInfo: info}
	if info.Format == protocol.FormatSnapshot {
		return result, ErrSnapshot
	}
	seen, known, err := trust.check(name, version, info)
	if err != nil {
		return result, err
	}
	result.Seen = known
	if result.Content, err = read(info, known && seen.Sent); err != nil {
		return result, err
	}
	result.Unremembered = trust.remember(version, info, result.Content)
	return result, nil
}

func restoreFile(ctx context.Context, from origin, info *protocol.FileInfo, opts RestoreOptions) (size uint64, err error) {
	to, err := openPlace(opts, false)
	if err != nil {
		return 0, err
	}
	defer to.close()
	if err := to.room(info.OriginalSize); err != nil {
		return 0, err
	}
	err = to.file(func(w io.Writer) error {
		size, err = readStored(ctx, from, info, opts.Identity, opts.AcceptUnsealed, opts.Progress, func(r io.Reader) error {
			_, err := io.CopyBuffer(capWriter(onlyWriter{w}, opts.MaxSize), onlyReader{r}, make([]byte, chunkSize))
			return err
		})
		return err
	})
	return size, err
}

// onlyWriter and onlyReader hide what would choose its own buffer.
type (
	onlyWriter struct{ io.Writer }
	onlyReader struct{ io.Reader }
)

func restoreFolder(ctx context.Context, from origin, info *protocol.FileInfo, opts RestoreOptions) (size uint64, err error) {
	to, err := openPlace(opts, true)
	if err != nil {
		return 0, err
	}
	defer to.close()
	unpacking := seal.UnpackOptions{
		KeepSetID: opts.KeepSetID,
		MaxSize:   opts.MaxSize,
		Confirm:   opts.Confirm,
		Changed:   opts.Changed,
	}
	err = to.folder(ctx, func(root *os.Root) error {
		_, err := readStored(ctx, from, info, opts.Identity, opts.AcceptUnsealed, opts.Progress, func(r io.Reader) error {
			content, err := seal.Unpack(ctx, r, root, unpacking)
			size = uint64(content)
			return err
		})
		return err
	})
	return size, err
}

// Verify reads a version back, 0 for the newest, and checks everything that
// Restore checks: length, padding, checksums, its seal to the end, and that it is
// what was seen. The Restored is nil if the server did not say what there is.
func Verify(ctx context.Context, session *client.Session, name string, version uint32, id *seal.Identity, trust Trust, progress Progress) (*Restored, error) {
	from := online{session}
	return inspect(ctx, from, name, version, trust, func(info *protocol.FileInfo, sent bool) (uint64, error) {
		return pass(ctx, from, info, id, trust.AcceptUnsealed || sent, progress, io.Discard)
	})
}

// pass writes the content as it arrives. It reports 0 as the data of a folder,
// whose archive does not contain the amount.
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

// Each calls f for each file of the client, ordered by name and version: for
// its newest version, or for all.
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
		for i, entry := range page.Files {
			if !follows(m, entry) {
				if i > 0 {
					return fmt.Errorf("%w: a list out of order", client.ErrProtocol)
				}
				return fmt.Errorf("%w: a list that repeats itself", client.ErrProtocol)
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
			return fmt.Errorf("%w: an empty page before the last", client.ErrProtocol)
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
