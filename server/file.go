package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"time"

	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/store"
)

// files are the versions that clients have stored.
type files struct {
	catalog fileCatalog
	blobs   fileBlobs
	sweeper *sweeper
	journal *journal
	log     *slog.Logger
}

// A fileCatalog is what files ask of the catalog.
type fileCatalog interface {
	Version(ctx context.Context, id store.ClientID, name string, number uint32) (store.Version, error)
	List(ctx context.Context, id store.ClientID, after store.Cursor, limit int, all bool) ([]store.Version, error)
	Remove(ctx context.Context, id store.ClientID, name string, number uint32) ([]store.BlobRef, error)
}

// fileBlobs are what files ask of the blobs.
type fileBlobs interface {
	blobRemover
	Open(ctx context.Context, ref store.BlobRef) (store.Blob, error)
}

func fileError(err error) error {
	if errors.Is(err, store.ErrNoFile) {
		return refuse(protocol.StatusNotFound, "no such file, or not that version of it")
	}
	return err
}

func fileEntry(v store.Version) protocol.FileEntry {
	return protocol.FileEntry{Version: v.Number, Size: uint64(v.Size), OriginalSize: uint64(v.OriginalSize), Cksum: v.Cksum,
		SHA256: v.SHA256, Format: protocol.Format(v.Format), Verified: v.Verified, Created: v.Created, Name: v.Name}
}

func (fs *files) list(ctx context.Context, r *request, m *protocol.ListFiles) (protocol.Message, error) {
	if m.Limit == 0 || m.Limit > protocol.MaxListFiles {
		return nil, refuse(protocol.StatusInvalid, "limit: from 1 to 1000")
	}
	after := store.Cursor{Name: m.AfterName, Number: m.AfterVersion}
	if m.Only != "" && after.Name != m.Only {
		after = store.Cursor{Name: m.Only, Number: math.MaxUint32}
	}
	limit := int(m.Limit)
	versions, err := fs.catalog.List(ctx, r.client, after, limit+1, m.AllVersions || m.Only != "")
	if err != nil {
		return nil, err
	}
	list := &protocol.FileList{}
	for _, v := range versions {
		if m.Only != "" && v.Name != m.Only {
			break
		}
		if len(list.Files) == limit {
			list.More = true
			break
		}
		list.Files = append(list.Files, fileEntry(v))
	}
	return list, nil
}

func (fs *files) get(ctx context.Context, r *request, m *protocol.GetFile) (protocol.Message, error) {
	v, err := fs.catalog.Version(ctx, r.client, m.Name, m.Version)
	if err != nil {
		return nil, fileError(err)
	}
	hash, err := crypt.ParseOAEPHash(v.OAEPHash)
	if err != nil {
		return nil, err
	}
	return &protocol.FileInfo{FileEntry: fileEntry(v), OAEPHash: wireHash(hash), KeyFingerprint: v.KeyFingerprint, WrappedKey: v.WrappedKey}, nil
}

// A readBuffer is what a connection that reads a file keeps, for as long as its
// peer takes. It is small, since a peer may take its time, and its content is
// ciphertext.
type readBuffer [64 << 10]byte

// readFile sends a range of a file's ciphertext itself, in pieces, and so
// leaves nothing to respond.
func (c *conn) readFile(ctx context.Context, r *request, m *protocol.ReadFile) (protocol.Message, error) {
	v, err := c.s.files.catalog.Version(ctx, r.client, m.Name, m.Version)
	if err != nil {
		return nil, fileError(err)
	}
	if m.Offset > uint64(v.Size) {
		return nil, refuse(protocol.StatusInvalid, "offset: beyond the end of the file")
	}
	blob, err := c.s.files.blobs.Open(ctx, v.Blob)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	length := min(uint64(v.Size)-m.Offset, protocol.MaxReadFile)
	if m.Length > 0 {
		length = min(length, uint64(m.Length))
	}
	c.restoring.begin(v.Blob)
	head := &protocol.FileContent{Version: v.Number, Size: uint64(v.Size), Offset: m.Offset}
	if err := c.sendRange(r, head, blob, m.Offset, length); err != nil {
		return nil, err
	}
	c.restored(ctx, r, &v, m.Offset+length)
	return nil, nil
}

// sendRange sends an answer whose content is a range of a blob, in pieces.
func (c *conn) sendRange(r *request, head protocol.Message, blob store.Blob, offset, length uint64) error {
	b := c.s.intake.readers.Get().(*readBuffer)
	defer c.s.intake.readers.Put(b)
	out := protocol.AppendResponse(b[:0], head, uint32(length))
	content := io.NewSectionReader(blob, int64(offset), int64(length))
	for left := int64(length); ; {
		if c.s.suspended.has(r.client) {
			return lostError{errSuspended} // half way there is no other answer
		}
		// The head goes out with the first piece.
		n := min(left, int64(len(b)-len(out)))
		if _, err := io.ReadFull(content, b[len(out):][:n]); err != nil {
			c.s.log.Error("a blob ends early or cannot be read", "client", r.client, "error", err)
			c.s.journal.noteError(r.from.address, r.client, "the blob of a file ends early or cannot be read; a scrub tells more")
			return lostError{err}
		}
		if err := c.write(b[:int64(len(out))+n]); err != nil {
			return err
		}
		if left -= n; left == 0 {
			return nil
		}
		out = out[:0]
	}
}

// restoring is the file that is being read on a connection, in ranges.
type restoring struct {
	blob  store.BlobRef
	began time.Time
	noted bool // the whole version was read, and noted as an activity
}

func (r *restoring) begin(blob store.BlobRef) {
	if r.blob != blob {
		*r = restoring{blob: blob, began: time.Now()}
	}
}

// restored notes a restore once a file is read to its end. What is read of a
// snapshot here is its manifest alone, and for other reasons, too.
func (c *conn) restored(ctx context.Context, r *request, v *store.Version, upTo uint64) {
	if upTo < uint64(v.Size) || c.restoring.noted || protocol.Format(v.Format) == protocol.FormatSnapshot {
		return
	}
	c.restoring.noted = true
	c.s.journal.note(store.Activity{Address: r.from.address, Kind: store.ActivityRestore, Outcome: store.OutcomeOK, Client: v.Client, Name: c.s.journal.nameOf(ctx, v.Client),
		File: v.Name, Version: v.Number, Bytes: v.Size, Took: time.Since(c.restoring.began)})
}

func (fs *files) remove(ctx context.Context, r *request, m *protocol.DeleteFile) (protocol.Message, error) {
	dropped, err := fs.catalog.Remove(ctx, r.client, m.Name, m.Version)
	if err != nil {
		return nil, fileError(err)
	}
	removeBlobs(ctx, fs.blobs, fs.log, dropped)
	fs.sweeper.poke()
	fs.log.Info("file removed", "client", r.client, "versions", len(dropped))
	fs.journal.note(store.Activity{Address: r.from.address, Kind: store.ActivityRemoval, Outcome: store.OutcomeOK, Client: r.client, Name: fs.journal.nameOf(ctx, r.client),
		File: m.Name, Version: m.Version, Detail: plural(len(dropped), "version", "versions")})
	return &protocol.Done{}, nil
}
