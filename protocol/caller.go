package protocol

import "net/netip"

// Caller says at which address the caller of the next request is, and of that
// one alone: 1083, address[16], an IPv6 address, or an IPv4 address mapped into
// one; zeros if it is not known. It gets no answer.
type Caller struct{ Address netip.Addr }

func (*Caller) Code() Code { return CodeCaller }
func (m *Caller) AppendPayload(b []byte) []byte {
	var address [16]byte
	if m.Address.IsValid() {
		address = m.Address.As16()
	}
	return append(b, address[:]...)
}
func (m *Caller) DecodePayload(p []byte) error {
	r := reader{p: p}
	var address [16]byte
	r.fill(address[:])
	m.Address = netip.Addr{}
	if address != [16]byte{} {
		m.Address = netip.AddrFrom16(address).Unmap()
	}
	return r.end()
}
