package program

import (
	"strings"
	"unicode"
)

// Printable makes untrusted text, such as a server's message, safe for a
// terminal: unprintable characters could move the cursor or set a title.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
