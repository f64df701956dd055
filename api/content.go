package api

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"

	"coffer/api/contract"
	"coffer/internal/content"
	"coffer/internal/httpkit"
	"coffer/internal/problem"
	"coffer/protocol"
)

// contentPiece is how much of a file is asked of the core at once. In between
// no connection is held: a slow caller costs memory alone, and the core may
// restart under a download.
const contentPiece = 1 << 20

// GetFileContent sends a file's ciphertext: GET
// /api/v1/files/{filename}/content.
func (g *Gateway) GetFileContent(w http.ResponseWriter, r *http.Request, filename contract.PathFilename, params contract.GetFileContentParams) {
	id, err := g.identify(r, nil)
	if err != nil {
		g.answers.Fail(w, r, err)
		return
	}
	info, err := g.fileInfo(r.Context(), id, filename, params.Version)
	if err != nil {
		g.answers.Fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", httpkit.TypeOctets)
	h.Set("ETag", etag(info))
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(info.Name)}))
	size := int64(info.Size)
	content.Serve(w, r, info.Created, size, &remoteFile{size: size, read: func(offset int64, p []byte) error {
		m := protocol.ReadFile{Version: info.Version, Name: info.Name, Offset: uint64(offset), Length: uint32(len(p))}
		return g.core.ReadFile(r.Context(), id, m, p)
	}}, func(status int) { g.answers.Fail(w, r, notServed(status)) })
}

// notServed is the problem of a request whose range, or precondition, content
// cannot be served by.
func notServed(status int) *problem.Problem {
	if status == http.StatusPreconditionFailed {
		return notMet()
	}
	return problem.New(problem.Range, "Range: beyond the end of the file, not a range, or too many of them")
}

// etag is a version's entity tag.
func etag(info *protocol.FileInfo) string { return `"` + hex.EncodeToString(info.SHA256[:]) + `"` }

// notMet is the problem of a request whose precondition is not met.
func notMet() *problem.Problem {
	return problem.New(problem.Precondition, "the file is not what the request's precondition says")
}

// A remoteFile reads one version of a file, or a pack, from the core, a piece at
// a time.
type remoteFile struct {
	size int64
	read func(offset int64, p []byte) error // reads all of p

	at    int64
	piece []byte // what is at hand, from at on
	buf   []byte
}

// Seek moves to where the next Read begins.
func (f *remoteFile) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		offset += f.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	if offset != f.at {
		f.at, f.piece = offset, nil
	}
	return offset, nil
}

// Read reads what comes next.
func (f *remoteFile) Read(p []byte) (int, error) {
	if f.at >= f.size {
		return 0, io.EOF
	}
	if len(f.piece) == 0 {
		if err := f.fetch(); err != nil {
			return 0, err
		}
	}
	n := copy(p, f.piece)
	f.piece = f.piece[n:]
	f.at += int64(n)
	return n, nil
}

// fetch gets the next piece.
func (f *remoteFile) fetch() error {
	want := min(contentPiece, f.size-f.at)
	if f.buf == nil {
		f.buf = make([]byte, want)
	}
	p := f.buf[:min(want, int64(len(f.buf)))]
	if err := f.read(f.at, p); err != nil {
		return fmt.Errorf("read the file's content: %w", err)
	}
	f.piece = p
	return nil
}
