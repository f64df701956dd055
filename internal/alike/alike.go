// Package alike compares names as people do.
package alike

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Key is equal for two names that people take for the same: they differ in
// upper and lower case alone, or in whether their accents are composed with the
// letters, as Windows has them, or stand by themselves, as on macOS.
func Key(name string) string {
	// Upper case first: some letters have several lower cases.
	return norm.NFC.String(strings.ToLower(strings.ToUpper(norm.NFC.String(name))))
}
