package crypt

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"math/big"
	"testing"
)

func TestParsePublicKey(t *testing.T) {
	for _, label := range keyLabels {
		want := readPublicKey(t, label)
		priv := readPrivateKey(t, label)
		for name, after := range map[string][]byte{
			"alone":        nil,
			"then zeros":   make([]byte, 2),
			"then garbage": []byte("\x30\x82\xff\xff"),
		} {
			t.Run(label+" "+name, func(t *testing.T) {
				field := append(bytes.Clone(want), after...)
				pub, der, err := ParsePublicKey(field)
				if err != nil {
					t.Fatal(err)
				}
				if !pub.Equal(&priv.PublicKey) {
					t.Error("another key")
				}
				clear(field) // der must not lie in it
				if !bytes.Equal(der, want) {
					t.Errorf("der = %x, want %x", der, want)
				}
				if got := Fingerprint(pub); got != sha256.Sum256(want) {
					t.Errorf("Fingerprint = %x", got)
				}
			})
		}
	}
}

func TestParsePublicKeyRefuses(t *testing.T) {
	der := readPublicKey(t, "rsa1024_e65537")
	numbers := func(bits, lowest uint, e int) []byte {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		n.Or(n, big.NewInt(int64(lowest)))
		b, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n, E: e})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalPKIXPublicKey(&ec.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		field []byte
	}{
		{"empty", nil},
		{"zeros", make([]byte, 162)},
		{"cut short", der[:len(der)-1]},
		{"length beyond the field", append([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}, der...)},
		{"length not minimal", append([]byte{0x30, 0x82, 0x00, der[2]}, der[3:]...)},
		{"PKCS#1 instead of SPKI", der[22:]},
		{"elliptic curve", ecDER},
		{"1023 bits", numbers(1023, 1, 3)},
		{"4097 bits", numbers(4097, 1, 3)},
		{"8192 bits", numbers(8192, 1, 3)},
		{"16384 bits", numbers(16384, 1, 3)},
		{"even modulus", numbers(1024, 2, 3)},
		{"exponent 1", numbers(1024, 1, 1)},
		{"even exponent", numbers(1024, 1, 4)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			pub, got, err := ParsePublicKey(test.field)
			if !errors.Is(err, ErrPublicKey) || pub != nil || got != nil {
				t.Errorf("= %v, %x, %v, want ErrPublicKey", pub, got, err)
			}
		})
	}
	for _, bits := range []uint{MinRSABits, MaxRSABits} {
		if _, _, err := ParsePublicKey(numbers(bits, 1, 3)); err != nil {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}

func FuzzParsePublicKey(f *testing.F) {
	for _, label := range keyLabels {
		f.Add(readPublicKey(f, label))
		f.Add(append(readPublicKey(f, label), 0, 0))
	}
	f.Fuzz(func(t *testing.T, field []byte) {
		pub, der, err := ParsePublicKey(field)
		if err != nil {
			if !errors.Is(err, ErrPublicKey) {
				t.Errorf("err = %v, want ErrPublicKey", err)
			}
			return
		}
		if !bytes.HasPrefix(field, der) {
			t.Error("der is not what the field begins with")
		}
		again, _, err := ParsePublicKey(der)
		if err != nil || !again.Equal(pub) || Fingerprint(again) != Fingerprint(pub) {
			t.Errorf("der alone is another key: %v", err)
		}
		if _, err := Wrap(pub, SHA256, testKey); err != nil {
			t.Errorf("accepted, but cannot wrap: %v", err)
		}
	})
}
