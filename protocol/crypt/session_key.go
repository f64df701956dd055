package crypt

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
)

// KeySize is the length of a session key in bytes.
const KeySize = 32

// ProofSize is the length of a proof in bytes.
const ProofSize = sha256.Size

// SessionKey is the AES-256 key that server and client share for a session or
// for one upload. However it is printed, logged or encoded as text, it shows
// as "[session key]". (Package fmt cannot ask it where it is an unexported
// field of a printed struct: such a struct needs a String method of its own.)
type SessionKey [KeySize]byte

// NewSessionKey returns a key of random bytes.
func NewSessionKey() (SessionKey, error) {
	var key SessionKey
	if _, err := rand.Read(key[:]); err != nil {
		return SessionKey{}, fmt.Errorf("make session key: %w", err)
	}
	return key, nil
}

// Proof returns HMAC-SHA256(key, challenge), by which a client shows that it
// holds the key without telling it (docs/protocol.md, "Extensions").
func (k SessionKey) Proof(challenge []byte) [ProofSize]byte {
	mac := hmac.New(sha256.New, k[:])
	mac.Write(challenge)
	return [ProofSize]byte(mac.Sum(nil))
}

// VerifyProof reports whether proof is the key's proof for challenge. How long
// it takes does not depend on where the two differ.
func (k SessionKey) VerifyProof(challenge, proof []byte) bool {
	want := k.Proof(challenge)
	return hmac.Equal(want[:], proof)
}

// hiddenKey is what any key looks like to people and logs.
const hiddenKey = "[session key]"

// String returns "[session key]".
func (SessionKey) String() string { return hiddenKey }

// GoString returns "[session key]".
func (SessionKey) GoString() string { return hiddenKey }

// Format prints "[session key]" whatever the verb, the likes of %x included.
func (SessionKey) Format(f fmt.State, _ rune) { io.WriteString(f, hiddenKey) }

// LogValue returns "[session key]".
func (SessionKey) LogValue() slog.Value { return slog.StringValue(hiddenKey) }

// MarshalText returns "[session key]", so that JSON shows no more either. Who
// means to store a key stores its bytes.
func (SessionKey) MarshalText() ([]byte, error) { return []byte(hiddenKey), nil }
