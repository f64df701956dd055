package cut

import (
	"errors"
	"io"
)

// A Reader cuts what another reader reads. It allocates nothing but room for
// chunks.
type Reader struct {
	cutter *Cutter
	src    io.Reader
	scan   scan
	rest   []byte // read beyond the chunk before
	err    error  // of src, once it has come
}

// readAhead is how much is read at once, and so at most in rest.
const readAhead = 256 << 10

// NewReader returns a reader of the chunks of src.
func (c *Cutter) NewReader(src io.Reader) *Reader {
	return &Reader{cutter: c, src: src}
}

// Reset begins another source, with the memory of the one before.
func (r *Reader) Reset(src io.Reader) {
	r.src, r.rest, r.err = src, r.rest[:0], nil
}

// Next appends the next chunk to buf[:0], which it lets grow as the chunk does,
// and returns it: the caller owns it. After the last chunk it returns io.EOF, or
// the error of the source; the content before it then is in no chunk.
func (r *Reader) Next(buf []byte) ([]byte, error) {
	r.scan = scan{}
	chunk := append(buf[:0], r.rest...)
	r.rest = r.rest[:0]
	for {
		if end := r.scan.find(r.cutter, chunk); end > 0 {
			r.rest = append(r.rest, chunk[end:]...)
			return chunk[:end], nil
		}
		if r.err != nil {
			return r.finish(chunk)
		}
		chunk = r.fill(chunk)
	}
}

// finish returns what the source ended with.
func (r *Reader) finish(chunk []byte) ([]byte, error) {
	if errors.Is(r.err, io.EOF) && len(chunk) > 0 {
		return chunk, nil
	}
	return chunk[:0], r.err
}

// fill reads on, into the room that the chunk has.
func (r *Reader) fill(chunk []byte) []byte {
	if len(chunk) == cap(chunk) {
		chunk = grow(chunk)
	}
	room := chunk[len(chunk):min(cap(chunk), len(chunk)+readAhead)]
	n, err := r.src.Read(room)
	r.err = err
	return chunk[:len(chunk)+n]
}

// grow doubles the room for a chunk.
func grow(chunk []byte) []byte {
	larger := make([]byte, len(chunk), max(4<<10, 2*cap(chunk)))
	copy(larger, chunk)
	return larger
}
