package server

import (
	"context"
	"maps"
	"sync"
	"time"

	"coffer/protocol/crypt"
	"coffer/server/admin"
	"coffer/server/metrics"
	"coffer/server/upload"
	"coffer/store"
)

// operatedUploads are the uploads as the operator's side asks for them.
type operatedUploads struct {
	s *Server

	mu    sync.Mutex
	paces map[store.UploadID]*metrics.Pace // of the uploads in the last list; guarded by mu
}

func newOperatedUploads(s *Server) *operatedUploads {
	return &operatedUploads{s: s, paces: make(map[store.UploadID]*metrics.Pace)}
}

// Count implements admin.Uploads.
func (o *operatedUploads) Count() int { return o.s.uploads.Len() }

// CountOf implements admin.Uploads.
func (o *operatedUploads) CountOf(id store.ClientID) int { return o.s.uploads.CountOf(id) }

// Transfers implements admin.Uploads.
func (o *operatedUploads) Transfers() []admin.Transfer {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	var list []admin.Transfer
	there := make(map[store.UploadID]bool)
	for _, u := range o.s.uploads.All() {
		there[u.ID()] = true
		if o.paces[u.ID()] == nil {
			o.paces[u.ID()] = new(metrics.Pace)
		}
		list = append(list, transfer(u.Glance(0), now, o.paces[u.ID()]))
	}
	maps.DeleteFunc(o.paces, func(id store.UploadID, _ *metrics.Pace) bool { return !there[id] })
	return list
}

func transfer(s upload.State, now time.Time, pace *metrics.Pace) admin.Transfer {
	t := admin.Transfer{
		ID: s.ID, Client: s.ClientName, Fingerprint: s.Client.Fingerprint(), File: s.File, Format: s.Format, State: "receiving",
		Bytes: s.Bytes, Size: -1, OriginalSize: -1, Received: s.Received, Total: s.Total, Missing: s.Missing,
		AttemptsLeft: s.AttemptsLeft, Started: s.Created, Changed: s.Changed, Expires: s.Expires, Left: -1,
	}
	if s.Original != upload.UnknownSize {
		t.OriginalSize, t.Size = int64(s.Original), int64(crypt.CiphertextLen(s.Original))
	}
	switch s.Phase {
	case upload.Storing:
		t.State = "storing"
	case upload.Complete:
		t.State = "unconfirmed"
	case upload.Receiving:
		t.Bytes += s.Waiting
		t.Rate = pace.Look(now, t.Bytes)
		if t.Size >= 0 && t.Rate > 0 {
			t.Left = time.Duration(float64(t.Size-t.Bytes) / t.Rate * float64(time.Second))
		}
	}
	return t
}

// Cancel implements admin.Uploads.
func (o *operatedUploads) Cancel(ctx context.Context, id store.UploadID) error {
	u, err := o.s.uploads.ByID(id)
	if err != nil {
		return admin.ErrNoTransfer
	}
	if err := u.Drop(ctx, upload.Stopped); err != nil {
		return err
	}
	o.s.log.Info("upload cancelled by the operator", "client", u.Client(), "upload", id)
	return nil
}
