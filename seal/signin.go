package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Cost of deriving the password, see docs/security.md. It can never change: the
// same passphrase must always give the same password.
const (
	signInTime    = 3
	signInMemory  = 64 << 10 // KiB
	signInThreads = 1
	signInKey     = 32 // bytes
)

var (
	// ErrNoPassphrase: a passphrase is empty.
	ErrNoPassphrase = errors.New("the passphrase is empty")
	// ErrServerName: a text is no name or address of a host.
	ErrServerName = errors.New("not a host name")
)

// localhost is what the machine itself is called.
const localhost = "localhost"

// SignInPassword derives the password of an account from the passphrase that
// opens its key bundle, so that the server can check sign-ins and not open the
// bundle: Argon2id (RFC 9106) over the passphrase, salted with the server and
// the account's name, then HKDF-SHA-256 (RFC 5869); 64 hexadecimal digits. One
// derivation takes 64 MiB and some tenths of a second.
//
// The server is the host that its owner goes to, in the form of [SignInServer]:
// a password that one server receives does not work at another, even if a
// person has the same name and passphrase at both.
func SignInPassword(server, name, passphrase string) (string, error) {
	return signInPassword("v2", server+"\x00"+name, passphrase)
}

// EarlierSignInPassword is what SignInPassword was before it knew servers. An
// account that still has such a password is moved to the new one by signing in
// with it once.
func EarlierSignInPassword(name, passphrase string) (string, error) {
	return signInPassword("v1", name, passphrase)
}

func signInPassword(scheme, salted, passphrase string) (string, error) {
	passphrase = NormalizePassphrase(passphrase)
	if passphrase == "" {
		return "", ErrNoPassphrase
	}
	salt := sha256.Sum256([]byte("coffer sign-in " + scheme + "\x00" + salted))
	secret := argon2.IDKey([]byte(passphrase), salt[:], signInTime, signInMemory, signInThreads, signInKey)
	password, err := hkdf.Key(sha256.New, secret, nil, "coffer sign-in password "+scheme, signInKey)
	if err != nil {
		return "", fmt.Errorf("derive the password: %w", err)
	}
	return hex.EncodeToString(password), nil
}

// SignInServer is the name of a server that [SignInPassword] binds a password
// to: the host in the address of its web page, without port, as a browser
// writes it: lower case, internationalised names in their ASCII form, an IPv6
// address in its shortest form and without brackets. Every name and address of
// the machine itself is "localhost".
func SignInServer(host string) (string, error) {
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.IsLoopback() {
			return localhost, nil
		}
		return addr.WithZone("").String(), nil
	}
	// As browsers do: names of local networks may have an underscore.
	lookup := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))
	name, err := lookup.ToASCII(strings.TrimSuffix(host, "."))
	if err != nil || name == "" || strings.ContainsAny(name, "\x00\t\n\r #%/:<>?@[\\]^|") {
		return "", fmt.Errorf("%w: %q", ErrServerName, host)
	}
	if name == localhost || strings.HasSuffix(name, "."+localhost) {
		return localhost, nil
	}
	return name, nil
}

// NormalizePassphrase brings a passphrase into the form that keys are derived
// from, Unicode's NFKC: keyboards differ in how they write the same characters.
func NormalizePassphrase(passphrase string) string { return norm.NFKC.String(passphrase) }
