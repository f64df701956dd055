package alike

import (
	"strings"

	"github.com/mtibben/confusables"
	"golang.org/x/text/unicode/norm"
)

// Look is equal for two names that look alike on a screen. It is the skeleton
// of Unicode's UTS #39, in which letters of other scripts, and digits, stand
// for the letters that they are drawn like; and beyond it what drawnLike has,
// without the difference of case, and without what is not drawn. Names that
// differ by Key alone may differ by Look.
func Look(name string) string {
	look := drawn(norm.NFKC.String(name))
	for range 2 { // in lower case, some letters are drawn like others again
		look = Key(skeleton(strings.Map(latin, look)))
	}
	return strings.ReplaceAll(look, "vv", "w")
}

// skeleton returns the skeleton of UTS #39. Most names are ASCII, for which it
// is cheap: a server computes one for each account at its start.
func skeleton(name string) string {
	if !isASCII(name) {
		return confusables.Skeleton(name)
	}
	var b strings.Builder
	for _, c := range []byte(name) {
		switch c {
		case 'm':
			b.WriteString("rn")
		case '"':
			b.WriteString("''")
		case '`':
			b.WriteByte('\'')
		case '1', 'I', '|':
			b.WriteByte('l')
		case '0':
			b.WriteByte('O')
		case '%':
			b.WriteString("º/₀")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func latin(r rune) rune {
	if latin, ok := drawnLike[r]; ok {
		return latin
	}
	return r
}

// drawnLike are characters that most fonts draw as a Latin letter, also in the
// other case, which the skeleton does not go by. Capitals and small letters
// stand apart where they are drawn like different letters.
var drawnLike = map[rune]rune{
	'0': 'o', '1': 'l', 'I': 'l', '|': 'l', 'ı': 'i', 'ɑ': 'a', 'ɡ': 'g', 'ʟ': 'l',

	// Small capitals, of which Cherokee has more.
	'ᴀ': 'a', 'ʙ': 'b', 'ᴄ': 'c', 'ᴅ': 'd', 'ᴇ': 'e', 'ꜰ': 'f', 'ɢ': 'g', 'ʜ': 'h', 'ɪ': 'l', 'ᴊ': 'j', 'ᴋ': 'k', 'ᴍ': 'm', 'ɴ': 'n',
	'ᴏ': 'o', 'ᴘ': 'p', 'ʀ': 'r', 'ꜱ': 's', 'ᴛ': 't', 'ᴜ': 'u', 'ᴠ': 'v', 'ᴡ': 'w', 'ʏ': 'y', 'ᴢ': 'z',

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
