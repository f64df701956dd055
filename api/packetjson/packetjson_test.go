package packetjson

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"coffer/internal/problem"
)

// whole is a body with what a test changes in it.
func whole(data string) string {
	return `{"filename":"a","original_size":3,"packet_number":1,"total_packets":2,"encrypted_data":` + data + `}`
}

// into is a sink that takes the content wherever it stands.
func into(w io.Writer) Sink {
	return func(*Packet, bool) (io.Writer, error) { return w, nil }
}

func TestRead(t *testing.T) {
	content := bytes.Repeat([]byte("coffer\x00\xff?>"), 30_000)
	encoded := base64.StdEncoding.EncodeToString(content)
	tests := map[string]string{
		"last":      whole(`"` + encoded + `"`),
		"first":     `{"encrypted_data":"` + encoded + `","total_packets":2,"packet_number":1,"original_size":3,"filename":"a"}`,
		"spaces":    " \n" + strings.NewReplacer(":", " : ", ",", "\t,\r\n").Replace(whole(`"`+encoded+`"`)) + "\n ",
		"escaped":   whole(`"` + strings.NewReplacer("/", `\/`, "+", `\u002B`).Replace(encoded) + `"`),
		"unknown":   `{"x":{"y":[1,"]}",null]},` + whole(`"` + encoded + `"`)[1:],
		"named odd": strings.Replace(whole(`"`+encoded+`"`), `"filename"`, `"f\u0069lename"`, 1),
	}
	for name, body := range tests {
		readers := map[string]io.Reader{"": strings.NewReader(body), ", byte by byte": iotest.OneByteReader(strings.NewReader(body))}
		for how, r := range readers {
			var got bytes.Buffer
			p, err := Read(r, into(&got))
			if err != nil {
				t.Errorf("%s%s: %v", name, how, err)
				continue
			}
			if p.Filename != "a" || p.OriginalSize != 3 || p.Number != 1 || p.Total != 2 || !bytes.Equal(got.Bytes(), content) {
				t.Errorf("%s%s: %+v and %d bytes", name, how, p, got.Len())
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	good := whole(`"AAAA"`)
	without := func(member string) string { return strings.Replace(good, member, "", 1) }
	tests := []struct{ name, body, message string }{
		{"nothing", "", "body: missing"},
		{"no object", "[]", "body: must be a JSON object"},
		{"cut off", good[:len(good)-1], "body: cut off"},
		{"cut off in the content", good[:len(good)-4], "body: cut off"},
		{"more", good + "{}", "body: more after"},
		{"number for content", whole("1"), "encrypted_data: must be a string"},
		{"number for a name", strings.Replace(good, `"a"`, "1", 1), "filename: must be a string"},
		{"string for a number", strings.Replace(good, ":3", `:"3"`, 1), "original_size: must be an integer"},
		{"fraction", strings.Replace(good, ":3", ":3.5", 1), "original_size: must be an integer"},
		{"negative", strings.Replace(good, ":3", ":-1", 1), "original_size: must be from 0"},
		{"packet 0", strings.Replace(good, `number":1`, `number":0`, 1), "packet_number: must be from 1"},
		{"packet 3 of 2", strings.Replace(good, `number":1`, `number":3`, 1), "packet_number: larger"},
		{"too many packets", strings.Replace(good, `packets":2`, `packets":4294967296`, 1), "total_packets: must be"},
		{"twice", `{"filename":"b",` + good[1:], "filename: given twice"},
		{"deep", `{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "," + good[1:], "x: nested too deeply"},
		{"long", `{"x":"` + strings.Repeat("x", maxMember) + `",` + good[1:], "x: too long"},
		{"no filename", without(`"filename":"a",`), "filename: missing"},
		{"no content", without(`,"encrypted_data":"AAAA"`), "encrypted_data: missing"},
		{"half a group", whole(`"AAAAAA"`), "encrypted_data: base64 is cut off after character 6"},
		{"not base64", whole(`"AAAA@@@@"`), "encrypted_data: not base64 at character 4"},
		{"line break", whole(`"AAAA\nAAAA"`), "encrypted_data: not base64 at character 4"},
		{"bare line break", whole("\"AAAA\nAAA\""), "encrypted_data: not base64 at character 4"},
		{"after padding", whole(`"AA==AAAA"`), "encrypted_data: not base64"},
		{"deep inside", whole(`"` + strings.Repeat("A", 1<<20) + "!" + strings.Repeat("A", 1<<20) + `"`), "encrypted_data: not base64 at character 1048576"},
	}
	for _, test := range tests {
		_, err := Read(strings.NewReader(test.body), into(io.Discard))
		var p *problem.Problem
		if !errors.As(err, &p) || p.Kind != problem.Invalid || !strings.HasPrefix(p.Detail, test.message) {
			t.Errorf("%s: %v, want %q", test.name, err, test.message)
		}
	}
}

// What the stream takes, encoding/json must read the same.
func FuzzRead(f *testing.F) {
	for _, body := range []string{whole(`"AAAA"`), whole(`"AA=="`), whole(`"\/\u002b8="`), `{"x":[{}],` + whole(`""`)[1:], whole("null")} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got bytes.Buffer
		p, err := Read(bytes.NewReader(body), into(&got))
		if err != nil {
			if !errors.As(err, new(*problem.Problem)) {
				t.Fatalf("an error that nobody can be told: %v", err)
			}
			return
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(body, &members); err != nil {
			t.Fatalf("took %q: %v", body, err)
		}
		var want struct {
			name    string
			content []byte
			number  uint64
		}
		for member, v := range map[string]any{"filename": &want.name, "encrypted_data": &want.content, "packet_number": &want.number} {
			if err := json.Unmarshal(members[member], v); err != nil {
				t.Fatalf("took %q: %s: %v", body, member, err)
			}
		}
		if p.Filename != want.name || !bytes.Equal(got.Bytes(), want.content) || uint64(p.Number) != want.number || want.number > math.MaxUint32 {
			t.Fatalf("%q: got %+v and %x, want %+v", body, p, got.Bytes(), want)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	body := whole(`"` + strings.Repeat("QUJD", 4<<20) + `"`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := Read(strings.NewReader(body), into(io.Discard)); err != nil {
			b.Fatal(err)
		}
	}
}
