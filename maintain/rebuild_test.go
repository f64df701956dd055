package maintain_test

import (
	"fmt"
	"testing"

	"coffer/maintain"
	"coffer/store"
)

const sealedFormat = 4

func sealed(format uint8) bool { return format == sealedFormat }

// A catalog made anew lists what the lost one did, but for what nobody
// confirmed and what has no owner.
func TestRebuild(t *testing.T) {
	s := newStorage(t)
	ada, gone := s.client("ada"), s.client("gone")
	s.store(ada, "small", ciphertext(1, 160))
	s.store(ada, "small", ciphertext(2, 160))
	s.store(ada, "large", ciphertext(3, 200_000))
	s.receive(ada, "unconfirmed", ciphertext(4, 160), 0)
	s.store(gone, "f", ciphertext(5, 160))
	list := func() string {
		t.Helper()
		versions, err := s.catalog.List(t.Context(), ada.ID, store.Cursor{}, 100, true)
		s.check(err)
		text := ""
		for _, v := range versions {
			text += fmt.Sprintln(v.Name, v.Number, v.Verified, v.Created.UnixNano(), v.Blob, v.SHA256, v.Size)
		}
		return text
	}
	before := list()
	s.check(s.blobs.RemoveAccountRecord(t.Context(), gone.ID))
	s.openCatalog("rebuilt.db")
	r, err := maintain.Rebuild(t.Context(), s.catalog, s.blobs, sealed)
	if err != nil || r.Damaged != nil || r.Clients != 1 || r.Versions != 3 || r.Unconfirmed != 1 || r.Ownerless != 1 || r.Bytes != 200_320 {
		t.Errorf("rebuilt %+v, %v", r, err)
	}
	if after := list(); after != before {
		t.Errorf("lists\n%sbefore\n%s", after, before)
	}
}
