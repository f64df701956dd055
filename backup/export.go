package backup

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	"coffer/export"
	"coffer/protocol"
)

// RestoreExport is [Restore] from an export, without any server.
func RestoreExport(ctx context.Context, keys Keys, folder *export.Folder, name string, version uint32, opts RestoreOptions) (*Restored, error) {
	return restore(ctx, exported{keys, folder}, name, version, opts)
}

// exported is an export as an origin.
type exported struct {
	Keys
	folder *export.Folder
}

func (e exported) info(_ context.Context, name string, version uint32) (*protocol.FileInfo, error) {
	f, err := e.folder.Find(name, version)
	if err != nil {
		return nil, err
	}
	info := &protocol.FileInfo{
		FileEntry: protocol.FileEntry{Version: f.Version, Size: uint64(f.Size), OriginalSize: uint64(f.OriginalSize), Cksum: f.Cksum,
			SHA256: f.SHA256, Format: protocol.Format(f.Format), Verified: f.Verified, Created: f.Created, Name: f.Name},
		KeyFingerprint: f.KeyFingerprint, WrappedKey: f.WrappedKey, OAEPHash: protocol.OAEPSHA256,
	}
	if f.OAEPHash == "sha1" {
		info.OAEPHash = protocol.OAEPSHA1
	}
	return info, nil
}

func (e exported) content(ctx context.Context, info *protocol.FileInfo, progress Progress) (ciphertext, error) {
	f, err := e.folder.Find(info.Name, info.Version)
	if err != nil {
		return nil, err
	}
	file, err := e.folder.Content(f)
	if err != nil {
		return nil, fmt.Errorf("read the export: %w", err)
	}
	return &exportedContent{ctx: ctx, file: file, sum: sha256.New(), info: info, progress: progress}, nil
}

// exportedContent reads a ciphertext and at its end compares its SHA-256.
type exportedContent struct {
	ctx      context.Context
	file     io.ReadCloser
	sum      hash.Hash
	done     int64
	info     *protocol.FileInfo
	progress Progress
}

func (c *exportedContent) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.file.Read(p)
	c.sum.Write(p[:n])
	c.done += int64(n)
	c.progress.report(Receiving, c.done, int64(c.info.Size))
	if err == io.EOF && [32]byte(c.sum.Sum(nil)) != c.info.SHA256 {
		return n, fmt.Errorf("%w: the export's content does not match its manifest", ErrChecksum)
	}
	return n, err
}

func (c *exportedContent) Close() { c.file.Close() }
