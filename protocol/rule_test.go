package protocol

import (
	"encoding/hex"
	"strings"
	"testing"
)

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
