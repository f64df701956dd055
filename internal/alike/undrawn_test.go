package alike_test

import (
	"testing"

	"coffer/internal/alike"
)

func TestUndrawn(t *testing.T) {
	for _, tt := range []struct {
		what  string
		runes []rune
	}{
		{"zero width", []rune{0x200B, 0x2060, 0xFEFF, 0x00AD, 0x180E}},
		{"direction", []rune{0x200E, 0x200F, 0x061C, 0x202A, 0x202B, 0x202C, 0x202D, 0x202E, 0x2066, 0x2067, 0x2068, 0x2069}},
		{"invisible operators", []rune{0x2061, 0x2062, 0x2063, 0x2064, 0x2065, 0x206A, 0x206F}},
		{"variation selectors", []rune{0xFE00, 0xFE0E, 0xFE0F, 0xE0100, 0xE01EF, 0x180B, 0x180F}},
		{"joiners", []rune{0x200C, 0x200D, 0x034F}},
		{"vowels that are inherent", []rune{0x17B4, 0x17B5}},
		{"fillers", []rune{0x115F, 0x1160, 0x3164, 0xFFA0, 0x16FE4}},
		{"tags", []rune{0xE0001, 0xE0020, 0xE0041, 0xE007F, 0xE0FFF}},
		{"blanks", []rune{0x2800, 0x1D159, 0x13441, 0x13442, 0xFFFC}},
		{"notes", []rune{0x1D173, 0x1D17A}},
		{"shorthand", []rune{0x1BCA0, 0x1BCA3}},
		{"annotations, and what is reserved", []rune{0xFFF9, 0xFFFB, 0xFFF0, 0xFFF8}},
		{"ends of lines", []rune{0x2028, 0x2029}},
		{"private use", []rune{0xE000, 0xF8FF, 0xF0000, 0x10FFFD}},
		{"not assigned", []rune{0x0378, 0x1CBB, 0x2FE0, 0x10FFF, 0xE1000}},
		{"no characters", []rune{0xFDD0, 0xFFFE, 0xFFFF, 0x1FFFE, 0x2FFFF, 0x10FFFF}},
	} {
		for _, r := range tt.runes {
			for _, name := range []string{"a" + string(r) + "da", "ada" + string(r), string(r) + "ada", "日" + string(r) + "本", "ад" + string(r) + "а"} {
				if got, ok := alike.Undrawn(name); !ok || got != r {
					t.Errorf("%s: %U in %+q: got %U, %v", tt.what, r, name, got, ok)
				}
			}
		}
	}
	if r, ok := alike.Undrawn("e\u0301\u0301te"); !ok || r != '\u0301' {
		t.Errorf("an accent written twice: %U, %v", r, ok)
	}
	for _, name := range []string{
		"ada", "ada lovelace", "été", "e\u0301te\u0301", "Tie\u0302\u0301n", "דנה כהן", "שָׁלוֹם", "日本語", "山田\u3000太郎", "नमस्ते", "ສະບາຍດີ", "Ὀδυσσεύς",
		"می\u200cخواهم", "ක්\u200dෂ", "র\u200d্য", // joiners where letters join
		"👩\u200d💻", "❤\uFE0F", "❤\uFE0F\u200d🔥", "👩🏽\u200d🚒", "1\uFE0F\u20E3", "™\uFE0F", "‼\uFE0F", "🏴\u200d☠\uFE0F", // emoji
		"\U0001FAFF", "\U000323B5", // perhaps assigned since
		"a+b", "50 €", "x²", "ﬁn",
	} {
		if r, ok := alike.Undrawn(name); ok {
			t.Errorf("%q has %U", name, r)
		}
	}
}

func TestLike(t *testing.T) {
	for _, tt := range []struct {
		what  string
		a, b  string
		alike bool
	}{
		{"case", "ada", "ADA", true},
		{"case", "straße", "STRASSE", true},
		{"case", "Οδυσσεύς", "ΟΔΥΣΣΕΎΣ", true},
		{"accents apart", "Élan", "E\u0301lan", true},
		{"forms", "anna", "ａｎｎａ", true},
		{"forms", "fin", "ﬁn", true},
		{"forms", "x2", "x²", true},
		{"forms", "H1", "ℍ①", true},
		{"spaces", "ada lovelace", "ada\u00a0lovelace", true},
		{"spaces", "ada lovelace", "ada  lovelace", true},
		{"spaces of before", "ada", "ada ", true},
		{"not drawn, of before", "ada", "a\u200bda", true},
		{"not drawn, of before", "ada", "ada\u2800", true},
		{"not drawn, of before", "ada", "ad\u034fa", true},
		{"an emoji's selector", "❤", "❤\uFE0F", true},
		{"a Cyrillic letter", "admin", "аdmin", true},
		{"a Greek letter", "admin", "admιn", true},
		{"a Cherokee letter", "ADA", "ꭺdꭺ", true},
		{"a Cherokee letter", "WALES", "ᎳALES", true},
		{"an Armenian letter", "hans", "հans", true},
		{"all Cyrillic", "apple", "аррӏе", true},
		{"all Greek", "nova", "ηονα", true},
		{"both with a letter of elsewhere", "аdmin", "admіn", true},
		{"digits", "oskar", "0skar", false},
		{"one script", "modern", "modem", false},
		{"one script", "Ivan", "lvan", false},
		{"an accent", "elan", "élan", false},
		{"another script", "Иван", "Ivan", false},
		{"Japanese", "エ業", "工業", false},
		{"other names", "ada", "ben", false},
	} {
		a, b := alike.NameOf(tt.a), alike.NameOf(tt.b)
		if a.Like(b) != tt.alike || b.Like(a) != tt.alike || !a.Like(a) {
			t.Errorf("%s: %q and %q: alike is %v (%+v, %+v)", tt.what, tt.a, tt.b, a.Like(b), a, b)
		}
	}
}
