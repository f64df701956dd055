package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"coffer/protocol"
	"coffer/protocol/crypt"
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
	Format       protocol.Format
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
	Expires      time.Time     // unless it goes on
	Rate         float64       // bytes per second lately
	Left         time.Duration // until it is here at this rate; -1 if that cannot be told
}

// rateSpan is how far back a rate looks, and rateStep how often it looks.
const (
	rateSpan = 5 * time.Second
	rateStep = 900 * time.Millisecond
)

// A pace tells how fast something goes from looks at how far it is.
type pace struct {
	at   time.Time
	done int64
	rate float64
}

// look notes how far it is now. The rate is an average in which what is longer
// ago than rateSpan hardly counts.
func (p *pace) look(now time.Time, done int64) float64 {
	span := now.Sub(p.at)
	switch {
	case p.at.IsZero() || done < p.done:
		*p = pace{at: now, done: done}
	case span >= rateStep:
		latest := float64(done-p.done) / span.Seconds()
		weight := min(1, span.Seconds()/rateSpan.Seconds())
		if p.rate == 0 {
			weight = 1
		}
		p.rate += weight * (latest - p.rate)
		p.at, p.done = now, done
	}
	return p.rate
}

// Transfers are the unfinished uploads, the latest begun first.
func (s *Server) Transfers() []Transfer {
	now := time.Now()
	var list []Transfer
	for _, u := range s.uploads.all() {
		list = append(list, u.transfer(now))
	}
	slices.SortFunc(list, func(a, b Transfer) int {
		if c := b.Started.Compare(a.Started); c != 0 {
			return c
		}
		return slices.Compare(a.ID[:], b.ID[:])
	})
	return list
}

func (u *upload) transfer(now time.Time) Transfer {
	m := u.status(false)
	u.mu.Lock()
	defer u.mu.Unlock()
	t := Transfer{
		ID: u.id, Client: u.session.name, Fingerprint: u.client.Fingerprint(), File: u.name, Format: u.format, State: "receiving",
		Bytes: int64(m.Bytes), Size: -1, OriginalSize: -1, Received: m.Received, Total: m.Total, Missing: m.MissingCount,
		AttemptsLeft: int(m.AttemptsLeft), Started: u.created, Changed: u.changed, Expires: m.Expires, Left: -1,
	}
	if m.OriginalSize != protocol.UnknownSize {
		t.OriginalSize, t.Size = int64(m.OriginalSize), int64(crypt.CiphertextLen(m.OriginalSize))
	}
	switch u.state {
	case sealing:
		t.State = "storing"
	case complete:
		t.State = "unconfirmed"
	case receiving:
		t.Bytes += u.waiting.bytes
		t.Rate = u.pace.look(now, t.Bytes)
		if t.Size >= 0 && t.Rate > 0 {
			t.Left = time.Duration(float64(t.Size-t.Bytes) / t.Rate * float64(time.Second))
		}
	}
	return t
}

// CancelTransfer drops an unfinished upload.
func (s *Server) CancelTransfer(ctx context.Context, id store.UploadID) error {
	s.uploads.mu.Lock()
	u := s.uploads.byID[id]
	s.uploads.mu.Unlock()
	if u == nil {
		return ErrNoTransfer
	}
	s.uploads.forget(u)
	if err := u.drop(ctx); err != nil {
		return err
	}
	s.log.Info("upload cancelled by the operator", "client", u.client, "upload", u.id)
	s.noteDropped(u, store.OutcomeWarning, "cancelled by the operator")
	return nil
}

// noteDropped notes that an upload came to nothing.
func (s *Server) noteDropped(u *upload, outcome store.Outcome, why string) {
	s.metrics.Dropped.Add(1)
	u.mu.Lock()
	bytes, address := u.stream.size, u.address
	u.mu.Unlock()
	s.note(store.Activity{Kind: store.ActivityUploadDropped, Outcome: outcome, Client: u.client, Name: u.session.name,
		Address: address, File: u.name, Bytes: bytes, Took: time.Since(u.created), Detail: why})
}
