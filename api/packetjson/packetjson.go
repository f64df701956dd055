// Package packetjson reads one packet of an upload that comes as JSON, as a
// stream: its content in base64 is decoded on the way and held nowhere, and
// nothing is allocated by a length that is merely claimed. Where content goes, it
// does not know.
package packetjson

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"coffer/internal/problem"
)

const (
	bufferSize = 16 << 10
	maxMember  = 16 << 10 // bytes of one member but the content
)

// A Packet is what comes with the content of a packet.
type Packet struct {
	ClientID      *string
	Filename      string
	OriginalSize  int64
	Number, Total uint32
}

// A Sink says where a packet's content goes, when it begins to come.
// known is true if p is all there, but for the client id, which may be missing.
type Sink func(p *Packet, known bool) (io.Writer, error)

// Read reads a FilePacket of the contract from r, its members in any order, and
// writes the content as it comes to where sink says. Unknown members are skipped.
// What is wrong with r is a problem; the sink's errors come back as they are.
func Read(r io.Reader, sink Sink) (Packet, error) {
	o := &object{in: bufio.NewReaderSize(r, bufferSize)}
	var p Packet
	seen := map[string]bool{}
	err := o.read(func(name string) error {
		if seen[name] {
			return problem.Field(name, "given twice")
		}
		if len(seen) == 64 {
			return problem.Field("body", "too many members")
		}
		seen[name] = true
		if name != "encrypted_data" {
			return p.member(o, name)
		}
		known := p.check(seen) == nil
		w, err := sink(&p, known)
		if err != nil {
			return err
		}
		return o.base64(w)
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
func (p *Packet) check(seen map[string]bool) error {
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

func (p *Packet) member(o *object, name string) error {
	raw, err := o.value(name)
	if err != nil {
		return err
	}
	switch name {
	case "client_id":
		var id string
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
