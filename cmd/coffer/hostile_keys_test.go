package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/seal"
)

// sealedProfile is a key bundle with what change makes of a profile.
func sealedProfile(t *testing.T, p profile, passphrase string, change func(*profile)) []byte {
	t.Helper()
	change(&p)
	content, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := seal.SealWithPassphrase(content, passphrase, seal.WorkFactor(1))
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

// sealedFor is a profile that is sealed for a key in place of the passphrase.
func sealedFor(t *testing.T, p profile) []byte {
	t.Helper()
	id, err := seal.GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	content, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var sealed bytes.Buffer
	w, err := seal.Seal(&sealed, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return sealed.Bytes()
}

// A server that hands out other keys than the account's own, or a bundle that
// is not sealed by the passphrase alone, signs nobody in: else the next backup
// would be sealed for whoever made those keys.
func TestSignInRefusesOtherKeys(t *testing.T) {
	v := keyBundles(t)[0]
	p, err := parseProfile([]byte(v.Content))
	if err != nil {
		t.Fatal(err)
	}
	const other = "0102030405060708090a0b0c0d0e0f10"
	for _, tt := range []struct {
		name   string
		bundle []byte
		want   string
	}{
		{"another account's", sealedProfile(t, *p, v.Passphrase, func(p *profile) { p.Username, p.ClientID = "mallory", other }), "a different account"},
		{"another name's", sealedProfile(t, *p, v.Passphrase, func(p *profile) { p.Username = "mallory" }), "a different account"},
		{"another id's", sealedProfile(t, *p, v.Passphrase, func(p *profile) { p.ClientID = other }), "a different account"},
		{"another's by another passphrase", sealedProfile(t, *p, "mallory's passphrase", func(*profile) {}), "open the account's keys"},
		{"sealed for a key", sealedFor(t, *p), "open the account's keys"},
		{"no recipient", sealedProfile(t, *p, v.Passphrase, func(p *profile) { p.Identity = "" }), "read the account's keys"},
		{"the recipient's public half", sealedProfile(t, *p, v.Passphrase, func(p *profile) { p.Identity = publicHalf(t, p) }), "read the account's keys"},
		{"no RSA key", sealedProfile(t, *p, v.Passphrase, func(p *profile) { p.RSAKey = nil }), "read the account's keys"},
		{"swapped within", swapped(t, v.Bundle), "open the account's keys"},
		{"work for a day", withWork(t, v.Bundle, "30"), "open the account's keys"},
		{"work for ever", withWork(t, v.Bundle, "63"), "open the account's keys"},
		{"work beyond a number", withWork(t, v.Bundle, "99999999999999999999"), "open the account's keys"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := startFakeGateway(t, map[string]http.HandlerFunc{
				loginPath:  answer(200, `{"session_token":"token","client_id":"`+p.ClientID+`"}`),
				bundlePath: answer(200, string(tt.bundle)),
			})
			home := filepath.Join(t.TempDir(), "home")
			code, stdout, stderr := coffer(t, home, map[string]string{"COFFER_PASSPHRASE": v.Passphrase},
				"sign-in", "--gateway", g.URL, "--name", p.Username, "--server", "127.0.0.1:1")
			if code != 1 || stdout != "" || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
			}
			if _, err := os.Stat(filepath.Join(home, "profile.json")); err == nil {
				t.Error("a profile was saved")
			}
		})
	}
}

// A recovery file is read as closely.
func TestKeyImportRefusesOtherKeys(t *testing.T) {
	v := keyBundles(t)[0]
	p, err := parseProfile([]byte(v.Content))
	if err != nil {
		t.Fatal(err)
	}
	for name, bundle := range map[string][]byte{
		"sealed for a key": sealedFor(t, *p),
		"swapped within":   swapped(t, v.Bundle),
		"no recipient":     sealedProfile(t, *p, v.Passphrase, func(p *profile) { p.Identity = "" }),
		"work for a day":   withWork(t, v.Bundle, "30"),
	} {
		file := filepath.Join(t.TempDir(), "keys")
		if err := os.WriteFile(file, bundle, 0o600); err != nil {
			t.Fatal(err)
		}
		home := filepath.Join(t.TempDir(), "home")
		code, stdout, stderr := coffer(t, home, map[string]string{"COFFER_PASSPHRASE": v.Passphrase}, "key", "import", file, "--server", "127.0.0.1:1")
		if _, err := os.Stat(filepath.Join(home, "profile.json")); code != 1 || stdout != "" || err == nil {
			t.Errorf("%s: exit code %d, %v\n%s%s", name, code, err, stdout, stderr)
		}
	}
}

// publicHalf is whom the profile's backups are sealed for.
func publicHalf(t *testing.T, p *profile) string {
	t.Helper()
	id, err := p.identity()
	if err != nil {
		t.Fatal(err)
	}
	return id.Recipient()
}

// withWork claims another scrypt work factor for a bundle.
func withWork(t *testing.T, bundle []byte, logN string) []byte {
	t.Helper()
	lines := bytes.SplitN(bundle, []byte("\n"), 3)
	words := bytes.Split(lines[1], []byte(" "))
	if len(words) != 4 || string(words[1]) != "scrypt" {
		t.Fatalf("the bundle's stanza is %q", lines[1])
	}
	words[3] = []byte(logN)
	lines[1] = bytes.Join(words, []byte(" "))
	return bytes.Join(lines, []byte("\n"))
}

// swapped turns one bit of what a bundle seals.
func swapped(t *testing.T, bundle []byte) []byte {
	t.Helper()
	changed := bytes.Clone(bundle)
	changed[len(changed)-20] ^= 1
	return changed
}
