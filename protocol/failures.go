package protocol

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

// Bounds of what is kept of exchanges that failed.
const (
	MaxFailures   = 64  // exchanges
	MaxFailedHead = 288 // bytes of a message; never of content
)

// ListFailures asks for the latest failed base requests, on the internal
// listener: 1080, empty. Answered with Failures.
type ListFailures struct{}

func (*ListFailures) Code() Code                    { return CodeListFailures }
func (*ListFailures) AppendPayload(b []byte) []byte { return b }
func (*ListFailures) DecodePayload(p []byte) error  { return decodeEmpty(p) }

// Failures answers ListFailures: 1640, count u16, as many FailedExchanges, the
// newest first, at most MaxFailures.
type Failures struct{ Exchanges []FailedExchange }

func (*Failures) Code() Code { return CodeFailures }
func (m *Failures) AppendPayload(b []byte) []byte {
	b = le.AppendUint16(b, uint16(len(m.Exchanges)))
	for i := range m.Exchanges {
		b = m.Exchanges[i].append(b)
	}
	return b
}
func (m *Failures) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Exchanges = nil
	n := int(r.u16())
	if n > MaxFailures {
		r.err = ErrMalformed
	}
	for i := 0; i < n && r.err == nil; i++ {
		m.Exchanges = append(m.Exchanges, r.failedExchange())
	}
	return r.end()
}

// A FailedExchange is a request that was not served as its client hoped: at
// time, peer text (its address), client text (a fingerprint of the id, empty if
// the id was zeros), earlier u32 (requests served before it on the connection),
// version u8, code u16, size u32, rule u8, reason text, head bytes. Head is what
// was read of the message, without content; a client id is never part of it.
type FailedExchange struct {
	At      time.Time
	Peer    string
	Client  string
	Earlier uint32
	Version uint8
	Code    Code
	Size    uint32
	Rule    Rule
	Reason  string
	Head    []byte
}

func (e *FailedExchange) append(b []byte) []byte {
	b = appendTime(b, e.At)
	b = appendText(appendText(b, e.Peer), e.Client)
	b = le.AppendUint32(b, e.Earlier)
	b = append(b, e.Version)
	b = le.AppendUint16(b, uint16(e.Code))
	b = le.AppendUint32(b, e.Size)
	b = append(b, byte(e.Rule))
	return appendBytes(appendText(b, e.Reason), e.Head)
}

func (r *reader) failedExchange() (e FailedExchange) {
	e.At, e.Peer, e.Client, e.Earlier = r.time(), r.text(), r.text(), r.u32()
	e.Version, e.Code, e.Size, e.Rule = r.u8(), Code(r.u16()), r.u32(), Rule(r.u8())
	e.Reason, e.Head = r.text(), r.bytes(MaxFailedHead)
	return e
}

// A Part is one field of a request, as a person reads it.
type Part struct {
	Offset  int    // in the request, header included
	Bytes   string // in hexadecimal, or that they are masked
	Meaning string
}

// Parts lays a failed request out field by field.
func (e *FailedExchange) Parts() []Part {
	id := "the id: zeros"
	if e.Client != "" {
		id = "the id of " + e.Client
	}
	raw := RequestHeader{Version: e.Version, Code: e.Code, Size: e.Size}.Append(nil)
	l := layout{raw: raw}
	l.parts = append(l.parts, Part{0, "(masked)", id})
	l.at = 16
	l.add(1, "version "+strconv.Itoa(int(e.Version)))
	l.add(2, e.Code.String())
	l.add(4, fmt.Sprintf("payload size %d", e.Size))
	l.raw = append(l.raw, e.Head...)
	switch e.Code.Canonical() {
	case CodeRegister, CodeReconnect:
		l.name("name")
	case CodeSendPublicKey:
		l.name("name")
		if left := len(l.raw) - l.at; left > 0 {
			size := int64(e.Size) - FieldSize
			l.add(min(left, 4), fmt.Sprintf("public key, %d bytes (its beginning)", size))
		}
	case CodeSendFile:
		l.number(4, "content size")
		l.number(4, "original size")
		l.number(2, "packet number")
		l.number(2, "total packets")
		l.name("filename")
	case CodeChecksumOK, CodeChecksumRetry, CodeChecksumGiveUp:
		l.name("filename")
	}
	return l.parts
}

// A layout goes through a request from its beginning.
type layout struct {
	raw   []byte
	at    int
	parts []Part
}

func (l *layout) add(size int, meaning string) {
	if l.at+size > len(l.raw) {
		return // it did not come that far
	}
	l.parts = append(l.parts, Part{l.at, hex.EncodeToString(l.raw[l.at : l.at+size]), meaning})
	l.at += size
}

func (l *layout) number(size int, meaning string) {
	if l.at+size > len(l.raw) {
		l.at = len(l.raw)
		return
	}
	value := uint64(0)
	for i := size - 1; i >= 0; i-- {
		value = value<<8 | uint64(l.raw[l.at+i])
	}
	l.add(size, fmt.Sprintf("%s %d", meaning, value))
}

// name adds a field, cut where its text ends.
func (l *layout) name(what string) {
	if l.at+FieldSize > len(l.raw) {
		if left := len(l.raw) - l.at; left > 0 {
			l.add(left, what+", incomplete")
		}
		return
	}
	f := Field(l.raw[l.at : l.at+FieldSize])
	text, err := f.Bytes()
	switch {
	case err != nil:
		l.parts = append(l.parts, Part{l.at, hex.EncodeToString(f[:16]) + "...", what + ": " + err.Error()})
	default:
		l.parts = append(l.parts, Part{l.at, hex.EncodeToString(f[:len(text)+1]) + "...", fmt.Sprintf("%s %q", what, text)})
	}
	l.at += FieldSize
}
