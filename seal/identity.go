package seal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"filippo.io/age"
)

// ErrBadIdentity: the text is not one age identity. It never quotes the text,
// which may be most of a secret.
var ErrBadIdentity = errors.New("not an age identity")

// An Identity opens what was sealed to it. It holds a secret and prints as a
// fingerprint; only [Identity.Secret] gives the secret away. The zero Identity
// seals and opens nothing.
type Identity struct {
	key       secretKey
	recipient age.Recipient
	public    string
}

// secretKey is a native age identity, whose String is the secret.
type secretKey interface {
	age.Identity
	String() string
}

// GenerateIdentity makes a new identity of age's post-quantum hybrid kind
// (ML-KEM-768 with X25519).
func GenerateIdentity() (Identity, error) {
	key, err := age.GenerateHybridIdentity()
	if err != nil {
		return Identity{}, fmt.Errorf("make an age identity: %w", err)
	}
	return hybrid(key), nil
}

// ParseIdentity reads what [Identity.Secret] gave, or the one identity in a
// file of age-keygen's, with its comments. The hybrid and the X25519 kind are
// accepted. It fails with [ErrBadIdentity].
func ParseIdentity(text string) (Identity, error) {
	keys, err := age.ParseIdentities(strings.NewReader(strings.TrimSpace(text)))
	if err != nil || len(keys) != 1 {
		return Identity{}, ErrBadIdentity
	}
	switch key := keys[0].(type) {
	case *age.HybridIdentity:
		return hybrid(key), nil
	case *age.X25519Identity:
		to := key.Recipient()
		return Identity{key: key, recipient: to, public: to.String()}, nil
	default:
		return Identity{}, ErrBadIdentity
	}
}

func hybrid(key *age.HybridIdentity) Identity {
	to := key.Recipient()
	return Identity{key: key, recipient: to, public: to.String()}
}

// Secret is the identity as text, to be stored where only its owner reads it.
func (id Identity) Secret() string {
	if id.key == nil {
		return ""
	}
	return id.key.String()
}

// Recipient is the public half as age writes it ("age1..."): anyone with it can
// seal to the identity. It is about 2,000 characters long for the hybrid kind.
func (id Identity) Recipient() string { return id.public }

// Fingerprint is a short, stable, public name of the identity.
func (id Identity) Fingerprint() string {
	sum := sha256.Sum256([]byte(id.public))
	return hex.EncodeToString(sum[:8])
}

// Format prints the fingerprint, whatever the verb.
func (id Identity) Format(f fmt.State, _ rune) { fmt.Fprint(f, id.label()) }

// LogValue logs the fingerprint.
func (id Identity) LogValue() slog.Value { return slog.StringValue(id.label()) }

func (id Identity) label() string { return "identity:" + id.Fingerprint() }
