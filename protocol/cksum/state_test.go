package cksum

import (
	"bytes"
	"errors"
	"testing"
)

func TestStateResumes(t *testing.T) {
	p := content(1000)
	for _, cut := range []int{0, 1, 63, 64, 500, 1000} {
		d := New()
		d.Write(p[:cut])
		state, err := d.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var resumed Digest
		if err := resumed.UnmarshalBinary(state); err != nil {
			t.Fatal(err)
		}
		resumed.Write(p[cut:])
		if got, want := resumed.Sum32(), Sum(p); got != want {
			t.Errorf("resumed at %d: %d, want %d", cut, got, want)
		}
		if resumed.Len() != 1000 {
			t.Errorf("resumed at %d: Len = %d", cut, resumed.Len())
		}
	}
}

// The layout is on disks: it must not change under the same magic.
func TestStateLayout(t *testing.T) {
	d := New()
	d.Write([]byte("123456789"))
	state, _ := d.AppendBinary([]byte("in front"))
	want := "in frontcks\x01\x89\xa1\x89\x7f\x00\x00\x00\x00\x00\x00\x00\x09"
	if string(state) != want {
		t.Errorf("state = %q, want %q", state, want)
	}
}

func TestStateRefusesOthers(t *testing.T) {
	good, _ := New().MarshalBinary()
	tests := []struct {
		name  string
		state []byte
	}{
		{"empty", nil},
		{"short", good[:len(good)-1]},
		{"long", append(bytes.Clone(good), 0)},
		{"other magic", append([]byte("cks\x02"), good[4:]...)},
		{"a CRC of nothing", append([]byte("cks\x01\x00\x00\x00\x01"), good[8:]...)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := New()
			d.Write([]byte("kept"))
			if err := d.UnmarshalBinary(test.state); !errors.Is(err, ErrState) {
				t.Errorf("err = %v, want ErrState", err)
			}
			if got, want := d.Sum32(), Sum([]byte("kept")); got != want {
				t.Errorf("refused state changed the digest: %d, want %d", got, want)
			}
		})
	}
}

func FuzzUnmarshalBinary(f *testing.F) {
	d := New()
	f.Add([]byte(""))
	d.Write([]byte("123456789"))
	state, _ := d.MarshalBinary()
	f.Add(state)
	f.Fuzz(func(t *testing.T, state []byte) {
		var d Digest
		if err := d.UnmarshalBinary(state); err != nil {
			return
		}
		again, _ := d.MarshalBinary()
		if !bytes.Equal(again, state) {
			t.Errorf("state %x comes back as %x", state, again)
		}
	})
}
