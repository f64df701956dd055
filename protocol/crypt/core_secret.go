package crypt

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
)

// A CoreSecret is what core and gateway share, by which each proves itself to
// the other on the internal listener. Like a [SessionKey] it prints as a
// placeholder.
type CoreSecret [32]byte

// GatewayProof is what the gateway answers the core's challenge with.
func (s CoreSecret) GatewayProof(challenge, nonce [32]byte, binding []byte) [ProofSize]byte {
	return s.proof("coffer gateway", challenge, nonce, binding)
}

// CoreProof is what the core answers the gateway's nonce with.
func (s CoreSecret) CoreProof(challenge, nonce [32]byte, binding []byte) [ProofSize]byte {
	return s.proof("coffer core", challenge, nonce, binding)
}

func (s CoreSecret) proof(who string, challenge, nonce [32]byte, binding []byte) [ProofSize]byte {
	mac := hmac.New(sha256.New, s[:])
	io.WriteString(mac, who)
	mac.Write(challenge[:])
	mac.Write(nonce[:])
	mac.Write(binding)
	return [ProofSize]byte(mac.Sum(nil))
}

// SameProof compares two proofs in a time that does not depend on where they
// differ.
func SameProof(a, b [ProofSize]byte) bool { return hmac.Equal(a[:], b[:]) }

// ChannelBinding is what both ends of a TLS connection know, and nobody who
// stands between two of them; without TLS it is nil. A proof that covers it
// cannot be handed on from one connection to another.
func ChannelBinding(nc net.Conn) ([]byte, error) {
	conn, ok := nc.(*tls.Conn)
	if !ok {
		return nil, nil
	}
	state := conn.ConnectionState()
	binding, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	if err != nil {
		return nil, fmt.Errorf("bind to the TLS connection: %w", err)
	}
	return binding, nil
}

// hiddenSecret is what any core secret looks like to people and logs.
const hiddenSecret = "[core secret]"

// String returns "[core secret]".
func (CoreSecret) String() string { return hiddenSecret }

// GoString returns "[core secret]".
func (CoreSecret) GoString() string { return hiddenSecret }

// Format prints "[core secret]" whatever the verb.
func (CoreSecret) Format(f fmt.State, _ rune) { io.WriteString(f, hiddenSecret) }

// LogValue returns "[core secret]".
func (CoreSecret) LogValue() slog.Value { return slog.StringValue(hiddenSecret) }

// MarshalText returns "[core secret]".
func (CoreSecret) MarshalText() ([]byte, error) { return []byte(hiddenSecret), nil }
