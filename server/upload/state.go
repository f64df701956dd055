package upload

import (
	"context"
	"net/netip"
	"time"

	"coffer/store"
)

// A Phase is how far an upload is, as others see it.
type Phase int

const (
	Receiving Phase = iota
	Storing         // all is there, and on its way to stable storage
	Complete        // on stable storage, and its client has not said whether it is right
)

// A State is how an upload stands.
type State struct {
	ID           store.UploadID
	Client       store.ClientID
	ClientName   string
	File         string
	Format       uint8
	Phase        Phase
	AttemptsLeft int
	Received     uint32 // packets
	Total        uint32 // packets, 0 while unknown
	Bytes        int64  // of ciphertext, in order
	Waiting      int64  // further bytes whose turn has not come
	Original     uint64 // plaintext bytes, or UnknownSize
	Cksum        uint32 // once complete
	Created      time.Time
	Changed      time.Time // when it last went on
	Expires      time.Time // unless it continues
	Missing      uint32    // packets, below the total or the highest received
	Ranges       []Range   // the first of them
}

// State is how the upload stands once all that came is taken in, with so many
// ranges of missing packets at most.
func (u *Upload) State(ctx context.Context, ranges int) (State, error) {
	if err := u.wait(ctx); err != nil {
		return State{}, err
	}
	return u.Glance(ranges), nil
}

// Glance is how the upload stands at the moment. It never waits for storage.
func (u *Upload) Glance(ranges int) State {
	ttl := u.r.Limits().TTL
	u.mu.Lock()
	defer u.mu.Unlock()
	f := &u.file
	s := State{
		ID: u.id, Client: f.Key.Client, ClientName: f.Session.ClientName, File: f.Key.Name, Format: f.Format,
		AttemptsLeft: max(0, MaxAttempts-u.failedAttempts), Total: u.packets.total, Original: f.Original,
		Bytes: u.contents.size(), Created: u.created, Changed: u.changed, Expires: u.changed.Add(ttl),
	}
	switch u.state {
	case storing, complete, committing:
		s.Phase, s.Received, s.Original, s.Bytes = Storing, s.Total, uint64(u.meta.OriginalSize), u.meta.Size
		if u.state != storing {
			s.Phase, s.Cksum = Complete, u.meta.Cksum
		}
	default:
		s.Received, s.Waiting = u.packets.received(), u.packets.spooled.bytes
		s.Missing, s.Ranges = u.packets.missing(ranges)
	}
	return s
}

// An Info says which upload something happened to.
type Info struct {
	Key        Key
	ID         store.UploadID
	ByID       bool
	ClientName string
	From       netip.Prefix // where it was begun; zero if by way of a gateway
	Address    string       // that packets came from last
	Bytes      int64        // of ciphertext that were there
	Created    time.Time
}

func (u *Upload) info() Info {
	u.mu.Lock()
	defer u.mu.Unlock()
	return Info{Key: u.file.Key, ID: u.id, ByID: u.file.ByID, ClientName: u.file.Session.ClientName, From: u.file.From,
		Address: u.address, Bytes: u.contents.size(), Created: u.created}
}

// A Cause is why an upload came to nothing.
type Cause int

const (
	Replaced  Cause = iota // by a new beginning of the file, or its client was removed: no event
	Cancelled              // by its client
	Stopped                // by the operator
	Evicted                // it stood still, and made room for others
	Expired                // nobody finished it in time
	Abandoned              // its connection closed before it was confirmed
)

// Events are what others learn of uploads. No method may call back.
type Events interface {
	Committed(u Info, at time.Time, version uint32)
	Failed(u Info, why error) // it cannot become a file
	Dropped(u Info, why Cause)
	Mismatched(u Info, left int)  // client and server disagree about the checksum; the client may send the file so often again
	Unconfirmed(u Info)           // its client learned the checksum and never confirmed it
	Changed(u Info) (enough bool) // what came again is not what was there before; with enough of it, it is refused
}
