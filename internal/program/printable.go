package program

import (
	"strings"
	"unicode"
)

// Printable is a text of somebody else's, such as a server's, as a terminal may
// be shown it: what is not printable could move the cursor or set a title.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
