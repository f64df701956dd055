package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Cost of deriving the password, see docs/security.md. They can never change:
// whoever has a passphrase has to get the same password from it.
const (
	signInTime    = 3
	signInMemory  = 64 << 10 // KiB
	signInThreads = 1
	signInKey     = 32 // bytes
)

// ErrNoPassphrase: a passphrase is empty.
var ErrNoPassphrase = errors.New("the passphrase is empty")

// SignInPassword derives what an account's server is told as its password from
// the passphrase that opens the account's key bundle, so that the server can
// check a person and not open the bundle: Argon2id (RFC 9106) over the
// passphrase, salted with the account's name, then HKDF-SHA-256 (RFC 5869); 64
// hexadecimal digits. One derivation takes 64 MiB and some tenths of a second.
func SignInPassword(name, passphrase string) (string, error) {
	passphrase = NormalizePassphrase(passphrase)
	if passphrase == "" {
		return "", ErrNoPassphrase
	}
	salt := sha256.Sum256([]byte("coffer sign-in v1\x00" + name))
	secret := argon2.IDKey([]byte(passphrase), salt[:], signInTime, signInMemory, signInThreads, signInKey)
	password, err := hkdf.Key(sha256.New, secret, nil, "coffer sign-in password v1", signInKey)
	if err != nil {
		return "", fmt.Errorf("derive the password: %w", err)
	}
	return hex.EncodeToString(password), nil
}

// NormalizePassphrase brings a passphrase into the form that keys are derived
// from, Unicode's NFKC: keyboards differ in how they write the same characters.
func NormalizePassphrase(passphrase string) string { return norm.NFKC.String(passphrase) }
