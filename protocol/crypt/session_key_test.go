package crypt

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNewSessionKey(t *testing.T) {
	a, err := NewSessionKey()
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewSessionKey()
	if err != nil {
		t.Fatal(err)
	}
	if a == b || a == (SessionKey{}) {
		t.Error("session keys are not random")
	}
}

func TestProof(t *testing.T) {
	// RFC 4231, test case 2, with its key filled up by zeros, as HMAC does.
	key := SessionKey([]byte("Jefe" + strings.Repeat("\x00", KeySize-4)))
	challenge := []byte("what do ya want for nothing?")
	want, _ := hex.DecodeString("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")

	proof := key.Proof(challenge)
	if !bytes.Equal(proof[:], want) {
		t.Errorf("Proof = %x, want %x", proof, want)
	}
	if !key.VerifyProof(challenge, proof[:]) {
		t.Error("a right proof is refused")
	}
	for name, wrong := range map[string][]byte{
		"empty":         nil,
		"short":         proof[:ProofSize-1],
		"long":          append(proof[:], 0),
		"one bit wrong": append([]byte{proof[0] ^ 1}, proof[1:]...),
	} {
		if key.VerifyProof(challenge, wrong) {
			t.Errorf("a wrong proof is accepted: %s", name)
		}
	}
	if testKey.VerifyProof(challenge, proof[:]) || key.VerifyProof(nil, proof[:]) {
		t.Error("a proof of another key or challenge is accepted")
	}

	mac := hmac.New(sha256.New, testKey[:])
	mac.Write(challenge)
	if got := testKey.Proof(challenge); !hmac.Equal(got[:], mac.Sum(nil)) {
		t.Error("Proof is not HMAC-SHA256")
	}
}

func TestSessionKeyStaysHidden(t *testing.T) {
	key := SessionKey(bytes.Repeat([]byte{0xAB}, KeySize))
	var shown []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%08b", "%c", "%z"} {
		shown = append(shown,
			fmt.Sprintf(verb, key), fmt.Sprintf(verb, &key),
			fmt.Sprintf(verb, []SessionKey{key}), fmt.Sprintf(verb, struct{ Key SessionKey }{key}))
	}
	shown = append(shown, fmt.Sprint(key), key.String(), key.GoString(), fmt.Sprint(fmt.Errorf("got %v", key)))

	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		l := slog.New(handler)
		l.Info("key", "key", key, "pointer", &key, "in", struct{ Key SessionKey }{key}, "list", []SessionKey{key})
	}
	shown = append(shown, log.String())

	asJSON, err := json.Marshal(map[string]any{"key": key, "pointer": &key})
	if err != nil {
		t.Fatal(err)
	}
	shown = append(shown, string(asJSON))

	for _, s := range shown {
		if !strings.Contains(s, hiddenKey) {
			t.Errorf("not hidden: %s", s)
		}
		for _, leak := range []string{"171", "abab", "ABAB", "10101011", "ab ab", "AB AB", "\xab\xab", "««"} {
			if strings.Contains(s, leak) {
				t.Errorf("the key shows: %s", s)
			}
		}
	}
}
