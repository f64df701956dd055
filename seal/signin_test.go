package seal

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
)

// The vectors were made by another implementation (Python's argon2-cffi and
// hashlib); the web client reads the same.
func TestSignInPassword(t *testing.T) {
	text, err := os.ReadFile("testdata/signin.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ Note, Name, Passphrase, Password string }
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range vectors {
		if got, err := SignInPassword(v.Name, v.Passphrase); err != nil || got != v.Password {
			t.Errorf("%s: %s, %v, want %s", v.Note, got, err, v.Password)
		}
	}
	if _, err := SignInPassword("ada", ""); !errors.Is(err, ErrNoPassphrase) {
		t.Errorf("no passphrase: %v", err)
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
