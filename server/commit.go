package server

import (
	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/store"
	"context"
	"errors"
	"fmt"
	"time"
)

// finishLocked seals the upload if everything is there.
func (u *upload) finishLocked(ctx context.Context, b *lease) (completed bool, err error) {
	whole := u.ciphertextLen()
	all := u.total != 0 && u.next > u.total
	switch {
	case whole >= 0 && u.stream.size == whole && (all || !u.strict):
	case !all:
		return false, nil
	case whole < 0:
	case !u.strict && u.next == u.total+1 && whole-u.stream.size <= crypt.BlockSize:
		return false, nil // one packet more than announced is on its way
	default:
		return false, u.failLocked(errSizes)
	}
	var last [2 * crypt.BlockSize]byte
	defer clear(last[:])
	rest, err := u.stream.dec.Finish(last[:0])
	if err != nil || whole >= 0 && u.stream.dec.Len() != u.original {
		return false, u.failLocked(errPadding)
	}
	sum := *u.stream.sum
	sum.Write(rest)
	if u.attempts > 0 && (sum.Sum32() != u.label.Cksum || int64(u.stream.dec.Len()) != u.label.OriginalSize) {
		// What is sent again under 1030 tells as much as a new file, unless it
		// is the same.
		if u.s.guessed(u, neverConfirmed) {
			return false, u.failLocked(errGuessed)
		}
	}
	u.label = store.Label{
		Upload: u.id, ByID: u.byID, Client: u.client, Name: u.name, WireName: u.wireName(),
		WrappedKey: u.session.wrapped, KeyFingerprint: u.session.fingerprint, OAEPHash: u.session.oaep.String(),
		Format: uint8(u.format), Size: u.stream.size, OriginalSize: int64(u.stream.dec.Len()),
		Cksum: sum.Sum32(), SHA256: [32]byte(u.stream.sha.Sum(nil)), Received: time.Now(),
	}
	u.revokeAllLocked()
	u.waiting.clear()
	u.state, u.sealing, u.settled = sealing, true, make(chan struct{})
	defer close(u.settled)
	label, part, small := u.label, u.part, u.small
	u.mu.Unlock()
	b.release() // what follows waits for the medium
	var ref store.BlobRef
	if part == nil {
		ref, err = u.s.cfg.Blobs.Put(ctx, label, small)
	} else {
		ref, err = part.Seal(ctx, label)
	}
	u.mu.Lock()
	u.sealing = false
	if err != nil {
		err = fmt.Errorf("storing what was received: %w", err)
		return false, u.failLocked(err)
	}
	u.ref, u.part, u.small = ref, nil, nil
	u.countSmallLocked()
	if u.state == gone {
		return false, errors.Join(errGone, u.s.cfg.Blobs.Remove(ctx, ref))
	}
	u.state = complete
	return true, nil
}

// settle waits until an upload that is being sealed is, and goes on with one
// that an earlier run left at a point from where no packet will: all of them
// were received, and the crash came before it was sealed.
func (u *upload) settle(ctx context.Context) error {
	if rested, err := u.rest(ctx); rested || err != nil {
		return err
	}
	b := u.s.buffers.get()
	defer b.release()
	u.mu.Lock()
	defer u.mu.Unlock()
	defer u.discardIfGoneLocked()
	if u.state != receiving || !u.stale || u.lane != nil || u.active > 0 {
		return nil
	}
	err := u.drainLocked(b)
	if err == nil && u.total != 0 && u.next > u.total {
		if err = u.replayLocked(b); err == nil {
			_, err = u.finishLocked(ctx, b)
		}
	} else if errors.As(err, new(*protocol.Failure)) {
		err = u.failLocked(err)
	}
	return err
}

// rest waits until an upload that is being sealed is, and reports whether there
// is nothing to go on with.
func (u *upload) rest(ctx context.Context) (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for u.state == sealing {
		settled := u.settled
		u.mu.Unlock()
		select {
		case <-settled:
			u.mu.Lock()
		case <-ctx.Done():
			u.mu.Lock()
			return false, ctx.Err()
		}
	}
	return u.state != receiving || !u.stale || u.lane != nil || u.active > 0, nil
}

// settled is the upload's state as the wire tells it, once it is settled.
func (u *upload) settledStatus(ctx context.Context) (protocol.Message, error) {
	if err := u.settle(ctx); err != nil {
		return nil, err
	}
	return u.status(true), nil
}

func (u *upload) wireName() []byte {
	if b, err := u.wire.Bytes(); err == nil {
		return b
	}
	return []byte(u.name)
}

// commit makes a complete upload the newest version of its file.
func (us *uploads) commit(ctx context.Context, u *upload) (protocol.VerifyResult, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.state != complete {
		return protocol.VerifyResult{}, broken(protocol.RuleNotReceived, protocol.StatusConflict, "the file is not complete")
	}
	cfg := &us.s.cfg
	v := store.Version{Label: u.label, Verified: true, Created: time.Now(), Blob: u.ref}
	number, dropped, err := cfg.Catalog.Commit(ctx, v, us.s.Settings().retention())
	if errors.Is(err, store.ErrNoClient) {
		return protocol.VerifyResult{}, failure(protocol.StatusUnauthenticated, "no such client")
	}
	if err != nil {
		return protocol.VerifyResult{}, fmt.Errorf("committing a file: %w", err)
	}
	u.state = gone
	result := protocol.VerifyResult{Verified: true, Cksum: u.label.Cksum, Version: number}
	us.mu.Lock()
	us.forgetLocked(u)
	file := u.file()
	us.committed[u.id] = commitment{file, result, time.Now()}
	if !u.byID {
		us.lastNamed[file] = u.id
	}
	us.mu.Unlock()
	if err := cfg.Blobs.Confirm(ctx, u.ref, store.Confirmation{Number: number, Verified: true, Created: v.Created}); err != nil {
		us.s.log.Error("a committed file would be missing from a rebuilt catalog", "client", u.client, "error", err)
	}
	us.s.removeBlobs(ctx, dropped)
	took := v.Created.Sub(u.created)
	us.s.meters.committed.Add(1)
	us.s.meters.uploads.Observe(took.Seconds())
	us.s.note(store.Activity{At: v.Created, Kind: store.ActivityUpload, Outcome: store.OutcomeOK, Client: u.client, Name: u.session.name,
		Address: u.address, File: u.name, Version: number, Bytes: u.label.Size, Took: took})
	return result, nil
}

// done finds what came of an upload that was lately committed.
func (us *uploads) done(client store.ClientID, o owner, ref protocol.UploadRef) (protocol.VerifyResult, bool) {
	us.mu.Lock()
	defer us.mu.Unlock()
	id := store.UploadID(ref.Upload)
	if !ref.ByID {
		id = us.lastNamed[fileName{client, o, ref.Name}]
	}
	c, ok := us.committed[id]
	return c.result, ok && c.file.client == client
}
