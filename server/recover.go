package server

import (
	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/store"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// partHeader is what a part keeps of its upload, for a server that starts
// again.
type partHeader struct {
	Client      store.ClientID  `json:"client"`
	Name        string          `json:"name"`
	Wire        []byte          `json:"wire"`
	ByID        bool            `json:"by_id"`
	Format      protocol.Format `json:"format"`
	Original    uint64          `json:"original"`
	Total       uint32          `json:"total"`
	Attempts    int             `json:"attempts"`
	Created     time.Time       `json:"created"`
	SealedKey   []byte          `json:"sealed_key"` // with the master key
	WrappedKey  []byte          `json:"wrapped_key"`
	Fingerprint [32]byte        `json:"fingerprint"`
	OAEPHash    string          `json:"oaep_hash"`
	Strict      bool            `json:"strict"`
	Holder      netip.Prefix    `json:"holder,omitzero"` // where it was begun
}

// makePartLocked gives the upload a part to gather in.
func (u *upload) makePartLocked() error {
	if u.part != nil {
		return nil
	}
	header, err := json.Marshal(partHeader{
		Client: u.client, Name: u.name, Wire: u.wire[:], ByID: u.byID, Format: u.format,
		Original: u.original, Total: u.total, Attempts: u.attempts, Created: u.created,
		SealedKey: u.s.cfg.MasterKey.seal(u.session.key[:], u.id[:]), WrappedKey: u.session.wrapped,
		Fingerprint: u.session.fingerprint, OAEPHash: u.session.oaep.String(), Strict: u.strict, Holder: u.holder.Prefix,
	})
	if err != nil {
		return fmt.Errorf("describing an upload: %w", err)
	}
	part, err := u.s.cfg.Blobs.NewPart(context.Background(), u.id, header)
	if err != nil {
		return fmt.Errorf("making room for an upload: %w", err)
	}
	u.part = part
	if len(u.small) > 0 {
		if _, err := part.Content().WriteAt(u.small, 0); err != nil {
			return fmt.Errorf("storing content: %w", err)
		}
		u.small = nil
		u.countSmallLocked()
	}
	return nil
}

// Records of a part's log: kind u8, packet u32, then what the kind says.
const (
	recordInOrder = 'P' // content size u64 up to and with this packet
	recordWaiting = 'W' // offset u64, size u64
	recordAhead   = 'A' // the same, in the content
	recordTotal   = 'T' // the packet is the last
)

// log notes progress, for a server that starts again. An upload whose log
// fails is not worse off until then, so it goes on.
func (u *upload) log(kind byte, number uint32, size uint64) {
	if u.part == nil || !u.strict {
		return
	}
	r := binary.LittleEndian.AppendUint32([]byte{kind}, number)
	u.logRecord(binary.LittleEndian.AppendUint64(r, size))
}

func (u *upload) logWaiting(number uint32, where region) {
	if !u.strict {
		return
	}
	kind := byte(recordWaiting)
	if where.ahead {
		kind = recordAhead
	}
	r := binary.LittleEndian.AppendUint32([]byte{kind}, number)
	r = binary.LittleEndian.AppendUint64(r, uint64(where.offset))
	u.logRecord(binary.LittleEndian.AppendUint64(r, uint64(where.size)))
}

func (u *upload) logRecord(r []byte) {
	if err := u.part.Log(r); err != nil {
		u.s.log.Warn("an upload in progress would not survive a restart", "upload", u.id, "error", err)
	}
}

// replay takes up what the log of an earlier run says.
func (u *upload) replay(records [][]byte) {
	for _, r := range records {
		if len(r) < 13 {
			continue
		}
		number, value := binary.LittleEndian.Uint32(r[1:]), binary.LittleEndian.Uint64(r[5:])
		switch {
		case r[0] == recordTotal:
			u.total = number
		case r[0] == recordInOrder:
			u.next, u.stream.size = number+1, int64(value)
			u.waiting.drop(number)
			delete(u.placed, number)
		case (r[0] == recordWaiting || r[0] == recordAhead) && len(r) >= 21:
			where := region{int64(value), int64(binary.LittleEndian.Uint64(r[13:])), r[0] == recordAhead}
			u.waiting.put(number, where)
			u.foretold(number, where)
			if !where.ahead {
				u.waitEnd = max(u.waitEnd, where.offset+where.size)
			}
		}
	}
	u.uneven = true // how large the packets were is not known any more
	firstWaits := u.waiting.has(1)
	u.stale, u.first = true, firstWaits || u.next > 1
}

// replayLocked makes the stream anew from the content that an earlier run
// stored: what the checksum is of is what is on disk.
func (u *upload) replayLocked(b *lease) error {
	if !u.stale {
		return nil
	}
	size := u.stream.size
	fresh := newStream(u.session.key)
	for fresh.size < size {
		n, err := u.part.Content().ReadAt(b.in[:min(int64(len(b.in)), size-fresh.size)], fresh.size)
		if n == 0 {
			return u.failLocked(fmt.Errorf("reading back an upload: %w", err))
		}
		fresh.write(b.piece(n), b.out[:])
	}
	u.stream, u.stale = fresh, false
	return nil
}

// load takes up the uploads that an earlier run left.
func (us *uploads) load(ctx context.Context) error {
	blobs := us.s.cfg.Blobs
	err := blobs.Parts(ctx, func(part store.Part, header []byte, records [][]byte) error {
		u, err := us.fromPart(ctx, part, header)
		if err != nil {
			us.s.log.Warn("an unfinished upload cannot be taken up", "upload", part.ID(), "error", err)
			return part.Discard()
		}
		if u == nil {
			return part.Discard()
		}
		u.replay(records)
		if err := us.add(ctx, u); err != nil {
			u.waiting.clear()
			return part.Discard()
		}
		return part.Close()
	})
	if err != nil {
		return err
	}
	since := time.Now().Add(-2 * us.s.Settings().UploadTTL)
	err = blobs.Pending(ctx, since, func(b store.StoredBlob) error { return us.fromBlob(ctx, b) })
	if errors.Is(err, store.ErrDamaged) {
		us.s.log.Error("some blobs that await confirmation are damaged", "error", err)
		return nil
	}
	return err
}

// fromPart makes the upload of a part; nil for one that is not worth keeping:
// a base client knows nothing of it.
func (us *uploads) fromPart(ctx context.Context, part store.Part, header []byte) (*upload, error) {
	var h partHeader
	if err := json.Unmarshal(header, &h); err != nil {
		return nil, err
	}
	if !h.Strict || time.Since(h.Created) > us.s.Settings().UploadTTL {
		return nil, nil
	}
	id := part.ID()
	key, err := us.s.cfg.MasterKey.openKey(h.SealedKey, id[:])
	if err != nil {
		return nil, err
	}
	hash, err := crypt.ParseOAEPHash(h.OAEPHash)
	if err != nil {
		return nil, err
	}
	u := us.newUpload(fileName{h.Client, gatewayOwner, h.Name}, session{name: us.s.nameOf(ctx, h.Client), key: key, wrapped: h.WrappedKey, fingerprint: h.Fingerprint, oaep: hash})
	u.id, u.byID, u.format, u.original, u.total = id, h.ByID, h.Format, h.Original, h.Total
	u.holder = network{h.Holder}
	u.changed = h.Created // who has waited longest is still known
	u.attempts, u.created, u.strict, u.part = h.Attempts, h.Created, h.Strict, part
	copy(u.wire[:], h.Wire)
	return u, nil
}

// fromBlob takes up a blob that is complete and not confirmed: the client may
// still do so. One whose commit was written before its mark gets the mark.
func (us *uploads) fromBlob(ctx context.Context, b store.StoredBlob) error {
	if versions, err := us.s.cfg.Catalog.Versions(ctx, b.Label.Client, b.Label.Name); err == nil {
		for _, v := range versions {
			if v.Blob == b.Ref {
				return us.s.cfg.Blobs.Confirm(ctx, b.Ref, store.Confirmation{Number: v.Number, Verified: v.Verified, Created: v.Created})
			}
		}
	} else if !errors.Is(err, store.ErrNoFile) {
		return err
	}
	if time.Since(b.Label.Received) > us.s.Settings().UploadTTL {
		return us.s.cfg.Blobs.Remove(ctx, b.Ref)
	}
	// Connections have gone with the run, so that one by name is the gateway's.
	// The key is not kept with the blob, so this one cannot be sent again.
	u := us.newUpload(fileName{b.Label.Client, gatewayOwner, b.Label.Name}, session{name: us.s.nameOf(ctx, b.Label.Client)})
	u.id, u.byID, u.strict, u.format = b.Label.Upload, b.Label.ByID, true, protocol.Format(b.Label.Format)
	u.state, u.label, u.ref, u.created, u.changed = complete, b.Label, b.Ref, b.Label.Received, b.Label.Received
	copy(u.wire[:], b.Label.WireName)
	us.mu.Lock()
	other := us.byName[u.file()]
	if !u.byID && other != nil && other.changed.After(u.changed) {
		us.mu.Unlock()
		return us.s.cfg.Blobs.Remove(ctx, b.Ref)
	}
	if !u.byID && other != nil {
		us.forgetLocked(other)
	}
	evicted, err := us.addLocked(u)
	us.mu.Unlock()
	us.evict(ctx, evicted)
	if !u.byID && other != nil {
		err = errors.Join(err, other.drop(ctx))
	}
	return err
}
