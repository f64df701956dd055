package packetjson

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"coffer/internal/jsontext"
	"coffer/internal/problem"
)

// An object is JSON that is read member by member.
type object struct{ in *bufio.Reader }

// read reads the object, which must be all there is, and calls member at
// each member's value.
func (o *object) read(member func(name string) error) error {
	if c, err := o.next(); errors.Is(err, io.EOF) {
		return problem.Field("body", "missing")
	} else if err != nil {
		return problem.OfBody(err)
	} else if c != '{' {
		return problem.Field("body", "must be a JSON object")
	}
	for first := true; ; first = false {
		c, err := o.next()
		switch {
		case err != nil:
			return problem.OfBody(err)
		case first && c == '}':
			return o.end()
		case c != '"':
			return problem.Field("body", "not JSON: a member's name must follow")
		}
		raw, err := o.quoted("body")
		if err != nil {
			return err
		}
		if err := jsontext.CheckText(raw); err != nil {
			return err
		}
		var name string
		if json.Unmarshal(raw, &name) != nil {
			return problem.Field("body", "not JSON: a member's name is no string")
		}
		if err := o.colon(name, member); err != nil {
			return err
		}
		switch c, err = o.next(); {
		case err != nil:
			return problem.OfBody(err)
		case c == '}':
			return o.end()
		case c != ',':
			return problem.Field("body", "not JSON: a comma or brace must follow a member")
		}
	}
}

func (o *object) colon(name string, member func(string) error) error {
	c, err := o.next()
	if err != nil {
		return problem.OfBody(err)
	}
	if c != ':' {
		return problem.Field("body", "not JSON: a colon must follow a member's name")
	}
	return member(name)
}

// end makes sure that nothing follows.
func (o *object) end() error {
	if _, err := o.next(); err == nil {
		return problem.Field("body", "more after the JSON object")
	} else if !errors.Is(err, io.EOF) {
		return problem.OfBody(err)
	}
	return nil
}

// next is the next byte that is no space.
func (o *object) next() (byte, error) {
	for {
		c, err := o.in.ReadByte()
		if err != nil || c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, err
		}
	}
}

// quoted reads the rest of a string whose opening quote was read, and returns
// all of it.
func (o *object) quoted(name string) ([]byte, error) {
	raw := []byte{'"'}
	for escaped := false; ; {
		c, err := o.in.ReadByte()
		if err != nil {
			return nil, problem.OfBody(err)
		}
		if raw = append(raw, c); len(raw) > maxMember {
			return nil, problem.Field(name, "too long")
		}
		if c == '"' && !escaped {
			return raw, nil
		}
		escaped = c == '\\' && !escaped
	}
}

// value reads a value, as it stands.
func (o *object) value(name string) ([]byte, error) {
	var raw []byte
	for depth := 0; ; {
		c, err := o.next()
		if err != nil {
			return nil, problem.OfBody(err)
		}
		part := []byte{c}
		switch c {
		case '"':
			part, err = o.quoted(name)
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',', ':':
		default:
			part, err = o.word(c)
		}
		if err != nil {
			return nil, err
		}
		if raw = append(raw, part...); len(raw) > maxMember {
			return nil, problem.Field(name, "too long")
		}
		if depth > jsontext.MaxNested {
			return nil, problem.Field(name, "nested too deeply")
		}
		if depth <= 0 {
			break
		}
	}
	if err := jsontext.CheckText(raw); err != nil {
		return nil, problem.Field(name, "not UTF-8, or half of a surrogate pair").Because(err)
	}
	if !json.Valid(raw) {
		return nil, problem.Field(name, "not JSON")
	}
	return raw, nil
}

// word reads the rest of a number, true, false or null that begins with c.
func (o *object) word(c byte) ([]byte, error) {
	word := []byte{c}
	for len(word) <= maxMember {
		c, err := o.in.ReadByte()
		if err != nil {
			return nil, problem.OfBody(err)
		}
		if bytes.IndexByte([]byte("+-.0123456789abcdefghijklmnopqrstuvwxyzE"), c) < 0 {
			return word, o.in.UnreadByte()
		}
		word = append(word, c)
	}
	return word, nil
}
