package seal

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// Open returns a reader of the content of the sealed file that r reads. It
// fails with [ErrNotSealed], [ErrWrongIdentity] or [ErrTampered]; the reader
// fails with ErrTampered. Each piece of content is authenticated before it is
// handed out, but that nothing is missing is known only when io.EOF has come.
// Errors of r itself are passed on as they are, wrapped.
func Open(r io.Reader, id Identity) (io.Reader, error) {
	if id.key == nil {
		return nil, errNoIdentity
	}
	return open(r, id.key)
}

// open is Open for any kind of age identity.
func open(r io.Reader, id age.Identity) (io.Reader, error) {
	src := &source{r: r}
	buffered := bufio.NewReader(src)
	prefix, err := buffered.Peek(PrefixSize)
	if src.err != nil {
		return nil, fmt.Errorf("read the sealed file: %w", src.err)
	}
	if err != nil || !IsSealed(prefix) {
		return nil, ErrNotSealed
	}
	content, err := age.Decrypt(buffered, id)
	if err != nil {
		return nil, openError(src, err)
	}
	return &opened{content: content, src: src}, nil
}

// openError classifies an error of age: the source's own failure, a file for
// another recipient, or a damaged file.
func openError(src *source, err error) error {
	var noMatch *age.NoIdentityMatchError
	switch {
	case src.err != nil:
		return fmt.Errorf("read the sealed file: %w", src.err)
	case errors.As(err, &noMatch):
		return fmt.Errorf("%w: %w", ErrWrongIdentity, err)
	default:
		return fmt.Errorf("%w: %w", ErrTampered, err)
	}
}

// opened is the content of a sealed file, with errors of this package.
type opened struct {
	content io.Reader
	src     *source
}

func (o *opened) Read(p []byte) (int, error) {
	n, err := o.content.Read(p)
	if err != nil && err != io.EOF {
		err = openError(o.src, err)
	}
	return n, err
}

// source remembers how its reader failed, to distinguish a failure to read from
// bytes that were read and are wrong.
type source struct {
	r   io.Reader
	err error // never io.EOF
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
