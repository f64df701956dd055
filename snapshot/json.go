package snapshot

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxContent bounds sizes in the format: what every reader can hold in a signed
// number.
const maxContent = 1<<63 - 1

// A scanner reads JSON without white space, as all writers of the format write
// it. Its first error sticks; what it returns afterwards means nothing.
type scanner struct {
	text string
	at   int
	err  error
}

func (s *scanner) fail(format string, args ...any) {
	if s.err == nil {
		s.err = malformed(format, args...)
	}
}

func (s *scanner) failed(err error) {
	if s.err == nil {
		s.err = err
	}
}

// peek is the next byte, 0 at the end and after an error.
func (s *scanner) peek() byte {
	if s.err != nil || s.at >= len(s.text) {
		return 0
	}
	return s.text[s.at]
}

func (s *scanner) byte(c byte) {
	if s.peek() != c {
		s.fail("%q missing at byte %d", c, s.at)
		return
	}
	s.at++
}

// literal skips a text that must come.
func (s *scanner) literal(text string) {
	if s.err != nil || !strings.HasPrefix(s.text[s.at:], text) {
		s.fail("%s missing at byte %d", text, s.at)
		return
	}
	s.at += len(text)
}

// more reports whether another element comes, and skips the comma before it, or
// the end of the list.
func (s *scanner) more(end byte, first bool) bool {
	switch c := s.peek(); {
	case c == end:
		s.at++
		return false
	case first:
		return s.err == nil
	case c == ',':
		s.at++
		return true
	default:
		s.fail("a list that does not go on at byte %d", s.at)
		return false
	}
}

// uint scans a number without sign, fraction or exponent.
func (s *scanner) uint(limit uint64) uint64 {
	if s.err != nil {
		return 0
	}
	begin, value := s.at, uint64(0)
	for s.at < len(s.text) {
		digit := uint64(s.text[s.at] - '0')
		if digit > 9 {
			break
		}
		if digit > limit || value > (limit-digit)/10 {
			s.fail("a number over %d", limit)
			return 0
		}
		value = value*10 + digit
		s.at++
	}
	if s.at == begin || s.text[begin] == '0' && s.at > begin+1 {
		s.fail("no number at byte %d", begin)
	}
	return value
}

func (s *scanner) bool() bool {
	if s.peek() == 't' {
		s.literal("true")
		return true
	}
	s.literal("false")
	return false
}

// rawString scans a string that has no escapes, such as an id.
func (s *scanner) rawString() string {
	s.byte('"')
	if s.err != nil {
		return ""
	}
	for i := s.at; i < len(s.text); i++ {
		c := s.text[i]
		if c > '"' && c != '\\' {
			continue
		}
		if c == '"' {
			text := s.text[s.at:i]
			s.at = i + 1
			return text
		}
		if c < ' ' || c == '\\' {
			s.fail("a string with an escape or a control character, at byte %d", i)
			return ""
		}
	}
	s.fail("a string that does not end")
	return ""
}

// string scans a string, which must be UTF-8.
func (s *scanner) string() string {
	s.byte('"')
	begin, ascii := s.at, true
	for s.err == nil && s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return s.utf8(s.text[begin:s.at-1], ascii)
		case c == '\\':
			return s.escaped(begin)
		case c < ' ':
			s.fail("a control character in a string")
		default:
			ascii = ascii && c < utf8.RuneSelf
			s.at++
		}
	}
	s.fail("a string that does not end")
	return ""
}

func (s *scanner) utf8(text string, ascii bool) string {
	if !ascii && !utf8.ValidString(text) {
		s.fail("a string that is not UTF-8")
	}
	return text
}

// escaped is the rest of string, from the first backslash.
func (s *scanner) escaped(begin int) string {
	out := []byte(s.text[begin:s.at])
	for s.err == nil && s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return s.utf8(string(out), false)
		case c == '\\':
			s.at++
			out = s.escape(out)
		case c < ' ':
			s.fail("a control character in a string")
		default:
			out = append(out, c)
			s.at++
		}
	}
	s.fail("a string that does not end")
	return ""
}

// escape appends what an escape stands for; its backslash has been read.
func (s *scanner) escape(out []byte) []byte {
	c := s.peek()
	s.at++
	switch c {
	case '"', '\\', '/':
		return append(out, c)
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'u':
		return s.escapedRune(out)
	}
	s.fail("an unknown escape")
	return out
}

// escapedRune appends the character of four hex digits, or of a surrogate pair.
func (s *scanner) escapedRune(out []byte) []byte {
	r := s.hex4()
	if r >= 0xD800 && r < 0xDC00 {
		s.literal(`\u`)
		low := s.hex4()
		if low < 0xDC00 || low > 0xDFFF {
			s.fail("half a character")
		}
		r = (r-0xD800)<<10 + (low - 0xDC00) + 0x10000
	}
	if !utf8.ValidRune(r) {
		s.fail("half a character")
		return out
	}
	return utf8.AppendRune(out, r)
}

func (s *scanner) hex4() rune {
	if s.err != nil || len(s.text)-s.at < 4 {
		s.fail("a string that does not end")
		return 0
	}
	var r rune
	for _, c := range []byte(s.text[s.at : s.at+4]) {
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if digit < 0 {
			s.fail("a character that is not hexadecimal")
			return 0
		}
		r = r<<4 | rune(digit)
	}
	s.at += 4
	return r
}

// id scans nothing: it decodes an id that was scanned.
func (s *scanner) id(into []byte, text string) {
	if s.err != nil {
		return
	}
	if err := decodeID(into, text); err != nil {
		s.failed(err)
	}
}

// base64 scans a string of base64url.
func (s *scanner) base64() []byte {
	text := s.rawString()
	if s.err != nil {
		return nil
	}
	raw, err := ids.DecodeString(text)
	if err != nil {
		s.fail("a value that is not base64url")
	}
	return raw
}

// maxDepth is how deep values may nest that are skipped.
const maxDepth = 16

// skip skips any value: a member that a newer writer added.
func (s *scanner) skip(depth int) {
	if depth > maxDepth {
		s.fail("values that nest too deep")
		return
	}
	switch c := s.peek(); c {
	case '"':
		s.string()
	case '[':
		s.at++
		for first := true; s.more(']', first); first = false {
			s.skip(depth + 1)
		}
	case '{':
		s.at++
		for first := true; s.more('}', first); first = false {
			s.string()
			s.byte(':')
			s.skip(depth + 1)
		}
	case 't':
		s.literal("true")
	case 'f':
		s.literal("false")
	case 'n':
		s.literal("null")
	default:
		s.number()
	}
}

// number skips a number of any form that strconv reads as well.
func (s *scanner) number() {
	begin := s.at
	for c := s.peek(); c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c|0x20 == 'e'; c = s.peek() {
		s.at++
	}
	if s.err != nil {
		return
	}
	if _, err := strconv.ParseFloat(s.text[begin:s.at], 64); err != nil {
		s.fail("no value at byte %d", begin)
	}
}

const hexDigits = "0123456789abcdef"

// appendString appends a JSON string, escaped as JSON.stringify does it. What
// is not UTF-8 becomes U+FFFD.
func appendString(dst []byte, text string) []byte {
	dst = append(dst, '"')
	plain := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(text[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, text[plain:i]...)
				dst = append(dst, "\uFFFD"...)
				plain = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, text[plain:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		plain = i
	}
	dst = append(dst, text[plain:]...)
	return append(dst, '"')
}
