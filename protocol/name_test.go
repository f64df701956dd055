package protocol

import (
	"bytes"
	"errors"
	"path"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestCheckName(t *testing.T) {
	tests := []struct {
		name string
		ok   bool
	}{
		{"john_doe", true},
		{"report 2026.pdf", true},
		{"photos/2026/été.jpg", true},
		{"דוח שנתי", true},
		{"...", true},
		{"..a", true},
		{"a..", true},
		{".hidden/.file", true},
		{"a//b", true},
		{"trailing/", true},
		{"C:", true},
		{" ", true},
		{"", false},
		{".", false},
		{"..", false},
		{"./a", false},
		{"../a", false},
		{"a/..", false},
		{"a/.", false},
		{"a/../b", false},
		{"a/./b", false},
		{"/", false},
		{"/etc/passwd", false},
		{`a\b`, false},
		{`..\a`, false},
		{`C:\a`, false},
		{"a\x00b", false},
		{"a\nb", false},
		{"a\tb", false},
		{"a\x7fb", false},
		{"a\u0085b", false},
		{"a\xffb", false},
		{"\xc3\x28", false},
	}
	for _, test := range tests {
		err := CheckName(test.name)
		switch {
		case test.ok && err != nil:
			t.Errorf("CheckName(%q) = %v", test.name, err)
		case !test.ok && !errors.Is(err, ErrName):
			t.Errorf("CheckName(%q) = %v, want ErrName", test.name, err)
		}
	}
}

func TestNewField(t *testing.T) {
	tests := []struct {
		name string
		ok   bool
	}{
		{"a", true},
		{strings.Repeat("n", MaxName), true},
		{strings.Repeat("é", MaxName/2), true},
		{strings.Repeat("n", FieldSize), false},
		{strings.Repeat("n", 1<<20), false},
		{"", false},
		{"../a", false},
		{"a\x00", false},
	}
	for _, test := range tests {
		f, err := NewField(test.name)
		if !test.ok {
			if !errors.Is(err, ErrName) {
				t.Errorf("NewField of %d bytes = %v, want ErrName", len(test.name), err)
			}
			continue
		}
		if err != nil {
			t.Errorf("NewField of %d bytes: %v", len(test.name), err)
			continue
		}
		if got, err := f.Bytes(); err != nil || string(got) != test.name {
			t.Errorf("Bytes = %q, %v, want %q", got, err, test.name)
		}
		if rest := f[len(test.name):]; !bytes.Equal(rest, make([]byte, len(rest))) {
			t.Errorf("field of %q is not padded with zeros", test.name)
		}
	}
}

func TestFieldBytes(t *testing.T) {
	full := strings.Repeat("n", FieldSize)
	tests := []struct {
		name  string
		field string // the rest is zeros
		want  string
		ok    bool
	}{
		{"zero padded", "john", "john", true},
		{"garbage behind the NUL", "john\x00\xffdoe", "john", true},
		{"not UTF-8", "\xe9t\xe9", "\xe9t\xe9", true},
		{"254 bytes", full[1:], full[1:], true},
		{"no NUL", full, "", false},
		{"empty", "", "", false},
		{"empty before garbage", "\x00john", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var f Field
			copy(f[:], test.field)
			got, err := f.Bytes()
			if string(got) != test.want || (err == nil) != test.ok {
				t.Errorf("Bytes = %q, %v, want %q", got, err, test.want)
			}
			if !test.ok && !errors.Is(err, ErrName) {
				t.Errorf("Bytes: %v is not ErrName", err)
			}
		})
	}
}

// Whatever passes CheckName stays below the folder it is joined to, and comes
// back from its Field as it was.
func FuzzCheckName(f *testing.F) {
	for _, name := range []string{"john_doe", "a/../b", "/a", `a\b`, "..", "a//b", "é", "\xff", "a\x00", strings.Repeat("n", 300)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if err := CheckName(name); err != nil {
			if !errors.Is(err, ErrName) {
				t.Errorf("CheckName: %v is not ErrName", err)
			}
			return
		}
		if !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
			t.Errorf("%q was accepted", name)
		}
		if joined := path.Join("/root", name); !strings.HasPrefix(joined+"/", "/root/") {
			t.Errorf("%q leads to %q", name, joined)
		}
		field, err := NewField(name)
		if (err == nil) != (len(name) <= MaxName) {
			t.Errorf("NewField of %d bytes: %v", len(name), err)
		}
		if err != nil {
			return
		}
		if got, err := field.Bytes(); err != nil || string(got) != name {
			t.Errorf("Bytes = %q, %v, want %q", got, err, name)
		}
	})
}

// A field's content has no NUL, is never empty, and is the field's beginning.
func FuzzField(f *testing.F) {
	f.Add([]byte("john\x00doe"))
	f.Add(bytes.Repeat([]byte("n"), FieldSize))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var field Field
		copy(field[:], raw)
		got, err := field.Bytes()
		if err != nil {
			if !errors.Is(err, ErrName) || got != nil {
				t.Errorf("Bytes = %q, %v", got, err)
			}
			return
		}
		if len(got) == 0 || len(got) > MaxName || bytes.IndexByte(got, 0) >= 0 || !bytes.HasPrefix(raw, got) {
			t.Errorf("Bytes = %q of %q", got, raw)
		}
	})
}

func TestIsSnapshotName(t *testing.T) {
	const digits = "0123456789abcdef0123456789abcdef"
	for name, want := range map[string]bool{
		"s/" + digits: true, "s/" + strings.Repeat("f", 32): true,
		digits: false, "S/" + digits: false, "s/" + digits[1:]: false, "s/" + digits + "0": false, "s/" + strings.ToUpper(digits): false,
		"s/" + digits[1:] + "g": false, "s/" + digits[1:] + " ": false, "s//" + digits[1:]: false, "": false, "s/": false, "s": false, "a/s/" + digits: false,
	} {
		if got := IsSnapshotName(name); got != want {
			t.Errorf("IsSnapshotName(%q) = %t", name, got)
		}
	}
}
