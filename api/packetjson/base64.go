package packetjson

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"coffer/internal/problem"
)

// base64 reads a string of base64 and writes what it means.
func (o *object) base64(w io.Writer) error {
	c, err := o.next()
	if err != nil {
		return problem.OfBody(err)
	}
	if c != '"' {
		return problem.Field("encrypted_data", "must be a string")
	}
	d := &decoder{w: w}
	for {
		if _, err := o.in.Peek(1); err != nil {
			return problem.OfBody(err)
		}
		chunk, err := o.in.Peek(o.in.Buffered())
		if err != nil {
			return problem.OfBody(err)
		}
		end := bytes.IndexByte(chunk, '"')
		if end >= 0 {
			chunk = chunk[:end]
		}
		escape := bytes.IndexByte(chunk, '\\')
		if escape >= 0 {
			chunk = chunk[:escape]
		}
		if err := d.decode(chunk); err != nil {
			return err
		}
		if _, err := o.in.Discard(len(chunk)); err != nil {
			return problem.OfBody(err)
		}
		switch {
		case escape >= 0:
			if err := o.escape(d); err != nil {
				return err
			}
		case end >= 0:
			if _, err := o.in.Discard(1); err != nil {
				return problem.OfBody(err)
			}
			return d.finish()
		}
	}
}

// escape reads a backslash and what it stands for: some encoders write \/ for
// the slash of base64, or \u002f.
func (o *object) escape(d *decoder) error {
	head, err := o.in.Peek(2)
	if err != nil {
		return problem.OfBody(err)
	}
	size := 2
	if head[1] == 'u' {
		size = 6
	}
	raw, err := o.in.Peek(size)
	if err != nil {
		return problem.OfBody(err)
	}
	var plain string
	if json.Unmarshal([]byte(`"`+string(raw)+`"`), &plain) != nil {
		return d.bad(0)
	}
	if err := d.decode([]byte(plain)); err != nil {
		return err
	}
	_, err = o.in.Discard(size)
	return err
}

// A decoder decodes base64 that comes in pieces of any length.
type decoder struct {
	w      io.Writer
	out    []byte
	group  []byte // the beginning of a group of four
	chars  int64  // decoded so far
	padded bool   // nothing may follow
}

// decode takes in the next characters.
func (d *decoder) decode(p []byte) error {
	if len(p) > 0 && d.padded {
		return d.bad(0)
	}
	// The library would let line breaks pass.
	for _, c := range []byte{'\n', '\r'} {
		if at := bytes.IndexByte(p, c); at >= 0 {
			return d.bad(int64(len(d.group) + at))
		}
	}
	if len(d.group) > 0 {
		n := min(4-len(d.group), len(p))
		d.group = append(d.group, p[:n]...)
		p = p[n:]
		if len(d.group) < 4 {
			return nil
		}
		group := d.group
		d.group = d.group[:0]
		if err := d.whole(group); err != nil {
			return err
		}
		if len(p) > 0 && d.padded {
			return d.bad(0)
		}
	}
	n := len(p) / 4 * 4
	if err := d.whole(p[:n]); err != nil {
		return err
	}
	if n < len(p) && d.padded {
		return d.bad(0)
	}
	d.group = append(d.group, p[n:]...)
	return nil
}

// whole decodes whole groups.
func (d *decoder) whole(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if len(d.out) < len(p) {
		d.out = make([]byte, max(len(p), bufferSize))
	}
	n, err := base64.StdEncoding.Decode(d.out, p)
	var corrupt base64.CorruptInputError
	if errors.As(err, &corrupt) {
		return d.bad(int64(corrupt))
	}
	d.chars += int64(len(p))
	d.padded = p[len(p)-1] == '='
	_, err = d.w.Write(d.out[:n])
	return err
}

// finish checks that the last group is whole.
func (d *decoder) finish() error {
	if len(d.group) > 0 {
		return problem.Field("encrypted_data", fmt.Sprintf("base64 is cut off after character %d", d.chars+int64(len(d.group))))
	}
	return nil
}

func (d *decoder) bad(at int64) error {
	return problem.Field("encrypted_data", fmt.Sprintf("not base64 at character %d", d.chars+at))
}
