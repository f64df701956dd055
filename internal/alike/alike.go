// Package alike compares names as people do.
//
// A name has a Key, which is equal for names that are the same to a reader, and
// a Look, which is equal for names that look alike on a screen. Like reports
// which names must not exist side by side, and Resembles which are marked.
package alike

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Key is equal for two names that people take for the same: they differ in
// upper and lower case alone, in whether their accents are composed with the
// letters, as Windows has them, or stand by themselves, as on macOS, in forms
// of the same characters (full width, ligatures, superscripts), in how wide
// their spaces are, or in characters that are not drawn. That is Unicode's
// NFKC_Casefold, and a little more.
func Key(name string) string {
	name = strings.Join(strings.Fields(drawn(norm.NFKC.String(name))), " ")
	// Upper case first: some letters have several lower cases.
	name = strings.ToLower(strings.ToUpper(name))
	if isASCII(name) {
		return name
	}
	return norm.NFKC.String(cases.Fold().String(name))
}

func isASCII(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII })
}

// A Name is a name that can be compared with others.
type Name struct {
	key, look string
	scripts   scripts
}

// NameOf prepares a name for being compared.
func NameOf(name string) Name { return Name{Key(name), Look(name), scriptsOf(name)} }

// Like reports whether people would take one name for the other: their Key is
// equal, or they look the same with letters of different scripts, such as admin
// with a Cyrillic a. Similar names of one script, such as oskar and 0skar, or
// modern and modem, can both belong to people.
func (n Name) Like(other Name) bool {
	return n.key == other.key || n.look == other.look && !n.scripts.same(other.scripts)
}

// Resembles reports whether two names look alike, whatever their scripts.
func (n Name) Resembles(other Name) bool { return n.key == other.key || n.look == other.look }

// Likenesses are one text or two, of which names that resemble each other have
// one in common.
func (n Name) Likenesses() []string {
	if n.key == n.look {
		return []string{n.key}
	}
	return []string{n.key, n.look}
}
