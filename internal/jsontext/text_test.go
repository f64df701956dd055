package jsontext

import "testing"

func TestCheckText(t *testing.T) {
	for _, test := range []struct {
		body string
		ok   bool
	}{
		{`"caf\u00e9"`, true},
		{`"café"`, true},
		{`"\ud83d\ude00"`, true},
		{`"\uD83D\uDE00 \uD83D\uDE00"`, true},
		{`"\\ud800"`, true}, // a backslash and five letters
		{`"\ufffd"`, true},
		{"\"\ufffd\"", true}, // which somebody typed
		{`"\\\\"`, true},
		{`"\u00`, true}, // not JSON, which others say
		{`"\`, true},
		{"\"caf\xe9\"", false},
		{"\"\xed\xa0\x80\"", false}, // a surrogate in UTF-8
		{"\"\xc0\xaf\"", false},     // overlong
		{"\xef\xbb\xbf\"caf\xe9\"", false},
		{`"\ud800"`, false},
		{`"\udc00"`, false},
		{`"\ude00\ud83d"`, false},
		{`"\ud800\ud800"`, false},
		{`"\ud800x"`, false},
		{`"\ud800\\udc00"`, false},
		{`"\\\ud800"`, false}, // after an escaped backslash
		{`{"\ud800":1}`, false},
		{`"\ud800\u0041"`, false},
		{`"\ud800`, false},
	} {
		if err := CheckText([]byte(test.body)); (err == nil) != test.ok {
			t.Errorf("%q: %v", test.body, err)
		}
	}
}
