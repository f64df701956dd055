package maintain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"coffer/export"
	"coffer/store"
)

// Exported counts what Export wrote.
type Exported struct {
	Versions int
	Bytes    int64 // of ciphertext, that which was there already included
	Present  int   // versions whose content an earlier run had written
	Packs    int   // of snapshots
	Lost     int   // packs that are damaged or missing, and left out
}

// A Listing is what an export asks of the catalog.
type Listing interface {
	ClientByName(ctx context.Context, name string) (store.Client, error)
	List(ctx context.Context, id store.ClientID, after store.Cursor, limit int, all bool) ([]store.Version, error)
	Usage(ctx context.Context, id store.ClientID) (store.Usage, error)
	ListPacks(ctx context.Context, client store.ClientID, after uint32, limit int) ([]store.Pack, error)
	Snapshot(ctx context.Context, client store.ClientID, name string, number uint32) (store.Snapshot, error)
	SnapshotPacks(ctx context.Context, client store.ClientID, name string, number, after uint32, limit int) ([]store.Pack, error)
	Mends(ctx context.Context, client store.ClientID, name string, number uint32) ([]store.Mend, error)
}

// Export writes everything of one client into a folder: see package export. The
// manifest is replaced last and in one step, so there is never half of one;
// contents that an earlier run wrote, whole, are kept. A folder with the export
// of another client is refused. progress, if not nil, receives the progress.
func Export(ctx context.Context, catalog Listing, blobs store.Contents, client, folder string, progress func(done, total int64)) (Exported, error) {
	var done Exported
	c, err := catalog.ClientByName(ctx, client)
	if err != nil {
		return done, fmt.Errorf("finding %q: %w", client, err)
	}
	switch old, err := export.Open(folder); {
	case err == nil && old.Client != client:
		return done, fmt.Errorf("%s is the export of another client, %q", folder, old.Client)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return done, err
	}
	if err := os.MkdirAll(filepath.Join(folder, export.ContentName), 0o700); err != nil {
		return done, err
	}
	usage, err := catalog.Usage(ctx, c.ID)
	if err != nil {
		return done, err
	}
	m := export.Manifest{Format: export.Format, Version: export.Version, Client: c.Name, PublicKey: c.PublicKey,
		Created: time.Now().UTC(), Files: []export.File{}}
	wrote := func(bytes int64) {
		done.Bytes += bytes
		if progress != nil {
			progress(done.Bytes, max(usage.Bytes, done.Bytes))
		}
	}
	packs := packExport{catalog: catalog, blobs: blobs, client: c.ID, folder: folder, lost: make(map[store.PackID]bool), wrote: wrote}
	if err := packs.all(ctx); err != nil {
		return done, fmt.Errorf("exporting packs: %w", err)
	}
	done.Packs, done.Lost = packs.written, len(packs.lost)
	const page = 1000
	for after, more := (store.Cursor{}), true; more; {
		versions, err := catalog.List(ctx, c.ID, after, page, true)
		if err != nil {
			return done, fmt.Errorf("listing the files: %w", err)
		}
		for _, v := range versions {
			written, err := exportContent(ctx, blobs, v, folder)
			if err != nil {
				return done, fmt.Errorf("exporting version %d of %q: %w", v.Number, v.Name, err)
			}
			file := exported(v)
			if file.Snapshot, err = packs.snapshot(ctx, v); err != nil {
				return done, fmt.Errorf("exporting version %d of %q: %w", v.Number, v.Name, err)
			}
			if file.Snapshot != nil {
				m.Version = export.WithSnapshots
			}
			m.Files = append(m.Files, file)
			done.Versions++
			if !written {
				done.Present++
			}
			wrote(v.Size)
			after = store.Cursor{Name: v.Name, Number: v.Number}
		}
		more = len(versions) == page
	}
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return done, err
	}
	return done, writeWhole(filepath.Join(folder, export.ManifestName), bytes.NewReader(append(text, '\n')))
}

func exported(v store.Version) export.File {
	return export.File{Name: v.Name, Version: v.Number, Size: v.Size, OriginalSize: v.OriginalSize, Cksum: v.Cksum,
		SHA256: v.SHA256, Format: v.Format, Verified: v.Verified, Created: v.Created.UTC(),
		OAEPHash: v.OAEPHash, KeyFingerprint: v.KeyFingerprint, WrappedKey: v.WrappedKey}
}

// exportContent writes a version's ciphertext, unless it is there, whole.
func exportContent(ctx context.Context, blobs store.Contents, v store.Version, folder string) (written bool, err error) {
	return exportBlob(ctx, blobs, v.Blob, v.SHA256, export.ContentPath(folder, v.SHA256))
}

// exportBlob writes a blob, unless it is there, whole.
func exportBlob(ctx context.Context, blobs store.Contents, ref store.BlobRef, want [32]byte, path string) (written bool, err error) {
	if there, err := os.Open(path); err == nil {
		sum := sha256.New()
		_, err := io.Copy(sum, interruptible{ctx, there})
		there.Close()
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err == nil && [32]byte(sum.Sum(nil)) == want {
			return false, nil
		}
	}
	blob, err := blobs.Open(ctx, ref)
	if err != nil {
		return false, err
	}
	defer blob.Close()
	sum := sha256.New()
	content := io.TeeReader(interruptible{ctx, io.NewSectionReader(blob, 0, blob.Size())}, sum)
	return true, writeWhole(path, &checkedReader{content, func() error {
		if [32]byte(sum.Sum(nil)) != want {
			return store.ErrDamaged
		}
		return nil
	}})
}

// writeWhole writes a file under another name and renames it once it is whole
// and on the disk.
func writeWhole(path string, content io.Reader) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".export-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	if _, err := io.CopyBuffer(struct{ io.Writer }{tmp}, content, make([]byte, 256<<10)); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// A checkedReader asks at the end whether what was read is right.
type checkedReader struct {
	r     io.Reader
	check func() error
}

func (c *checkedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err == io.EOF {
		if wrong := c.check(); wrong != nil {
			return n, wrong
		}
	}
	return n, err
}

// interruptible reads until a context ends.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}
