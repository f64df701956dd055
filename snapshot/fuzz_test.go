package snapshot

import (
	"bytes"
	"reflect"
	"testing"
)

// What a decoder accepts, the encoder writes, and the decoder reads again as
// the same.
func FuzzTree(f *testing.F) {
	v, keys := readVectors(f)
	f.Add([]byte(v.Tree))
	f.Add([]byte(`{"packs":[],"later":[1,{"a":null}]}` + "\n" + `{"name":"\u00e4\ud83d\ude00","type":"dir","new":-1.5e3}` + "\n"))
	f.Fuzz(func(t *testing.T, piece []byte) {
		self := PackID{7}
		entries, err := DecodeTree(piece, self)
		if err != nil {
			return
		}
		var again []Entry
		w := NewTreeWriter(keys, func(p []byte) error {
			more, err := DecodeTree(p, self)
			again = append(again, more...)
			return err
		})
		for i := range entries {
			if err := w.Add(&entries[i]); err != nil {
				t.Fatalf("%+v: %v", entries[i], err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if len(again) != len(entries) || len(entries) > 0 && !reflect.DeepEqual(again, entries) {
			t.Fatalf("%+v became %+v", entries, again)
		}
	})
}

func FuzzList(f *testing.F) {
	v, _ := readVectors(f)
	f.Add([]byte(v.List), 1)
	f.Fuzz(func(t *testing.T, piece []byte, depth int) {
		self := PackID{7}
		places, err := DecodeList(piece, self, depth)
		if err != nil {
			return
		}
		again, err := DecodeList([]byte(rewriteList(places)), self, depth)
		if err != nil || !reflect.DeepEqual(again, places) {
			t.Fatalf("%+v became %+v: %v", places, again, err)
		}
	})
}

func FuzzManifest(f *testing.F) {
	v, keys := readVectors(f)
	line, _, err := splitSigned([]byte(v.Manifest))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Fuzz(func(t *testing.T, line []byte) {
		owner := func(MachineID) (*Keys, error) { return keys, nil }
		if _, err := readManifest(line, owner); err == nil {
			t.Fatal("a manifest without HMAC passed")
		}
		if len(line) == 0 || line[len(line)-1] != '\n' {
			line = append(bytes.Clone(line), '\n')
		}
		m, err := readManifest(keys.sign(line), owner)
		if err == nil {
			_, _ = m.encode(MachineID{})
		}
	})
}

func FuzzMend(f *testing.F) {
	v, keys := readVectors(f)
	record, _, err := splitSigned([]byte(v.Mend))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(record)
	f.Fuzz(func(t *testing.T, record []byte) {
		if _, err := readMend(record, keys); err == nil {
			t.Fatal("a mend record without HMAC passed")
		}
		_, _ = decodeMend(string(record))
	})
}

func FuzzHead(f *testing.F) {
	v, keys := readVectors(f)
	f.Add([]byte(v.Head.Content))
	f.Fuzz(func(t *testing.T, content []byte) {
		if _, err := OpenHead(content, keys, v.Head.Name, RunID{}); err == nil {
			t.Fatal("a head that is not sealed passed")
		}
		if len(content) > MaxHead-40 {
			return
		}
		var h Head
		sealed, err := h.seal(keys, make([]byte, 24, MaxHead), content, v.Head.Name, RunID{})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = OpenHead(sealed, keys, v.Head.Name, RunID{})
	})
}
