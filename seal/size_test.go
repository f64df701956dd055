package seal

import "testing"

func TestContentSize(t *testing.T) {
	id, err := GenerateIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 65535, 65536, 65537, 131071, 131072, 131073, 1 << 20} {
		var n sizeCounter
		w, err := Seal(&n, id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got, ok := id.ContentSize(uint64(n)); !ok || got != uint64(size) {
			t.Errorf("%d bytes are %d sealed, and those %d, %v", size, n, got, ok)
		}
	}
	for _, none := range []uint64{0, 1, 500} {
		if got, ok := id.ContentSize(none); ok {
			t.Errorf("%d bytes would hold %d", none, got)
		}
	}
	if _, ok := (Identity{}).ContentSize(1 << 20); ok {
		t.Error("nothing is sealed to nobody")
	}
}
