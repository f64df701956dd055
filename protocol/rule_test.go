package protocol

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestRulesSayWhatToDo(t *testing.T) {
	for r := range rules {
		if rule := Rule(r); rule.String() == "" || rule.Usually() == "" {
			t.Errorf("rule %d says nothing", r)
		}
	}
	if got := Rule(len(rules)); !strings.HasPrefix(got.String(), "rule ") || got.Usually() != "" {
		t.Errorf("a rule of a newer server is %q", got)
	}
}

func header(t *testing.T, digits string) RequestHeader {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil || len(b) != RequestHeaderSize {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	h, _ := ReadRequestHeader(strings.NewReader(string(b)))
	return h
}

func TestHeaderRule(t *testing.T) {
	id := strings.Repeat("c1", 16)
	for _, tt := range []struct {
		name, header string
		earlier      bool
		want         Rule
	}{
		{"TLS", "16030102000100 01fc0303 aabbccddeeff001122334455", false, RuleTLS},
		{"HTTP", hex.EncodeToString([]byte("GET / HTTP/1.1\r\nHost: a")), false, RuleHTTP},
		{"version 2", id + "02 0104 ff000000", false, RuleVersion},
		{"zeros behind a request", strings.Repeat("00", 23), true, RuleOutside},
		{"big-endian", id + "03 0401 000000ff", false, RuleBigEndian},
		{"big-endian size alone", id + "03 0104 000000ff", false, RuleBigEndian},
		{"version, code, id, size", "03 3903" + strings.Repeat("00", 16) + "17000000", false, RuleHeaderOrder},
		{"version, code, size, id", "03 0104 ff000000" + id, false, RuleHeaderOrder},
		{"code, version, size, id", "0404 03 4b010000" + id, true, RuleHeaderOrder},
		{"id, code, version, size", id + "0104 03 ff000000", false, RuleHeaderOrder},
		{"id, version, size, code", id + "03 ff000000 0104", false, RuleHeaderOrder},
		{"size first", "ff000000" + id + "03 0104", false, RuleHeaderOrder},
		{"big-endian, the sister dialect", id + "03 0339 000000ff", false, RuleBigEndian},
		{"no size", id + "03 0404 00000000", false, RuleNoSize},
		{"no size, 1025", id + "03 0104 00000000", false, RuleNoSize},
		{"unknown code", id + "03 0100 ff000000", false, RuleUnknownCode},
		{"too large", id + "03 0104 00010000", false, RuleTooLarge},
		{"too short", id + "03 0404 0b010000", false, RuleOther},
		{"really too short", id + "03 0404 0a010000", false, RuleTooShort},
		{"nothing", id + "03 0104 ff000000", false, RuleOther},
	} {
		if got := HeaderRule(header(t, tt.header), tt.earlier); got != tt.want {
			t.Errorf("%s: %v (%d), want %d", tt.name, got, got, tt.want)
		}
	}
}

func TestParts(t *testing.T) {
	head := (&SendFile{ContentSize: 64, OriginalSize: 50, Number: 1, Total: 2, Name: sampleName}).AppendPayload(nil)
	e := FailedExchange{Version: 3, Code: CodeSendFile, Size: 267 + 64, Head: head, Client: "client:00112233"}
	want := []Part{
		{0, "(masked)", "the id of client:00112233"}, {16, "03", "version 3"}, {17, "0404", "send file (1028)"},
		{19, "4b010000", "payload size 331"}, {23, "40000000", "content size 64"}, {27, "32000000", "original size 50"},
		{31, "0100", "packet number 1"}, {33, "0200", "total packets 2"},
	}
	got := e.Parts()
	if len(got) != len(want)+1 {
		t.Fatalf("%d parts: %+v", len(got), got)
	}
	for i, w := range want {
		if got[i] != w {
			t.Errorf("part %d is %+v, want %+v", i, got[i], w)
		}
	}
	if last := got[len(want)]; last.Offset != 35 || !strings.Contains(last.Meaning, "דוח été 2026.pdf") {
		t.Errorf("the name: %+v", last)
	}
	// A register with a name of 255 bytes, a key, and what was cut short.
	full := FailedExchange{Version: 3, Code: CodeRegister, Size: 255, Head: []byte(strings.Repeat("x", 255))}
	if got := full.Parts(); !strings.Contains(got[len(got)-1].Meaning, "does not end") || got[0].Meaning != "the id: zeros" {
		t.Errorf("no NUL: %+v", got)
	}
	key := FailedExchange{Version: 3, Code: CodeSendPublicKey, Size: 255 + 162, Head: append(make([]byte, 255), "-----BEGIN"...)}
	if got := key.Parts(); got[len(got)-1] != (Part{278, "2d2d2d2d", "public key, 162 bytes (its beginning)"}) {
		t.Errorf("the key: %+v", got[len(got)-1])
	}
}

// Whatever a server says it remembers can be laid out, in order and within the
// bytes there are.
func FuzzParts(f *testing.F) {
	for _, s := range samples {
		if m, ok := s.message.(*Failures); ok {
			f.Add(m.AppendPayload(nil))
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var m Failures
		if m.DecodePayload(payload) != nil {
			return
		}
		for _, e := range m.Exchanges {
			at := -1
			for _, p := range e.Parts() {
				if p.Offset <= at || p.Offset >= RequestHeaderSize+len(e.Head) {
					t.Errorf("%+v at %d", p, at)
				}
				at = p.Offset
			}
		}
	})
}
