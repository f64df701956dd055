package alike

import (
	"strings"
	"unicode"
)

// Undrawn is the first character of a name that draws nothing, that turns the
// direction of writing, or that each font draws as it likes; ok is false if it
// has none. What scripts and emoji are written with is none: joiners between
// letters of scripts that join, or between parts of an emoji, and the variation
// selector that asks for an emoji in colour.
func Undrawn(name string) (r rune, ok bool) {
	runes := []rune(name)
	at := func(i int) rune {
		if i < 0 || i >= len(runes) {
			return 0
		}
		return runes[i]
	}
	for i, r := range runes {
		switch {
		case r == joiner && emoji(at(i-1)) && emoji(at(i+1)):
		case r == joiner || r == nonJoiner:
			if !joins(at(i-1)) || !joins(at(i+1)) {
				return r, true
			}
		case r == inColour:
			if !coloured(at(i-1), at(i+1)) {
				return r, true
			}
		case blank(r) || unassigned(r) || unicode.In(r, unicode.Co, unicode.Zl, unicode.Zp, unicode.Noncharacter_Code_Point):
			return r, true
		case unicode.Is(unicode.Mn, r) && r == at(i-1): // drawn over itself
			return r, true
		}
	}
	return 0, false
}

const (
	joiner    = '\u200D'
	nonJoiner = '\u200C'
	inColour  = '\uFE0F' // variation selector 16
	keycap    = '\u20E3'
)

// blank reports whether a character draws nothing: Unicode's
// Default_Ignorable_Code_Point and other formatting characters, and those whose
// glyph is empty.
func blank(r rune) bool {
	if r <= unicode.MaxASCII {
		return false
	}
	switch r {
	case '\u2800', // Braille without dots
		'\uFFFC',                   // stands for an object that is not there
		'\U00013441', '\U00013442', // hieroglyphs that are blank
		'\U00016FE4', // a filler
		'\U0001D159': // a note without a head
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// unassigned reports whether a character has no meaning yet. It excludes ranges
// that get new characters each year: emoji and rare Han characters.
func unassigned(r rune) bool {
	emoji, han := r >= 0x1F000 && r <= 0x1FAFF, r >= 0x20000 && r <= 0x3FFFF
	return unicode.Is(unicode.Cn, r) && !emoji && !han
}

// drawn is a name without what draws nothing.
func drawn(name string) string {
	return strings.Map(func(r rune) rune {
		if blank(r) {
			return -1
		}
		return r
	}, name)
}

// joins reports whether a letter is of a script whose letters join, so that it
// shows whether a joiner is there.
func joins(r rune) bool {
	return unicode.In(r, unicode.Letter, unicode.Mark) && unicode.In(r,
		unicode.Arabic, unicode.Syriac, unicode.Mandaic, unicode.Manichaean, unicode.Mongolian, unicode.Nko, unicode.Adlam, unicode.Hanifi_Rohingya,
		unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu,
		unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar, unicode.Tibetan, unicode.Inherited)
}

// emoji reports whether a character can be part of an emoji of several.
func emoji(r rune) bool {
	return r == inColour || pictograph(r) || unicode.Is(unicode.Sk, r) && r >= 0x1F3FB
}

// coloured reports whether the variation selector after a character, and before
// the next, makes an emoji of it.
func coloured(before, after rune) bool {
	switch before {
	case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '#', '*':
		return after == keycap
	case '\u203C', '\u2049', '\u2139', '\u3030':
		return true
	}
	return pictograph(before)
}

// pictograph reports whether a character is a symbol of those among which the
// emoji are.
func pictograph(r rune) bool {
	return r != '\uFFFC' && r != '\u2800' && (unicode.Is(unicode.So, r) || r >= 0x2190 && unicode.Is(unicode.Sm, r))
}
