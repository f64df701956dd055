package crypt

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"testing"
)

func TestUnwrapVectors(t *testing.T) {
	v := readVectors(t)
	seen := 0
	for _, label := range keyLabels {
		priv := readPrivateKey(t, label)
		for _, h := range []OAEPHash{SHA256, SHA1} {
			name := label + "_" + h.String()
			t.Run(name, func(t *testing.T) {
				wrapped, ok := v.Wrapped[name]
				if !ok {
					t.Fatal("no vector")
				}
				seen++
				key, err := Unwrap(priv, h, wrapped)
				if err != nil {
					t.Fatal(err)
				}
				if key != SessionKey(v.SessionKey) {
					t.Error("unwraps to another key")
				}
				if _, err := Unwrap(priv, SHA1-h, wrapped); !errors.Is(err, rsa.ErrDecryption) {
					t.Errorf("with the other hash: err = %v, want rsa.ErrDecryption", err)
				}
			})
		}
	}
	if seen != len(v.Wrapped) {
		t.Errorf("%d of %d vectors were tested", seen, len(v.Wrapped))
	}
}

func TestWrapAndUnwrap(t *testing.T) {
	for _, label := range keyLabels {
		priv := readPrivateKey(t, label)
		pub, _, err := ParsePublicKey(readPublicKey(t, label))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range []OAEPHash{SHA256, SHA1} {
			t.Run(label+"_"+h.String(), func(t *testing.T) {
				wrapped, err := Wrap(pub, h, testKey)
				if err != nil {
					t.Fatal(err)
				}
				if len(wrapped) != pub.Size() {
					t.Errorf("wrapped key has %d bytes, want %d", len(wrapped), pub.Size())
				}
				key, err := Unwrap(priv, h, wrapped)
				if err != nil || key != testKey {
					t.Errorf("Unwrap: another key, %v", err)
				}
				wrapped[len(wrapped)-1] ^= 1
				if _, err := Unwrap(priv, h, wrapped); !errors.Is(err, rsa.ErrDecryption) {
					t.Errorf("changed bit: err = %v, want rsa.ErrDecryption", err)
				}
			})
		}
	}
}

func TestUnwrapRefusesOtherLengths(t *testing.T) {
	priv := readPrivateKey(t, "rsa1024_e65537")
	for _, n := range []int{0, 16, 31, 33} {
		wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &priv.PublicKey, make([]byte, n), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Unwrap(priv, SHA256, wrapped); !errors.Is(err, ErrKeySize) {
			t.Errorf("a key of %d bytes: err = %v, want ErrKeySize", n, err)
		}
	}
}

func TestOAEPHash(t *testing.T) {
	for _, h := range []OAEPHash{SHA256, SHA1} {
		if got, err := ParseOAEPHash(h.String()); got != h || err != nil {
			t.Errorf("ParseOAEPHash(%q) = %v, %v", h, got, err)
		}
	}
	for _, name := range []string{"", "auto", "SHA256", "md5"} {
		if _, err := ParseOAEPHash(name); !errors.Is(err, ErrOAEPHash) {
			t.Errorf("ParseOAEPHash(%q): err = %v, want ErrOAEPHash", name, err)
		}
	}

	priv := readPrivateKey(t, "rsa1024_e65537")
	const unknown = OAEPHash(7)
	if got := unknown.String(); got != "OAEPHash(7)" {
		t.Errorf("String = %q", got)
	}
	if _, err := Wrap(&priv.PublicKey, unknown, testKey); !errors.Is(err, ErrOAEPHash) {
		t.Errorf("Wrap: err = %v, want ErrOAEPHash", err)
	}
	if _, err := Unwrap(priv, unknown, nil); !errors.Is(err, ErrOAEPHash) {
		t.Errorf("Unwrap: err = %v, want ErrOAEPHash", err)
	}
}

func TestAutoOAEPHash(t *testing.T) {
	for label, want := range map[string]OAEPHash{
		"rsa1024_e17":    SHA1,
		"rsa1024_e65537": SHA256,
		"rsa3072_e65537": SHA256,
	} {
		if got := AutoOAEPHash(readPublicKey(t, label)); got != want {
			t.Errorf("%s: %v, want %v", label, got, want)
		}
	}
}
