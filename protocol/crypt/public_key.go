package crypt

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
)

// The sizes of RSA keys that are accepted, in bits of the modulus. Deployed
// clients have 1024; the upper bound keeps wrapping a session key cheap.
const (
	MinRSABits = 1024
	MaxRSABits = 4096
)

// ErrPublicKey is wrapped by every error of [ParsePublicKey].
var ErrPublicKey = errors.New("not an acceptable RSA public key")

// ParsePublicKey reads the key field of "send public key": the DER
// SubjectPublicKeyInfo of an RSA key of MinRSABits to MaxRSABits. The DER's own
// length counts; what follows it in field is ignored. The der returned is a
// copy of those bytes alone.
func ParsePublicKey(field []byte) (pub *rsa.PublicKey, der []byte, err error) {
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(field, &outer); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrPublicKey, err)
	}
	der = bytes.Clone(outer.FullBytes)
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrPublicKey, err)
	}
	pub, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, nil, fmt.Errorf("%w: a %T", ErrPublicKey, parsed)
	}
	if bits := pub.N.BitLen(); bits < MinRSABits || bits > MaxRSABits {
		return nil, nil, fmt.Errorf("%w: %d bits, not %d to %d", ErrPublicKey, bits, MinRSABits, MaxRSABits)
	}
	// No such number is a product of two odd primes, or is prime to their
	// predecessors; crypto/rsa would say so only when it has to encrypt.
	if pub.N.Bit(0) == 0 || pub.E < 3 || pub.E&1 == 0 {
		return nil, nil, fmt.Errorf("%w: even modulus or exponent", ErrPublicKey)
	}
	return pub, der, nil
}

// Fingerprint returns the SHA-256 of the DER SubjectPublicKeyInfo of pub,
// which has only one encoding: equal keys have equal fingerprints.
func Fingerprint(pub *rsa.PublicKey) [sha256.Size]byte {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		panic("crypt: an RSA public key has no DER: " + err.Error()) // it knows the type, and numbers always encode
	}
	return sha256.Sum256(der)
}
