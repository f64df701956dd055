package protocol

import (
	"bufio"
	"encoding/binary"
)

// SpeaksTLS reports whether what comes is TLS, by looking at a connection's
// first bytes without taking them. It waits for no more than a request of this
// protocol, or a ClientHello, is sure to have.
//
// A request begins with a client id, so the first bytes may be anything: what
// they are is decided by all that both formats fix up to byte 22, and where even
// that fits both, by the lists that follow in a ClientHello.
func SpeaksTLS(r *bufio.Reader) bool {
	b, err := r.Peek(1)
	if err != nil || b[0] != recordHandshake {
		return false
	}
	if b, err = r.Peek(RequestHeaderSize); err != nil || !beginsClientHello(b) {
		return false
	}
	h := RequestHeader{Version: b[16], Code: Code(le.Uint16(b[17:])), Size: le.Uint32(b[19:])}
	limit, known := h.Code.Limit()
	if h.Version != Version || !known || !h.Code.IsRequest() || !limit.Allows(h.Size) {
		return true
	}
	// One ClientHello in some millions has a random that reads like this.
	return hasCipherSuites(r, uint64(RequestHeaderSize)+uint64(h.Size))
}

// Of a TLS record and of the handshake message in it.
const (
	recordHandshake = 0x16
	clientHello     = 1
	helloSessionID  = 43 // where the session id's length is
	maxSessionID    = 32
	maxRecord       = 1 << 14
)

// beginsClientHello looks at a record's header, at that of the handshake
// message in it, and at the version that every ClientHello bears.
func beginsClientHello(b []byte) bool {
	record := binary.BigEndian.Uint16(b[3:])
	message := uint32(b[6])<<16 | uint32(binary.BigEndian.Uint16(b[7:]))
	return b[0] == recordHandshake && b[1] == 3 && b[2] <= 4 &&
		record > helloSessionID-5 && record <= maxRecord && // its first part has the session id at least
		b[5] == clientHello && message >= uint32(record)-4 && message < 1<<17 &&
		b[9] == 3 && b[10] <= 4
}

// hasCipherSuites reports whether a list of cipher suites is where a ClientHello
// has it. A request of the given length is not waited beyond.
func hasCipherSuites(r *bufio.Reader, request uint64) bool {
	if request <= helloSessionID {
		return false
	}
	b, err := r.Peek(helloSessionID + 1)
	if err != nil || b[helloSessionID] > maxSessionID {
		return false
	}
	suites := helloSessionID + 1 + int(b[helloSessionID])
	if request < uint64(suites)+2 {
		return false
	}
	if b, err = r.Peek(suites + 2); err != nil {
		return false
	}
	record := 5 + int(binary.BigEndian.Uint16(b[3:]))
	length := int(binary.BigEndian.Uint16(b[suites:]))
	return length >= 2 && length%2 == 0 && suites+2+length <= record
}
