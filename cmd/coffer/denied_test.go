package main

import (
	"strings"
	"testing"
)

// A hint stands where it can be of use.
func TestDeniedSignIn(t *testing.T) {
	for _, test := range []struct {
		name              string
		earlier           bool
		capitals, another bool
	}{{"ada", false, false, true}, {"Ada", false, true, true}, {"ada", true, false, false}} {
		text := deniedSignIn(test.name, test.earlier).Error()
		if strings.Contains(text, "capitals count") != test.capitals || strings.Contains(text, "--earlier-password") != test.another {
			t.Errorf("%+v: %s", test, text)
		}
	}
}
