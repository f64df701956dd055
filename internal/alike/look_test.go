package alike_test

import (
	"testing"

	"coffer/internal/alike"
)

func TestLook(t *testing.T) {
	for _, pair := range [][2]string{
		{"admin", "аdmin"},   // a Cyrillic a
		{"paypal", "раураl"}, // four of them
		{"NIKOS", "ΝΙΚΟS"},   // Greek capitals
		{"nova", "ηονα"},     // and small letters
		{"oskar", "0skar"},
		{"lvan", "Ivan"},
		{"modern", "modem"},
		{"anna", "ａｎｎａ"},     // full width
		{"ada", "a\u200bda"}, // an account from before
		{"ada", "ada "},
		{"Élan", "E\u0301lan"},
	} {
		if a, b := alike.Look(pair[0]), alike.Look(pair[1]); a != b {
			t.Errorf("%q looks %q, %q looks %q", pair[0], a, pair[1], b)
		}
	}
	for _, pair := range [][2]string{{"elan", "élan"}, {"anna", "hanna"}, {"host2", "host3"}, {"Иван", "Ivan"}, {"Νίκος", "Nikos"}} {
		if a, b := alike.Look(pair[0]), alike.Look(pair[1]); a == b {
			t.Errorf("%q and %q both look %q", pair[0], pair[1], a)
		}
	}
}
