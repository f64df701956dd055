package protocol

import (
	"encoding/binary"
	"errors"
	"time"
	"unicode/utf8"
)

// ErrMalformed: a payload is not laid out as its message is.
var ErrMalformed = errors.New("malformed payload")

var le = binary.LittleEndian

// A reader takes values off a payload. Its first error sticks, and whatever is
// read after it is zero.
type reader struct {
	p   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n > len(r.p) {
		r.err = ErrMalformed
		return nil
	}
	b := r.p[:n:n]
	r.p = r.p[n:]
	return b
}

func (r *reader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return le.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return le.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return le.Uint64(b)
	}
	return 0
}

// bool reads 0 or 1; anything else is malformed.
func (r *reader) bool() bool {
	v := r.u8()
	if v > 1 {
		r.err = ErrMalformed
	}
	return v == 1
}

// fill copies the next len(dst) bytes.
func (r *reader) fill(dst []byte) { copy(dst, r.take(len(dst))) }

// bytes reads a u16 length and a copy of that many bytes, at most max.
func (r *reader) bytes(max int) []byte {
	n := int(r.u16())
	if n > max {
		r.err = ErrMalformed
	}
	return append([]byte(nil), r.take(n)...)
}

// text reads bytes that are UTF-8.
func (r *reader) text() string {
	n := int(r.u16())
	if n > maxText {
		r.err = ErrMalformed
	}
	b := r.take(n)
	if !utf8.Valid(b) {
		r.err = ErrMalformed
	}
	return string(b)
}

// time reads microseconds since 1970; 0 is the zero time. The zero time spelled
// out in microseconds is malformed, since it encodes as 0.
func (r *reader) time() time.Time {
	us := int64(r.u64())
	if us == 0 {
		return time.Time{}
	}
	t := time.UnixMicro(us).UTC()
	if t.IsZero() {
		r.err = ErrMalformed
	}
	return t
}

// rest takes a copy of all that is left.
func (r *reader) rest() []byte {
	b := append([]byte(nil), r.p...)
	r.p = nil
	return b
}

// end returns the first error, ErrMalformed if something is left.
func (r *reader) end() error {
	if r.err == nil && len(r.p) > 0 {
		r.err = ErrMalformed
	}
	return r.err
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendBytes(b, v []byte) []byte {
	return append(le.AppendUint16(b, uint16(len(v))), v...)
}

func appendText(b []byte, s string) []byte {
	return append(le.AppendUint16(b, uint16(len(s))), s...)
}

// appendTime appends microseconds since 1970; the zero time is 0.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return le.AppendUint64(b, 0)
	}
	return le.AppendUint64(b, uint64(t.UnixMicro()))
}
