package openapi

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// checkText refuses a path or query whose bytes, once unescaped, are not UTF-8,
// and a query that readers do not agree on.
func checkText(r *http.Request) error {
	for name, value := range pathParams(r) {
		if !utf8.ValidString(value) {
			return invalid(name, "not UTF-8")
		}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &Error{Field: "query", Reason: "not escaped as a query must be", Cause: err}
	}
	for name, values := range query {
		for _, value := range values {
			if !utf8.ValidString(name) || !utf8.ValidString(value) {
				return invalid("query", "not UTF-8")
			}
		}
	}
	return nil
}

// CheckText refuses JSON, or a part of it, that holds what is not text: bytes
// that are not UTF-8, and escapes of half a surrogate pair. Decoders replace
// both, so that two names, or two passwords, would be one.
func CheckText(body []byte) error {
	if !utf8.Valid(body) {
		return invalid("body", "not UTF-8")
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
			return invalid("body", "an escape is half of a surrogate pair")
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
