package protocol

import "time"

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
