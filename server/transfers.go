package server

import (
	"context"
	"time"

	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/server/admin"
	"coffer/store"
)

func (u *upload) transfer(now time.Time) admin.Transfer {
	m := u.status(false)
	u.mu.Lock()
	defer u.mu.Unlock()
	t := admin.Transfer{
		ID: u.id, Client: u.session.name, Fingerprint: u.client.Fingerprint(), File: u.name, Format: uint8(u.format), State: "receiving",
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
		t.Rate = u.pace.Look(now, t.Bytes)
		if t.Size >= 0 && t.Rate > 0 {
			t.Left = time.Duration(float64(t.Size-t.Bytes) / t.Rate * float64(time.Second))
		}
	}
	return t
}

// operatedUploads are the uploads as the operator's side asks for them.
type operatedUploads struct{ s *Server }

func (o operatedUploads) Count() int { return o.s.uploads.len() }

func (o operatedUploads) CountOf(id store.ClientID) int { return o.s.uploads.countOf(id) }

func (o operatedUploads) Transfers() []admin.Transfer {
	now := time.Now()
	var list []admin.Transfer
	for _, u := range o.s.uploads.all() {
		list = append(list, u.transfer(now))
	}
	return list
}

func (o operatedUploads) Cancel(ctx context.Context, id store.UploadID) error {
	s := o.s
	s.uploads.mu.Lock()
	u := s.uploads.byID[id]
	s.uploads.mu.Unlock()
	if u == nil {
		return admin.ErrNoTransfer
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
