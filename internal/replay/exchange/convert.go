package exchange

import (
	"bytes"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"coffer/protocol"
	"coffer/protocol/crypt"
)

// Convert turns a recording, of bytes alone, into an exchange that can be
// replayed: what differs from run to run (the id, keys, and what is encrypted)
// becomes directives. The key is the recorded client's; keyName is what its
// files in server/testdata are called. What it cannot make sense of stays as it
// was, with a comment.
func Convert(w io.Writer, recording []Step, key *rsa.PrivateKey, keyName string) error {
	messages, err := frame(recording)
	if err != nil {
		return err
	}
	c := converter{key: key, keyName: keyName, messages: messages}
	for i := range messages {
		c.one(i)
	}
	_, err = io.WriteString(w, c.out.String())
	return err
}

// A message is a whole request or response.
type message struct {
	request bool
	header  []byte
	code    protocol.Code
	payload []byte
	mark    string // "half-close", "closed": no message
	rest    []byte // or bytes that are none
}

// frame cuts what was recorded into messages, in the order in which they were
// complete.
func frame(recording []Step) (messages []message, err error) {
	var said, heard []byte
	for _, s := range recording {
		switch s.Verb {
		case ">", "<":
			side := &said
			if s.Verb == "<" {
				side = &heard
			}
			for _, item := range s.Items {
				if item.Name != "bytes" {
					return nil, fmt.Errorf("%w: line %d is no recording's: it has directives", ErrFormat, s.Line)
				}
				*side = append(*side, item.Bytes...)
			}
			for m, ok := next(side, s.Verb == ">"); ok; m, ok = next(side, s.Verb == ">") {
				messages = append(messages, m)
			}
		default:
			if len(said) > 0 && s.Verb == "half-close" {
				messages = append(messages, message{request: true, rest: said})
				said = nil
			}
			messages = append(messages, message{mark: s.Verb})
		}
	}
	if len(said) > 0 {
		messages = append(messages, message{request: true, rest: said})
	}
	if len(heard) > 0 {
		messages = append(messages, message{rest: heard})
	}
	return messages, nil
}

func next(side *[]byte, request bool) (m message, ok bool) {
	m.request = request
	r := bytes.NewReader(*side)
	var size uint32
	headerSize := protocol.ResponseHeaderSize
	if request {
		headerSize = protocol.RequestHeaderSize
		h, err := protocol.ReadRequestHeader(r)
		if err != nil {
			return m, false
		}
		m.code, size = h.Code, h.Size
	} else {
		h, err := protocol.ReadResponseHeader(r)
		if err != nil {
			return m, false
		}
		m.code, size = h.Code, h.Size
	}
	if uint64(r.Len()) < uint64(size) {
		return m, false
	}
	m.header, m.payload = (*side)[:headerSize], (*side)[headerSize:headerSize+int(size)]
	*side = (*side)[headerSize+int(size):]
	return m, true
}

// A converter writes messages as lines, one after another.
type converter struct {
	key      *rsa.PrivateKey
	keyName  string
	messages []message
	out      strings.Builder

	id      []byte // the client's, once it is known
	session *crypt.SessionKey
	file    file // the one whose packets are coming
}

// A file is what the packets that follow one another bring.
type file struct {
	left  int // packets of it to come
	at    int // bytes of content so far
	front int // bytes before the ciphertext: an IV
	size  int // of the ciphertext; 0: not understood
}

func (c *converter) line(verb string, words ...string) {
	c.out.WriteString(verb + " " + strings.Join(words, " ") + "\n")
}

func (c *converter) one(i int) {
	m := &c.messages[i]
	verb := "<"
	if m.request {
		verb = ">"
	}
	switch {
	case m.mark != "":
		c.out.WriteString(m.mark + "\n")
		return
	case m.rest != nil:
		c.out.WriteString("# not a message\n")
		c.line(verb, hex.EncodeToString(m.rest))
		return
	}
	fmt.Fprintf(&c.out, "# %v\n", m.code)
	if m.request {
		c.request(i, m)
		return
	}
	words := []string{hex.EncodeToString(m.header)}
	switch p := m.payload; m.code {
	case protocol.CodeRegistered, protocol.CodeKeyReceived, protocol.CodeReconnected, protocol.CodeAcknowledged, protocol.CodeReconnectDenied, protocol.CodeFileReceived:
		if len(p) < 16 {
			break
		}
		if c.id == nil && m.code != protocol.CodeReconnectDenied {
			c.id = p[:16]
		}
		words = append(words, c.idWord(p[:16]))
		switch rest := p[16:]; m.code {
		case protocol.CodeKeyReceived, protocol.CodeReconnected:
			words = append(words, c.wrapped(rest))
		case protocol.CodeFileReceived:
			// The checksum is of what was sent, and hexadecimal is as good.
			words = append(words, hexWords(rest)...)
		default:
			words = append(words, hexWords(rest)...)
		}
		c.line("<", words...)
		return
	}
	c.line("<", append(words, hexWords(m.payload)...)...)
}

func (c *converter) idWord(id []byte) string {
	if c.id != nil && bytes.Equal(id, c.id) {
		return "id"
	}
	return hex.EncodeToString(id)
}

// wrapped opens a session key with either hash.
func (c *converter) wrapped(b []byte) string {
	for _, hash := range []crypt.OAEPHash{crypt.SHA256, crypt.SHA1} {
		if key, err := crypt.Unwrap(c.key, hash, b); err == nil {
			c.session = &key
			return fmt.Sprintf("wrapped(%s, %v)", c.keyName, hash)
		}
	}
	return hex.EncodeToString(b)
}

func (c *converter) request(i int, m *message) {
	words := []string{c.idWord(m.header[:16]), hex.EncodeToString(m.header[16:])}
	switch m.code.Canonical() {
	case protocol.CodeSendPublicKey:
		if len(m.payload) < protocol.FieldSize {
			break
		}
		words = append(words, hexWords(m.payload[:protocol.FieldSize])...)
		field := m.payload[protocol.FieldSize:]
		if pub, der, err := crypt.ParsePublicKey(field); err == nil && pub.Equal(&c.key.PublicKey) && bytes.HasPrefix(field, der) {
			words = append(append(words, "public("+c.keyName+")"), hexWords(field[len(der):])...)
			c.line(">", words...)
			return
		}
		words = append(words, hexWords(field)...)
		c.line(">", words...)
		return
	case protocol.CodeSendFile:
		limit, _ := m.code.Limit()
		if len(m.payload) < int(limit.Min) {
			break
		}
		if c.file.left == 0 {
			c.begin(i, int(limit.Min))
		}
		words = append(words, hexWords(m.payload[:limit.Min])...)
		words = append(words, c.content(m.payload[limit.Min:])...)
		c.line(">", words...)
		return
	}
	c.line(">", append(words, hexWords(m.payload)...)...)
}

// errStream: the packets are not one stream under the session key.
var errStream = errors.New("the content is not one stream under the session key, and stays as it was")

// begin looks ahead at all packets of a file, and writes down its plaintext.
func (c *converter) begin(i, meta int) {
	var all []byte
	var head protocol.SendFile
	c.file = file{}
	for _, m := range c.messages[i:] {
		if !m.request {
			if m.mark == "" {
				break // the answer: the file is over
			}
			continue
		}
		var h protocol.SendFile
		if m.code.Canonical() != protocol.CodeSendFile || len(m.payload) < meta || h.DecodePayload(m.payload[:meta]) != nil {
			break
		}
		if c.file.left == 0 {
			head = h
		} else if h.Name != head.Name || h.Number == head.Number {
			break
		}
		c.file.left++
		all = append(all, m.payload[meta:]...)
	}
	size := int(crypt.CiphertextLen(uint64(head.OriginalSize)))
	if len(all) == size+crypt.BlockSize && len(bytes.Trim(all[:crypt.BlockSize], "\x00")) == 0 {
		c.file.front = crypt.BlockSize
	}
	plain, err := c.decrypt(all[c.file.front:], size)
	if err != nil {
		fmt.Fprintf(&c.out, "# %v\n", err)
		return
	}
	c.file.size = size
	c.line("plain", hexWords(plain)...)
}

func (c *converter) decrypt(all []byte, size int) ([]byte, error) {
	if c.session == nil || len(all) < size {
		return nil, errStream
	}
	d := crypt.NewDecrypter(*c.session)
	plain, err := d.Finish(d.Append(nil, all[:size]))
	if err != nil {
		return nil, errStream
	}
	return plain, nil
}

// content is one packet's content, as words.
func (c *converter) content(b []byte) (words []string) {
	f := &c.file
	f.left--
	if f.size == 0 {
		return hexWords(b)
	}
	take := func(end int) []byte {
		n := max(0, min(len(b), end-f.at))
		taken := b[:n]
		b, f.at = b[n:], f.at+n
		return taken
	}
	words = hexWords(take(f.front))
	from := f.at - f.front
	if n := len(take(f.front + f.size)); n > 0 {
		words = append(words, fmt.Sprintf("cipher(%d, %d)", from, from+n))
	}
	f.at += len(b)
	return append(words, hexWords(b)...)
}

// hexWords are bytes in hexadecimal, zeros at their end counted.
func hexWords(b []byte) (words []string) {
	text := bytes.TrimRight(b, "\x00")
	if len(b)-len(text) < 8 {
		text = b
	}
	if len(text) > 0 {
		words = append(words, hex.EncodeToString(text))
	}
	if zeros := len(b) - len(text); zeros > 0 {
		words = append(words, fmt.Sprintf("zeros(%d)", zeros))
	}
	return words
}
