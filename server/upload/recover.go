package upload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"coffer/protocol/crypt"
	"coffer/store"
)

// Recover takes up the uploads that an earlier run left.
func (r *Registry) Recover(ctx context.Context) error {
	if err := r.Blobs.Parts(ctx, func(part store.Part, header []byte, records [][]byte) error {
		return r.recoverPart(ctx, part, header, parseRecords(records))
	}); err != nil {
		return err
	}
	since := time.Now().Add(-2 * r.Limits().TTL)
	err := r.Blobs.Pending(ctx, since, func(b store.StoredBlob) error { return r.recoverBlob(ctx, b) })
	if errors.Is(err, store.ErrDamaged) {
		r.Log.Error("some blobs that await confirmation are damaged", "error", err)
		return nil
	}
	return err
}

func (r *Registry) recoverPart(ctx context.Context, part store.Part, header []byte, records []record) error {
	u, err := r.fromPart(ctx, part, header)
	if err != nil {
		r.Log.Warn("an unfinished upload cannot be taken up", "upload", part.ID(), "error", err)
	}
	if u == nil {
		return part.Discard()
	}
	u.packets.resume(records)
	for _, one := range records {
		if one.kind == recordInOrder {
			u.contents.stored = one.size
		}
	}
	if err := r.add(ctx, u); err != nil {
		u.packets.clear()
		return part.Discard()
	}
	return part.Close()
}

// fromPart makes the upload of a part; nil for one that is not worth keeping:
// a base client knows nothing of it.
func (r *Registry) fromPart(ctx context.Context, part store.Part, header []byte) (*Upload, error) {
	var h partHeader
	if err := json.Unmarshal(header, &h); err != nil {
		return nil, err
	}
	if !h.Strict || time.Since(h.Created) > r.Limits().TTL {
		return nil, nil
	}
	id := part.ID()
	key, err := r.Keys.UnwrapKey(h.SealedKey, id[:])
	if err != nil {
		return nil, err
	}
	hash, err := crypt.ParseOAEPHash(h.OAEPHash)
	if err != nil {
		return nil, err
	}
	wire, _, _ := bytes.Cut(h.Wire, []byte{0})
	u := r.make(File{
		Key: Key{h.Client, Gateway, h.Name}, ByID: h.ByID, Strict: true, WireName: wire, Format: h.Format, Original: h.Original, Total: h.Total, Holder: h.Holder,
		Session: Session{ClientName: r.NameOf(ctx, h.Client), Key: key, Wrapped: h.WrappedKey, Fingerprint: h.Fingerprint, OAEPHash: hash},
	})
	u.id, u.created, u.failedAttempts = id, h.Created, h.Attempts
	u.changed = h.Created // who has waited longest is still known
	u.init()
	u.contents.part = part
	return u, nil
}

// recoverBlob takes up a blob that is complete and not confirmed: the client may
// still do so. One whose commit was written before its mark gets the mark.
func (r *Registry) recoverBlob(ctx context.Context, b store.StoredBlob) error {
	if b.Metadata.Snapshot != nil {
		return r.Other(ctx, b)
	}
	versions, err := r.Catalog.Versions(ctx, b.Metadata.Client, b.Metadata.Name)
	if err != nil && !errors.Is(err, store.ErrNoFile) {
		return err
	}
	for _, v := range versions {
		if v.Blob == b.Ref {
			return r.Blobs.Confirm(ctx, b.Ref, store.Confirmation{Number: v.Number, Verified: v.Verified, Created: v.Created})
		}
	}
	if time.Since(b.Metadata.Received) > r.Limits().TTL {
		return r.Blobs.Remove(ctx, b.Ref)
	}
	u := r.fromBlob(ctx, b)
	if u.file.ByID {
		return r.add(ctx, u)
	}
	old := r.get(u.file.Key)
	if old != nil && old.changed.After(u.changed) {
		return r.Blobs.Remove(ctx, b.Ref)
	}
	evicted, _, err := r.replace(old, u)
	r.evict(ctx, evicted)
	if old != nil {
		err = errors.Join(err, old.Drop(ctx, Replaced))
	}
	return err
}

// fromBlob makes the upload of a complete blob. The connections of the earlier
// run are gone, so an upload by name belongs to the gateway. The key is not
// kept with the blob, so this one cannot be sent again.
func (r *Registry) fromBlob(ctx context.Context, b store.StoredBlob) *Upload {
	l := &b.Metadata
	u := r.make(File{
		Key: Key{l.Client, Gateway, l.Name}, ByID: l.ByID, Strict: true, WireName: l.WireName, Format: l.Format,
		Session: Session{ClientName: r.NameOf(ctx, l.Client)},
	})
	u.id, u.created, u.changed = l.Upload, l.Received, l.Received
	u.init()
	u.state, u.meta, u.ref = complete, b.Metadata, b.Ref
	return u
}
