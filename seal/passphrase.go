package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"filippo.io/age"
)

const (
	// MaxBundle is the most content that is sealed with a passphrase, in bytes.
	MaxBundle = 1 << 20
	// DefaultWorkFactor makes one guess cost about a second and 256 MiB.
	DefaultWorkFactor = 18
	// MaxWorkFactor is the highest work factor that is opened; it takes 1 GiB.
	MaxWorkFactor = 20

	// bundleOverhead is more than age adds to MaxBundle bytes.
	bundleOverhead = 64 << 10
)

var (
	// ErrWrongPassphrase: the bundle is sealed with another passphrase.
	ErrWrongPassphrase = errors.New("wrong passphrase")
	// ErrTooLarge: a bundle has more than [MaxBundle] bytes.
	ErrTooLarge = errors.New("too large to be sealed with a passphrase")
)

// A PassphraseOption changes how a bundle is sealed with a passphrase.
type PassphraseOption func(*age.ScryptRecipient)

// WorkFactor sets scrypt's cost to 2^logN in place of [DefaultWorkFactor].
// A logN outside 1 to [MaxWorkFactor] is brought inside.
func WorkFactor(logN int) PassphraseOption {
	return func(to *age.ScryptRecipient) { to.SetWorkFactor(min(max(logN, 1), MaxWorkFactor)) }
}

// SealWithPassphrase seals a small bundle, such as a person's keys, with a
// passphrase that must not be empty, in the form of [NormalizePassphrase].
// Content of more than [MaxBundle] bytes is [ErrTooLarge].
func SealWithPassphrase(content []byte, passphrase string, options ...PassphraseOption) ([]byte, error) {
	return sealWith(content, NormalizePassphrase(passphrase), options...)
}

func sealWith(content []byte, passphrase string, options ...PassphraseOption) ([]byte, error) {
	if len(content) > MaxBundle {
		return nil, ErrTooLarge
	}
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, fmt.Errorf("seal with a passphrase: %w", err)
	}
	to.SetWorkFactor(DefaultWorkFactor)
	for _, option := range options {
		option(to)
	}
	sealed, err := age.EncryptReader(bytes.NewReader(content), to)
	if err != nil {
		return nil, fmt.Errorf("seal with a passphrase: %w", err)
	}
	return io.ReadAll(sealed)
}

// OpenWithPassphrase returns the content of a bundle that [SealWithPassphrase]
// or "age -p" made; the passphrase may be the one that was typed then, or
// another that looks the same. It fails with [ErrNotSealed], [ErrWrongPassphrase],
// [ErrTampered] or [ErrTooLarge], and spends no more work on a guess than
// [MaxWorkFactor] allows.
func OpenWithPassphrase(sealed []byte, passphrase string) ([]byte, error) {
	content, err := openWith(sealed, NormalizePassphrase(passphrase))
	if errors.Is(err, ErrWrongPassphrase) && NormalizePassphrase(passphrase) != passphrase {
		return openWith(sealed, passphrase)
	}
	return content, err
}

func openWith(sealed []byte, passphrase string) ([]byte, error) {
	if len(sealed) > MaxBundle+bundleOverhead {
		return nil, ErrTooLarge
	}
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, fmt.Errorf("open with a passphrase: %w", err)
	}
	id.SetMaxWorkFactor(MaxWorkFactor)
	r, err := open(bytes.NewReader(sealed), id)
	var noMatch *age.NoIdentityMatchError
	switch {
	case errors.As(err, &noMatch) && slices.Contains(noMatch.StanzaTypes, "scrypt"):
		return nil, ErrWrongPassphrase
	case errors.As(err, &noMatch):
		return nil, fmt.Errorf("%w with a passphrase, but for an identity", ErrNotSealed)
	case err != nil:
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(r, MaxBundle+1))
	if err != nil {
		return nil, err
	}
	if len(content) > MaxBundle {
		return nil, ErrTooLarge
	}
	return content, nil
}
