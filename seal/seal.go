// Package seal is what happens to a file before the protocol sees it and after
// it came back: a folder becomes one tar+zstd archive, and bytes become an age
// file (age-encryption.org/v1) that only the account's own identity opens, here
// or with the standard age program.
//
// It refuses to unpack an archive that would reach outside its folder, to call
// a sealed file complete before its last byte is authenticated, and to print a
// secret. It knows neither the protocol nor where files are kept.
package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// intro is the first line of every age file, newline included.
const intro = "age-encryption.org/v1\n"

// PrefixSize is how many bytes of a file [IsSealed] needs.
const PrefixSize = len(intro)

// The errors that callers branch on. They come wrapped.
var (
	// ErrNotSealed: the bytes are no age file, or not one of the kind asked for.
	ErrNotSealed = errors.New("not a sealed file")
	// ErrWrongIdentity: the file is sealed for a different identity.
	ErrWrongIdentity = errors.New("sealed for a different identity")
	// ErrTampered: a sealed file was changed or cut short.
	ErrTampered = errors.New("the sealed file was changed or is incomplete")

	errNoIdentity = errors.New("no identity given")
)

// IsSealed reports whether a file is an age file, by its first [PrefixSize]
// bytes or more.
func IsSealed(prefix []byte) bool {
	return bytes.HasPrefix(prefix, []byte(intro))
}

// Seal returns a writer that seals what is written to it and passes it on to
// dst. Only Close makes the file complete, and it leaves dst open; when the
// content could not be written to its end, do not call Close, so that nobody
// takes the file for a whole one.
func Seal(dst io.Writer, id Identity) (io.WriteCloser, error) {
	if id.key == nil {
		return nil, errNoIdentity
	}
	w, err := age.Encrypt(dst, id.recipient)
	if err != nil {
		return nil, fmt.Errorf("begin a sealed file: %w", err)
	}
	return w, nil
}
