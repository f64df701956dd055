package main

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// The web client reads the same vectors: both take and refuse the same.
func TestStrength(t *testing.T) {
	text, err := os.ReadFile("../../seal/testdata/strength.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Passphrase string
		Known      []string
		Taken      bool
	}
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors) == 0 {
		t.Fatalf("%d vectors: %v", len(vectors), err)
	}
	for _, v := range vectors {
		err := checkStrength(v.Passphrase, v.Known...)
		if taken := err == nil; taken != v.Taken {
			t.Errorf("%q: %v", v.Passphrase, err)
		}
		if err != nil && (!errors.Is(err, errWeak) || len(v.Passphrase) > 1 && strings.Contains(err.Error(), v.Passphrase)) {
			t.Errorf("%q: %v", v.Passphrase, err)
		}
	}
}

func TestGuessingTime(t *testing.T) {
	for guesses, want := range map[float64]string{
		1:         "less than a minute",
		6e6 + 1:   "about 2 minutes",
		3.6e9 + 1: "about 11 hours",
		9e10:      "about 11 days",
		1e300:     "about 11,575 days",
	} {
		if got := guessingTime(guesses); got != want {
			t.Errorf("%g: %s, want %s", guesses, got, want)
		}
	}
}

// Whatever a person types is judged, and quickly.
func FuzzStrength(f *testing.F) {
	f.Add("correct horse battery staple")
	f.Add("\xff\xfe\u202e" + strings.Repeat("aA1!", 500))
	f.Fuzz(func(t *testing.T, passphrase string) {
		if err := checkStrength(passphrase, "ada"); err != nil && !errors.Is(err, errWeak) {
			t.Error(err)
		}
	})
}
