package crypt

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
)

// OAEPHash is the hash by which RSA-OAEP wraps a session key; the mask (MGF1)
// uses the same one. The zero value is SHA256, which the protocol prescribes.
type OAEPHash uint8

// The hashes that deployed clients were built with.
const (
	SHA256 OAEPHash = iota
	SHA1            // Crypto++ clients; OAEP does not rest on collisions, which SHA-1 has
)

// ErrOAEPHash is returned where a hash is neither SHA256 nor SHA1.
var ErrOAEPHash = errors.New("the OAEP hash must be sha256 or sha1")

// ErrKeySize is returned by [Unwrap] where something was wrapped that is not
// 32 bytes long.
var ErrKeySize = errors.New("wrapped session key is not 32 bytes long")

// ParseOAEPHash returns the hash that String calls name: "sha256" or "sha1".
func ParseOAEPHash(name string) (OAEPHash, error) {
	for _, h := range []OAEPHash{SHA256, SHA1} {
		if name == h.String() {
			return h, nil
		}
	}
	return 0, fmt.Errorf("%q: %w", name, ErrOAEPHash)
}

// cryptoppKeySize is the length of the public key of the clients that were
// built with Crypto++: 1024 bits and its default exponent, 17.
const cryptoppKeySize = 160

// AutoOAEPHash returns the OAEP hash of a client by the length of its public
// key, DER as [ParsePublicKey] returns it (docs/protocol.md, "Deployed
// clients").
func AutoOAEPHash(der []byte) OAEPHash {
	if len(der) == cryptoppKeySize {
		return SHA1
	}
	return SHA256
}

// String returns "sha256" or "sha1".
func (h OAEPHash) String() string {
	switch h {
	case SHA256:
		return "sha256"
	case SHA1:
		return "sha1"
	}
	return fmt.Sprintf("OAEPHash(%d)", uint8(h))
}

func (h OAEPHash) new() (hash.Hash, error) {
	switch h {
	case SHA256:
		return sha256.New(), nil
	case SHA1:
		return sha1.New(), nil
	}
	return nil, fmt.Errorf("%v: %w", h, ErrOAEPHash)
}

// Wrap encrypts key for the owner of pub. The result is as long as the
// modulus of pub.
func Wrap(pub *rsa.PublicKey, h OAEPHash, key SessionKey) ([]byte, error) {
	oaep, err := h.new()
	if err != nil {
		return nil, fmt.Errorf("wrap session key: %w", err)
	}
	wrapped, err := rsa.EncryptOAEP(oaep, rand.Reader, pub, key[:], nil)
	if err != nil {
		return nil, fmt.Errorf("wrap session key: %w", err)
	}
	return wrapped, nil
}

// Unwrap is the inverse of [Wrap]. Where wrapped was made for another key or
// with another hash, the error is rsa.ErrDecryption, and does not say which.
func Unwrap(priv *rsa.PrivateKey, h OAEPHash, wrapped []byte) (SessionKey, error) {
	oaep, err := h.new()
	if err != nil {
		return SessionKey{}, fmt.Errorf("unwrap session key: %w", err)
	}
	key, err := rsa.DecryptOAEP(oaep, nil, priv, wrapped, nil)
	if err != nil {
		return SessionKey{}, fmt.Errorf("unwrap session key: %w", err)
	}
	if len(key) != KeySize {
		return SessionKey{}, fmt.Errorf("unwrap session key: %w", ErrKeySize)
	}
	return SessionKey(key), nil
}
