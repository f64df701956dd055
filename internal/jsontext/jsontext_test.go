package jsontext_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"coffer/internal/jsontext"
	"coffer/internal/problem"
)

// FuzzCheck: what passes is JSON to the library too, and says one thing.
func FuzzCheck(f *testing.F) {
	for _, body := range []string{`{}`, `{"a":[1,{"b":null}]}`, `{"a":1,"\u0061":2}`, `{"a":{"a":1}} `, `[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]`, `{"a":1}{`, `nul`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		err := jsontext.Check(body)
		if err != nil {
			if !errors.As(err, new(*problem.Problem)) {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatalf("%q passed", body)
		}
		var last map[string]json.RawMessage
		if json.Unmarshal(body, &last) != nil {
			return // no object
		}
		d := json.NewDecoder(bytes.NewReader(body))
		if _, err := d.Token(); err != nil || last == nil {
			return // null
		}
		members := 0
		for ; d.More(); members++ {
			if _, err := d.Token(); err != nil {
				t.Fatal(err)
			}
			var value json.RawMessage
			if err := d.Decode(&value); err != nil {
				t.Fatal(err)
			}
		}
		if members != len(last) {
			t.Fatalf("%q passed: %d members, of which a reader keeps %d", body, members, len(last))
		}
	})
}
