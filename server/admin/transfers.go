package admin

import (
	"context"
	"errors"
	"slices"
	"time"

	"coffer/store"
)

// ErrNoTransfer: no unfinished upload has that id.
var ErrNoTransfer = errors.New("no such transfer; it was finished or cancelled")

// A Transfer is an unfinished upload, as an operator sees it.
type Transfer struct {
	ID           store.UploadID
	Client       string // name
	Fingerprint  string // of the client's id
	File         string
	Format       uint8  // as the client says
	State        string // "receiving", "storing", or "unconfirmed": all is there, and the client has not said whether it is right
	Bytes        int64  // of ciphertext that are here
	Size         int64  // of the whole ciphertext; -1 while unknown
	OriginalSize int64  // of the plaintext; -1 while unknown
	Received     uint32 // packets
	Total        uint32 // packets; 0 while unknown
	Missing      uint32 // packets, below the total or the highest received
	AttemptsLeft int    // at a right checksum
	Started      time.Time
	Changed      time.Time     // when it last went on
	Expires      time.Time     // unless it continues
	Rate         float64       // bytes per second
	Left         time.Duration // until it is here at this rate; -1 if that cannot be said
}

// Transfers are the unfinished uploads, the latest begun first.
func (s *Service) Transfers() []Transfer {
	list := s.deps.Uploads.Transfers()
	slices.SortFunc(list, func(a, b Transfer) int {
		if c := b.Started.Compare(a.Started); c != 0 {
			return c
		}
		return slices.Compare(a.ID[:], b.ID[:])
	})
	return list
}

// CancelTransfer drops an unfinished upload, or returns ErrNoTransfer.
func (s *Service) CancelTransfer(ctx context.Context, id store.UploadID) error {
	return s.deps.Uploads.Cancel(ctx, id)
}
