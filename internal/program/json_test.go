package program

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// No JSON moves a cursor, and all of it says what it did.
func TestNewJSON(t *testing.T) {
	var names []string
	for r := rune(0); r < 0x250; r++ {
		names = append(names, "a"+string(r)+"b", string([]rune{r, r}))
	}
	names = append(names, "\u009b2J", "é\u0085", "\u2028", "😀\u009f", "")
	var out bytes.Buffer
	if err := NewJSON(&out).Encode(names); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexFunc(out.String(), func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r <= 0x9f }); i >= 0 {
		t.Errorf("a control character is left: %q", out.String()[max(i-8, 0):i+8])
	}
	var back []string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	for i := range names {
		if back[i] != names[i] {
			t.Errorf("%q became %q", names[i], back[i])
		}
	}
}
