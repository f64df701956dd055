package diagnose

import (
	"strings"
	"testing"

	"coffer/protocol"
)

// lastRule is the highest number of a rule.
const lastRule = protocol.RuleBaseClosed

func TestEveryRuleIsExplained(t *testing.T) {
	for r := protocol.RuleOther; r <= lastRule; r++ {
		if e := Explain(r); e.Rule == "" || e.Usually == "" {
			t.Errorf("rule %d is not explained: %+v", r, e)
		}
	}
	if got := Explain(lastRule + 1); !strings.HasPrefix(got.Rule, "rule ") || got.Usually != "" {
		t.Errorf("the rule of a newer server is explained as %+v", got)
	}
}

func TestExchangeFields(t *testing.T) {
	name, err := protocol.NewField("דוח été 2026.pdf")
	if err != nil {
		t.Fatal(err)
	}
	head := (&protocol.SendFile{ContentSize: 64, OriginalSize: 50, Number: 1, Total: 2, Name: name}).AppendPayload(nil)
	e := protocol.FailedExchange{Version: 3, Code: protocol.CodeSendFile, Size: 267 + 64, Head: head, Client: "client:00112233"}
	want := []Field{
		{0, "(masked)", "the id of client:00112233"}, {16, "03", "version 3"}, {17, "0404", "send file (1028)"},
		{19, "4b010000", "payload size 331"}, {23, "40000000", "content size 64"}, {27, "32000000", "original size 50"},
		{31, "0100", "packet number 1"}, {33, "0200", "total packets 2"},
	}
	got := Exchange(&e).Fields
	if len(got) != len(want)+1 {
		t.Fatalf("%d fields: %+v", len(got), got)
	}
	for i, w := range want {
		if got[i] != w {
			t.Errorf("field %d is %+v, want %+v", i, got[i], w)
		}
	}
	if last := got[len(want)]; last.Offset != 35 || !strings.Contains(last.Meaning, "דוח été 2026.pdf") {
		t.Errorf("the name: %+v", last)
	}
	// A register with a name of 255 bytes, a key, and what was cut short.
	full := protocol.FailedExchange{Version: 3, Code: protocol.CodeRegister, Size: 255, Head: []byte(strings.Repeat("x", 255))}
	if got := Exchange(&full).Fields; !strings.Contains(got[len(got)-1].Meaning, "does not end") || got[0].Meaning != "the id: zeros" {
		t.Errorf("no NUL: %+v", got)
	}
	key := protocol.FailedExchange{Version: 3, Code: protocol.CodeSendPublicKey, Size: 255 + 162, Head: append(make([]byte, 255), "-----BEGIN"...)}
	if got := Exchange(&key).Fields; got[len(got)-1] != (Field{278, "2d2d2d2d", "public key, 162 bytes (its beginning)"}) {
		t.Errorf("the key: %+v", got[len(got)-1])
	}
}

// Whatever a server says it remembers can be laid out, in order and within the
// bytes there are.
func FuzzExchange(f *testing.F) {
	f.Add((&protocol.Failures{Exchanges: []protocol.FailedExchange{
		{Version: 3, Code: protocol.CodeSendFile, Rule: protocol.RulePadding, Reason: "bad padding", Head: make([]byte, 267)},
		{Version: 0x47, Code: 0x5054, Rule: protocol.RuleHTTP},
	}}).AppendPayload(nil))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var m protocol.Failures
		if m.DecodePayload(payload) != nil {
			return
		}
		for _, e := range m.Exchanges {
			at := -1
			for _, p := range Exchange(&e).Fields {
				if p.Offset <= at || p.Offset >= protocol.RequestHeaderSize+len(e.Head) {
					t.Errorf("%+v at %d", p, at)
				}
				at = p.Offset
			}
		}
	})
}
