package seal

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"
)

// The vectors were made by another implementation (Python's cryptography and
// hashlib); the web client reads the same.
func TestSignInPassword(t *testing.T) {
	var vectors struct {
		Servers   []struct{ Host, Server string }
		Passwords []struct{ Note, Server, Name, Passphrase, Password string }
	}
	readVectors(t, "signin2.json", &vectors)
	if len(vectors.Servers) == 0 || len(vectors.Passwords) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range vectors.Servers {
		if got, err := SignInServer(v.Host); err != nil || got != v.Server {
			t.Errorf("%q: %q, %v, want %q", v.Host, got, err, v.Server)
		}
	}
	for _, v := range vectors.Passwords {
		if got, err := SignInPassword(v.Server, v.Name, v.Passphrase); err != nil || got != v.Password {
			t.Errorf("%s: %s, %v, want %s", v.Note, got, err, v.Password)
		}
	}
	if _, err := SignInPassword("localhost", "ada", ""); !errors.Is(err, ErrNoPassphrase) {
		t.Errorf("no passphrase: %v", err)
	}
	for _, host := range []string{"", ".", "a b", "a/b", "user@host", "host:1256", "a\x00b"} {
		if got, err := SignInServer(host); !errors.Is(err, ErrServerName) {
			t.Errorf("%q became %q, %v", host, got, err)
		}
	}
}

// What was derived before servers were known is derived for ever, so that
// accounts of then can be moved.
func TestEarlierSignInPassword(t *testing.T) {
	var vectors []struct{ Note, Name, Passphrase, Password string }
	readVectors(t, "signin.json", &vectors)
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range vectors {
		if got, err := EarlierSignInPassword(v.Name, v.Passphrase); err != nil || got != v.Password {
			t.Errorf("%s: %s, %v, want %s", v.Note, got, err, v.Password)
		}
	}
}

func readVectors(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// However a keyboard writes a passphrase, it opens the bundle, and so does one
// that a bundle was sealed with before passphrases were normalised.
func TestPassphraseIsNormalized(t *testing.T) {
	const composed, decomposed = "été", "e\u0301te\u0301"
	for _, to := range []string{composed, decomposed} {
		bundle, err := SealWithPassphrase([]byte("keys"), to, WorkFactor(cheap))
		if err != nil {
			t.Fatal(err)
		}
		for _, by := range []string{composed, decomposed} {
			if got, err := OpenWithPassphrase(bundle, by); err != nil || string(got) != "keys" {
				t.Errorf("sealed with %+q, opened with %+q: %v", to, by, err)
			}
		}
	}
	old, err := sealWith([]byte("keys"), decomposed, WorkFactor(cheap))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenWithPassphrase(old, decomposed); err != nil || string(got) != "keys" {
		t.Errorf("sealed as it was typed: %v", err)
	}
}

// The key bundles were made once, by this package at a low cost, and open for
// ever; the web client opens the same.
func TestKeyBundles(t *testing.T) {
	text, err := os.ReadFile("testdata/bundle.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Note, Passphrase, Content string
		Bundle                    []byte
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range vectors {
		if got, err := OpenWithPassphrase(v.Bundle, v.Passphrase); err != nil || string(got) != v.Content {
			t.Errorf("%s: %v, or other content", v.Note, err)
		}
		if _, err := OpenWithPassphrase(v.Bundle, v.Passphrase+" "); !errors.Is(err, ErrWrongPassphrase) {
			t.Errorf("%s: with another passphrase: %v", v.Note, err)
		}
		for _, fromEnd := range []int{1, len(v.Content) / 2} { // both in what was sealed
			changed := slices.Clone(v.Bundle)
			changed[len(changed)-fromEnd] ^= 1
			if _, err := OpenWithPassphrase(changed, v.Passphrase); !errors.Is(err, ErrTampered) {
				t.Errorf("%s: changed: %v", v.Note, err)
			}
		}
	}
}
