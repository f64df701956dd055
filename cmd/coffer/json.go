package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// printJSON prints a value for programs.
func (a *app) printJSON(v any) error {
	text, err := marshal(v, "")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n", text)
	return err
}

// printArray prints an array whose elements come one by one.
func (a *app) printArray(each func(print func(any) error) error) error {
	separator := "[\n  "
	if err := each(func(v any) error {
		element, err := marshal(v, "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "%s%s", separator, element)
		separator = ",\n  "
		return err
	}); err != nil {
		return err
	}
	end := "\n]"
	if separator[0] == '[' {
		end = "[]"
	}
	_, err := fmt.Fprintln(a.stdout, end)
	return err
}

// marshal makes JSON that a terminal may be shown, too: what a name from a
// server has in it that is not printable is escaped, as JSON allows for any
// character of a string, and there are none elsewhere.
func marshal(v any, prefix string) ([]byte, error) {
	text, err := json.MarshalIndent(v, prefix, "  ")
	if err != nil {
		return nil, err
	}
	if bytes.IndexFunc(text, unsafeInTerminal) < 0 {
		return text, nil
	}
	safe := make([]byte, 0, len(text)+64)
	for _, r := range string(text) {
		switch {
		case !unsafeInTerminal(r):
			safe = utf8.AppendRune(safe, r)
		case r > 0xffff:
			r -= 0x10000
			safe = fmt.Appendf(safe, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			safe = fmt.Appendf(safe, `\u%04x`, r)
		}
	}
	return safe, nil
}

func unsafeInTerminal(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
