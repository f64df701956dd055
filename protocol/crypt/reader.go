package crypt

import "io"

// readSize is how much a reader takes from its source at once, in bytes.
const readSize = 64 << 10

// NewEncryptReader returns a reader of the ciphertext of what r reads. An
// error of r comes after the ciphertext of what was read before it.
func NewEncryptReader(r io.Reader, key SessionKey) io.Reader {
	e := NewEncrypter(key)
	return newReader(r, e.Append, func(dst []byte) ([]byte, error) { return e.Finish(dst), nil })
}

// NewDecryptReader returns a reader of the plaintext of what r reads. In place
// of io.EOF it returns [ErrTruncated] or [ErrPadding] where the ciphertext does
// not end as it should: until io.EOF has come, what was read is not to be
// trusted to be complete.
func NewDecryptReader(r io.Reader, key SessionKey) io.Reader {
	d := NewDecrypter(key)
	return newReader(r, d.Append, d.Finish)
}

// reader passes a source through one direction of the cipher.
type reader struct {
	src    io.Reader
	append func(dst, chunk []byte) []byte
	finish func(dst []byte) ([]byte, error)

	buf   []byte // holds ready
	ready []byte // not yet read
	err   error  // comes after ready
}

func newReader(src io.Reader, append func(dst, chunk []byte) []byte, finish func(dst []byte) ([]byte, error)) *reader {
	// Some room more than what is read, for the block held back before it and
	// for the padding.
	return &reader{src: src, append: append, finish: finish, buf: make([]byte, readSize+2*BlockSize)}
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.ready) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// fill reads once from the source and leaves in ready what comes of it, which
// may be nothing.
func (r *reader) fill() {
	n, err := r.src.Read(r.buf[:readSize])
	r.ready = r.append(r.buf[:0], r.buf[:n])
	r.err = err
	if err == io.EOF {
		if r.ready, err = r.finish(r.ready); err != nil {
			r.err = err
		}
	}
}
