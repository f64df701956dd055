package api

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"coffer/api/contract"
	"coffer/internal/problem"
)

const (
	streamBuffer = 16 << 10
	maxMember    = 16 << 10 // bytes of one member but the content
)

// A filePacket is the body of /files/upload without its content.
type filePacket struct {
	ClientID      *contract.ClientID
	Filename      string
	OriginalSize  int64
	Number, Total uint32
}

// A contentSink says where a packet's content goes, when it begins to come.
// known is true if p is all there, but for the client id, which may be missing.
type contentSink func(p *filePacket, known bool) (io.Writer, error)

// readFilePacket reads a FilePacket of the contract from r, its members in any
// order, and writes the content as it comes to where sink says. It holds none
// of it, and allocates by no length that is merely claimed. Unknown members are
// skipped.
func readFilePacket(r io.Reader, sink contentSink) (filePacket, error) {
	s := &jsonStream{in: bufio.NewReaderSize(r, streamBuffer)}
	var p filePacket
	seen := map[string]bool{}
	err := s.object(func(name string) error {
		if seen[name] {
			return problem.Field(name, "given twice")
		}
		if len(seen) == 64 {
			return problem.Field("body", "too many members")
		}
		seen[name] = true
		if name != "encrypted_data" {
			return p.member(s, name)
		}
		known := p.check(seen) == nil
		w, err := sink(&p, known)
		if err != nil {
			return err
		}
		return s.base64(w)
	})
	if err == nil {
		err = p.check(seen)
	}
	if err == nil && !seen["encrypted_data"] {
		err = problem.Field("encrypted_data", "missing")
	}
	return p, err
}

// check looks at what was read, but for the content.
func (p *filePacket) check(seen map[string]bool) error {
	for _, name := range []string{"filename", "original_size", "packet_number", "total_packets"} {
		if !seen[name] {
			return problem.Field(name, "missing")
		}
	}
	if p.Number > p.Total {
		return problem.Field("packet_number", "larger than total_packets")
	}
	return nil
}

func (p *filePacket) member(s *jsonStream, name string) error {
	raw, err := s.value(name)
	if err != nil {
		return err
	}
	switch name {
	case "client_id":
		var id contract.ClientID
		p.ClientID = &id
		return text(name, raw, &id)
	case "filename":
		return text(name, raw, &p.Filename)
	case "original_size":
		n, err := integer(name, raw, 0, math.MaxInt64)
		p.OriginalSize = n
		return err
	case "packet_number":
		n, err := integer(name, raw, 1, math.MaxUint32)
		p.Number = uint32(n)
		return err
	case "total_packets":
		n, err := integer(name, raw, 1, math.MaxUint32)
		p.Total = uint32(n)
		return err
	}
	return nil
}

func text(name string, raw []byte, s *string) error {
	if raw[0] != '"' || json.Unmarshal(raw, s) != nil {
		return problem.Field(name, "must be a string")
	}
	return nil
}

func integer(name string, raw []byte, least, most int64) (int64, error) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if errors.Is(err, strconv.ErrSyntax) {
		return 0, problem.Field(name, "must be an integer")
	}
	if err != nil || n < least || n > most {
		return 0, problem.Field(name, fmt.Sprintf("must be from %d to %d", least, most))
	}
	return n, nil
}

// base64 reads a string of base64 and writes what it means.
func (s *jsonStream) base64(w io.Writer) error {
	c, err := s.next()
	if err != nil {
		return problem.OfBody(err)
	}
	if c != '"' {
		return problem.Field("encrypted_data", "must be a string")
	}
	d := &base64Stream{w: w}
	for {
		if _, err := s.in.Peek(1); err != nil {
			return problem.OfBody(err)
		}
		chunk, err := s.in.Peek(s.in.Buffered())
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
		if _, err := s.in.Discard(len(chunk)); err != nil {
			return problem.OfBody(err)
		}
		switch {
		case escape >= 0:
			if err := s.escape(d); err != nil {
				return err
			}
		case end >= 0:
			if _, err := s.in.Discard(1); err != nil {
				return problem.OfBody(err)
			}
			return d.finish()
		}
	}
}

// escape reads a backslash and what it stands for: some encoders write \/ for
// the slash of base64, or \u002f.
func (s *jsonStream) escape(d *base64Stream) error {
	head, err := s.in.Peek(2)
	if err != nil {
		return problem.OfBody(err)
	}
	size := 2
	if head[1] == 'u' {
		size = 6
	}
	raw, err := s.in.Peek(size)
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
	_, err = s.in.Discard(size)
	return err
}

// A base64Stream decodes base64 that comes in pieces of any length.
type base64Stream struct {
	w      io.Writer
	out    []byte
	group  []byte // the beginning of a group of four
	chars  int64  // decoded so far
	padded bool   // nothing may follow
}

// decode takes in the next characters.
func (d *base64Stream) decode(p []byte) error {
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
func (d *base64Stream) whole(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if len(d.out) < len(p) {
		d.out = make([]byte, max(len(p), streamBuffer))
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
func (d *base64Stream) finish() error {
	if len(d.group) > 0 {
		return problem.Field("encrypted_data", fmt.Sprintf("base64 is cut off after character %d", d.chars+int64(len(d.group))))
	}
	return nil
}

func (d *base64Stream) bad(at int64) error {
	return problem.Field("encrypted_data", fmt.Sprintf("not base64 at character %d", d.chars+at))
}
