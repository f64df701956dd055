// Package jsontext is JSON that all readers take for the same: UTF-8 throughout,
// no member twice, nested no deeper than anybody needs.
package jsontext

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"coffer/internal/problem"
)

// MaxNested is how deeply JSON may be nested in a request: bodies are flat.
const MaxNested = 16

// CheckText refuses JSON, or a part of it, that holds what is not text: bytes
// that are not UTF-8, and escapes of half a surrogate pair. Decoders replace
// both, so that two names, or two passwords, would be one.
func CheckText(body []byte) error {
	if !utf8.Valid(body) {
		return problem.Field("body", "not UTF-8")
	}
	for rest := body; ; {
		i := bytes.IndexByte(rest, '\\') // stands in strings alone
		if i < 0 || i+1 == len(rest) {
			return nil
		}
		rest = rest[i:]
		first, escaped := unit(rest)
		if !escaped {
			rest = rest[2:]
			continue
		}
		rest = rest[6:]
		if !utf16.IsSurrogate(first) {
			continue
		}
		second, _ := unit(rest)
		if utf16.DecodeRune(first, second) == utf8.RuneError {
			return problem.Field("body", "an escape is half of a surrogate pair")
		}
		rest = rest[6:]
	}
}

// unit reads the escape that text begins with, \u and four digits.
func unit(text []byte) (r rune, escaped bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return utf8.RuneError, false
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return utf8.RuneError, false // which is not JSON, as others will say
	}
	return rune(n), true
}

// Check lets one JSON value pass that is not nested deeply and in which no
// object has a member twice: two readers would not agree on what it says.
func Check(body []byte) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return problem.Field("body", "missing")
	}
	if err := CheckText(body); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if err := checkValue(d, MaxNested); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return problem.Field("body", "more after the JSON value")
	}
	return nil
}

func checkValue(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil {
		return badJSON(d)
	}
	open, composite := token.(json.Delim)
	if !composite {
		return nil
	}
	if depth == 0 {
		return problem.Field("body", "nested too deeply")
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			if err != nil {
				return badJSON(d)
			}
			key, _ := name.(string)
			if seen[key] {
				return problem.Field(key, "given twice")
			}
			seen[key] = true
		}
		if err := checkValue(d, depth-1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return badJSON(d)
	}
	return nil
}

func badJSON(d *json.Decoder) error {
	return problem.Field("body", fmt.Sprintf("not JSON, or cut off, at byte %d", d.InputOffset()))
}
