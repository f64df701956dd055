package program

import (
	"encoding/json"
	"io"
)

// NewJSON returns an encoder of JSON that is safe to show in a terminal. Names
// may be untrusted, and some terminals treat U+0080 to U+009F, which JSON does
// not escape, as commands.
func NewJSON(w io.Writer) *json.Encoder { return json.NewEncoder(escapeControls{w}) }

// escapeJSON is JSON with its control characters escaped.
func escapeJSON(text []byte) []byte {
	const digits = "0123456789abcdef"
	var escaped []byte
	kept := 0
	for i, c := range text {
		switch {
		case c == 0x7f:
			escaped = append(append(escaped, text[kept:i]...), `\u007f`...)
		case c >= 0x80 && c <= 0x9f && i > kept && text[i-1] == 0xc2: // U+0080 to U+009F in UTF-8
			escaped = append(append(escaped, text[kept:i-1]...), `\u00`...)
			escaped = append(escaped, digits[c>>4], digits[c&15])
		default:
			continue
		}
		kept = i + 1
	}
	if kept == 0 {
		return text
	}
	return append(escaped, text[kept:]...)
}

// escapeControls escapes control characters in JSON that comes whole.
type escapeControls struct{ w io.Writer }

func (e escapeControls) Write(p []byte) (int, error) {
	if _, err := e.w.Write(escapeJSON(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}
