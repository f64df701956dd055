package alike

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Look is equal for two names that are hard to tell apart on a screen: letters
// of other scripts stand for the Latin ones they are drawn like, and what is
// not drawn is left out. It sees more pairs than a registration may be refused
// for: Cyrillic names and Latin ones can both be right. Names that differ by
// Key alone may differ by Look.
func Look(name string) string {
	drawn := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		if latin, ok := drawnLike[r]; ok {
			return latin
		}
		return r
	}, norm.NFKC.String(name))
	drawn = Key(strings.Join(strings.Fields(drawn), " "))
	return strings.NewReplacer("rn", "m", "vv", "w").Replace(drawn)
}

// drawnLike are characters that most fonts draw as a Latin letter, those that
// Unicode's UTS #39 lists for Cyrillic, Greek, Armenian and for digits. Capitals
// and small letters stand apart where they are drawn like different letters.
var drawnLike = map[rune]rune{
	'0': 'o', '1': 'l', 'I': 'l', '|': 'l', 'ı': 'i', 'ɑ': 'a', 'ɡ': 'g', 'ʟ': 'l',

	// Cyrillic.
	'а': 'a', 'А': 'a', 'В': 'b', 'Ь': 'b', 'с': 'c', 'С': 'c', 'ԁ': 'd', 'е': 'e', 'Е': 'e', 'һ': 'h', 'Н': 'h',
	'і': 'i', 'І': 'l', 'ӏ': 'l', 'Ӏ': 'l', 'ј': 'j', 'Ј': 'j', 'к': 'k', 'К': 'k', 'М': 'm', 'о': 'o', 'О': 'o',
	'р': 'p', 'Р': 'p', 'ԛ': 'q', 'ѕ': 's', 'Ѕ': 's', 'Т': 't', 'ѵ': 'v', 'Ѵ': 'v', 'ԝ': 'w', 'Ԝ': 'w',
	'х': 'x', 'Х': 'x', 'у': 'y', 'У': 'y', 'ү': 'y', 'Ү': 'y', 'З': '3', 'з': '3',

	// Greek.
	'α': 'a', 'Α': 'a', 'Β': 'b', 'ϲ': 'c', 'Ε': 'e', 'Η': 'h', 'η': 'n', 'ι': 'i', 'Ι': 'l', 'ϳ': 'j', 'κ': 'k', 'Κ': 'k',
	'Μ': 'm', 'Ν': 'n', 'ν': 'v', 'ο': 'o', 'Ο': 'o', 'ρ': 'p', 'Ρ': 'p', 'Τ': 't', 'υ': 'u', 'Υ': 'y', 'χ': 'x', 'Χ': 'x', 'Ζ': 'z',

	// Armenian.
	'ց': 'g', 'հ': 'h', 'յ': 'j', 'ո': 'n', 'օ': 'o', 'ս': 'u', 'Լ': 'l', 'Տ': 's',
}
