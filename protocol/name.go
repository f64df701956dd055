package protocol

import (
	"bytes"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrName: a name or file name breaks the rules of docs/protocol.md, Errors.
// The errors that wrap it say which.
var ErrName = errors.New("not an acceptable name")

type nameError string

func (e nameError) Error() string { return string(e) }
func (e nameError) Unwrap() error { return ErrName }

// CheckName reports why name cannot name a client or a file, nil if it can. It
// must be UTF-8, not empty, without control characters, "." or ".." segments
// or backslashes, and not an absolute path. Length is the Field's to check.
func CheckName(name string) error {
	switch {
	case name == "":
		return nameError("the name is empty")
	case !utf8.ValidString(name):
		return nameError("the name is not valid UTF-8")
	case strings.ContainsFunc(name, unicode.IsControl):
		return nameError("the name has a control character")
	case strings.ContainsRune(name, '\\'):
		return nameError("the name has a backslash")
	case strings.HasPrefix(name, "/"):
		return nameError("the name is an absolute path")
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "." || segment == ".." {
			return nameError(`the name has a "." or ".." segment`)
		}
	}
	return nil
}

// A Field is a name as base messages carry it: name[255], text up to the first
// NUL. It keeps all 255 bytes as they came, so that answers can echo them.
type Field [FieldSize]byte

// NewField makes a field of a name of 1 to 254 bytes that passes CheckName.
func NewField(name string) (Field, error) {
	var f Field
	if err := CheckName(name); err != nil {
		return f, err
	}
	if len(name) > MaxName {
		return f, nameError("the name is longer than 254 bytes")
	}
	copy(f[:], name)
	return f, nil
}

// Bytes is the field's content: what stands before the first NUL. It is
// ErrName if there is nothing, or no NUL. The bytes need not be UTF-8.
func (f *Field) Bytes() ([]byte, error) {
	switch n := bytes.IndexByte(f[:], 0); n {
	case -1:
		return nil, nameError("the name does not end within its field of 255 bytes")
	case 0:
		return nil, nameError("the name is empty")
	default:
		return f[:n], nil
	}
}
