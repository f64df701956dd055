package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/trustelem/zxcvbn"

	"coffer/internal/program"
	"coffer/seal"
)

// errWeak: somebody would guess the passphrase.
var errWeak = errors.New("the passphrase is too easy to guess")

const (
	// leastGuesses is what a passphrase has to withstand; the web client wants
	// the same.
	leastGuesses = 1e11
	// guessesPerSecond are those of an attacker who has the server's disk and a
	// rack of graphics cards: each guess costs Argon2id over 64 MiB.
	guessesPerSecond = 100_000
	// mostEstimated is how much of a passphrase is looked at, in characters.
	// Looking takes quadratic time, and past this there is nothing left to say.
	mostEstimated = 100
)

// checkStrength refuses a new passphrase that somebody would guess. Known are
// words that an attacker would try first, such as the account's name.
//
// It counts as zxcvbn does, in the version that the web client's is made from,
// so that both take and refuse the same. That algorithm has not changed since
// 2017, and neither has this port of it, a function without dependencies; the
// ports that are still worked on are of the version before, which takes eight
// characters for a hundred thousand times as strong.
func checkStrength(passphrase string, known ...string) error {
	text := []rune(seal.NormalizePassphrase(passphrase))
	guesses := zxcvbn.PasswordStrength(string(text[:min(len(text), mostEstimated)]), known).Guesses
	if guesses >= leastGuesses {
		return nil
	}
	return fmt.Errorf("%w: an attacker with the server's disk needs %s; use four or more unrelated words", errWeak, guessingTime(guesses))
}

func guessingTime(guesses float64) string {
	took := time.Duration(math.Min(guesses/guessesPerSecond, 1e9) * float64(time.Second))
	switch {
	case took < time.Minute:
		return "less than a minute"
	case took < 2*time.Hour:
		return "about " + program.Count(int(math.Ceil(took.Minutes())), "minute", "minutes")
	case took < 48*time.Hour:
		return "about " + program.Count(int(math.Ceil(took.Hours())), "hour", "hours")
	}
	return "about " + program.Count(int(math.Ceil(took.Hours()/24)), "day", "days")
}
