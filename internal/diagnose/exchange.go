// Package diagnose explains requests of the base protocol that failed: what was
// sent, field by field, which rule that breaks, and what is usually wrong with
// such a client. It has all the words; the wire has numbers.
package diagnose

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"coffer/protocol"
)

// A Diagnosis is a failed exchange, explained.
type Diagnosis struct {
	At      time.Time
	Peer    string // its address
	Client  string // a fingerprint of its id; empty for zeros
	Earlier uint32 // requests served before on the same connection
	Request string
	Reason  string // why it was refused
	Explanation
	Fields []Field
}

// Exchange explains a failed exchange.
func Exchange(e *protocol.FailedExchange) Diagnosis {
	return Diagnosis{At: e.At, Peer: e.Peer, Client: e.Client, Earlier: e.Earlier, Request: e.Code.String(), Reason: e.Reason,
		Explanation: Explain(e.Rule), Fields: fieldsOf(e)}
}

// A Field is one field of a request, as a person reads it.
type Field struct {
	Offset  int    // in the request, header included
	Bytes   string // in hexadecimal, or that they are masked
	Meaning string
}

// fieldsOf lays a failed request out field by field.
func fieldsOf(e *protocol.FailedExchange) []Field {
	id := "the id: zeros"
	if e.Client != "" {
		id = "the id of " + e.Client
	}
	raw := protocol.RequestHeader{Version: e.Version, Code: e.Code, Size: e.Size}.Append(nil)
	l := layout{raw: raw}
	l.fields = append(l.fields, Field{0, "(masked)", id})
	l.at = 16
	l.add(1, "version "+strconv.Itoa(int(e.Version)))
	l.add(2, e.Code.String())
	l.add(4, fmt.Sprintf("payload size %d", e.Size))
	l.raw = append(l.raw, e.Head...)
	switch e.Code.Canonical() {
	case protocol.CodeRegister, protocol.CodeReconnect:
		l.name("name")
	case protocol.CodeSendPublicKey:
		l.name("name")
		if left := len(l.raw) - l.at; left > 0 {
			size := int64(e.Size) - protocol.FieldSize
			l.add(min(left, 4), fmt.Sprintf("public key, %d bytes (its beginning)", size))
		}
	case protocol.CodeSendFile:
		l.number(4, "content size")
		l.number(4, "original size")
		l.number(2, "packet number")
		l.number(2, "total packets")
		l.name("filename")
	case protocol.CodeChecksumOK, protocol.CodeChecksumRetry, protocol.CodeChecksumGiveUp:
		l.name("filename")
	}
	return l.fields
}

// A layout goes through a request from its beginning.
type layout struct {
	raw    []byte
	at     int
	fields []Field
}

func (l *layout) add(size int, meaning string) {
	if l.at+size > len(l.raw) {
		return // it did not come that far
	}
	l.fields = append(l.fields, Field{l.at, hex.EncodeToString(l.raw[l.at : l.at+size]), meaning})
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
	if l.at+protocol.FieldSize > len(l.raw) {
		if left := len(l.raw) - l.at; left > 0 {
			l.add(left, what+", incomplete")
		}
		return
	}
	f := protocol.Field(l.raw[l.at : l.at+protocol.FieldSize])
	text, err := f.Bytes()
	switch {
	case err != nil:
		l.fields = append(l.fields, Field{l.at, hex.EncodeToString(f[:16]) + "...", what + ": " + err.Error()})
	default:
		l.fields = append(l.fields, Field{l.at, hex.EncodeToString(f[:len(text)+1]) + "...", fmt.Sprintf("%s %q", what, text)})
	}
	l.at += protocol.FieldSize
}
