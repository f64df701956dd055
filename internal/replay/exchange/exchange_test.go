package exchange_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"coffer/internal/replay/exchange"
)

func TestParse(t *testing.T) {
	const text = `# a comment
> id 03 u16(1025) field("a b (c)") "x # y" zeros(3)  # behind
< wrapped(rsa1024_e17, sha1) cipher(5, 21) cipher(21)

plain "p" 00ff zeros(2)
silence 20
closed
stored "f"
`
	got, err := exchange.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	literal := func(s string) exchange.Item { return exchange.Item{Name: "bytes", Bytes: []byte(s)} }
	want := []exchange.Step{
		{2, ">", []exchange.Item{{Name: "id"}, literal("\x03"), {Name: "u16", Nums: []int64{1025}}, {Name: "field", Bytes: []byte("a b (c)")},
			literal("x # y"), {Name: "zeros", Nums: []int64{3}}}},
		{3, "<", []exchange.Item{{Name: "wrapped", Words: []string{"rsa1024_e17", "sha1"}}, {Name: "cipher", Nums: []int64{5, 21}}, {Name: "cipher", Nums: []int64{21}}}},
		{5, "plain", []exchange.Item{literal("p"), literal("\x00\xff"), {Name: "zeros", Nums: []int64{2}}}},
		{6, "silence", []exchange.Item{{Name: "number", Nums: []int64{20}}}},
		{7, "closed", nil},
		{8, "stored", []exchange.Item{literal("f")}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"? 00", ">", "> 0", "> 0g", `> "open`, "> field(", "> field()", "> u8(256)", "> u16(65536)", "> u32(4294967296)", "> zeros(-1)",
		"> zeros(99999999)", "> wrapped(k)", "> id(1)", "> nothing(1)", "closed 00", "silence", "silence x", "stored", `stored "a" "b"`,
		"plain id", `> field("` + strings.Repeat("x", 256) + `")`, "> u8(1, 2)", "> 00)",
	} {
		if got, err := exchange.Parse(strings.NewReader(text)); !errors.Is(err, exchange.ErrFormat) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("> id 03 u16(1025) u32(255) field(\"a\")\n< 03 u16(1600) u32(16) id\n")
	f.Add("plain zeros(5) \"x\"\nsilence 5 # c\nclosed\nstored \"f\"")
	f.Fuzz(func(t *testing.T, text string) {
		steps, err := exchange.Parse(strings.NewReader(text))
		if err != nil && !errors.Is(err, exchange.ErrFormat) {
			t.Errorf("%v is not ErrFormat", err)
		}
		for _, s := range steps {
			if (s.Verb == ">" || s.Verb == "<") && len(s.Items) == 0 {
				t.Errorf("line %d has nothing", s.Line)
			}
		}
	})
}

// Whatever was recorded converts into something that can be read again.
func FuzzConvert(f *testing.F) {
	text, err := os.ReadFile("../../../protocol/testdata/rsa1024_e65537.key.pem")
	if err != nil {
		f.Fatal(err)
	}
	block, _ := pem.Decode(text)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		f.Fatal(err)
	}
	key := parsed.(*rsa.PrivateKey)
	id := bytes.Repeat([]byte{7}, 16)
	field := append([]byte("client"), make([]byte, 249)...)
	said := append(append(append(append([]byte{}, id...), 3, 1, 4, 255, 0, 0, 0), field...), id...)
	said = append(append(append(said, 3, 4, 4, 0x1b, 1, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0), field...), id...)
	f.Add(said, append([]byte{3, 0x40, 6, 16, 0, 0, 0}, id...))
	f.Add([]byte{1, 2, 3}, []byte{3, 0, 0})
	f.Fuzz(func(t *testing.T, said, heard []byte) {
		var recording, converted bytes.Buffer
		r := exchange.NewRecorder(&recording)
		r.Record(">", said)
		r.Record("<", heard)
		r.Mark("half-close")
		steps, err := exchange.Parse(&recording)
		if err != nil {
			t.Fatalf("the recording: %v", err)
		}
		if err := exchange.Convert(&converted, steps, key, "key"); err != nil {
			t.Fatalf("converting: %v", err)
		}
		if _, err := exchange.Parse(bytes.NewReader(converted.Bytes())); err != nil && len(said)+len(heard) < 1<<19 {
			t.Errorf("%v\n%s", err, &converted)
		}
	})
}
