package server

import (
	"context"
	"errors"
	"time"

	"coffer/protocol"
	"coffer/store"
)

// How an upload ends without becoming a file, or begins anew.

// failLocked drops an upload that cannot become a file.
func (u *upload) failLocked(why error) error {
	u.s.uploads.forget(u)
	u.s.metrics.Dropped.Add(1)
	refused, ok := errors.AsType[*refusal](why)
	if ok && refused.rule == protocol.RulePadding {
		u.s.guessed(u, wrongPadding)
	}
	a := store.Activity{Kind: store.ActivityUpload, Outcome: store.OutcomeFailed, Client: u.client, Name: u.session.name,
		Address: u.address, File: u.name, Bytes: u.stream.size, Took: time.Since(u.created), Detail: "the server could not store it; its log says why"}
	if ok {
		a.Detail = refused.message
	}
	u.s.note(a)
	return errors.Join(why, u.dropLocked())
}

// dropLocked makes the upload gone. What it stored goes with the last packet
// that is being received.
func (u *upload) dropLocked() error {
	u.state = gone
	u.small, u.placed = nil, nil
	u.countSmallLocked()
	u.waiting.clear()
	return nil
}

// discardIfGoneLocked removes what a dropped upload stored.
func (u *upload) discardIfGoneLocked() {
	if u.state != gone || u.active > 0 || u.sealing || u.part == nil {
		return
	}
	if err := u.part.Discard(); err != nil {
		u.s.log.Error("cannot remove a dropped upload's packets", "upload", u.id, "error", err)
	}
	u.part = nil
}

// drop ends an upload that was cancelled or replaced, or has expired.
func (u *upload) drop(ctx context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	var err error
	if u.state == complete {
		u.s.guessed(u, neverConfirmed)
		err = u.s.cfg.Blobs.Remove(ctx, u.ref)
	}
	if u.state != gone {
		err = errors.Join(err, u.dropLocked())
	}
	u.discardIfGoneLocked()
	return err
}

// again awaits every packet once more, after a wrong checksum. left is how
// many attempts remain; with none the upload is dropped.
func (u *upload) again(ctx context.Context) (left int, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.state != complete {
		return 0, errGone
	}
	ref := u.ref
	u.attempts++
	left = protocol.MaxAttempts - u.attempts
	if left <= 0 || u.session.wrapped == nil {
		left = 0
		u.s.guessed(u, neverConfirmed)
		u.s.uploads.forget(u)
		err = u.dropLocked()
	} else {
		u.state, u.ref, u.first, u.next, u.changed = receiving, "", false, 1, time.Now()
		u.iv, u.ivDone, u.waitEnd = nil, false, 0
		u.waiting.clear()
		u.unplaceLocked()
		u.stream = newStream(u.session.key)
	}
	return left, errors.Join(err, u.s.cfg.Blobs.Remove(ctx, ref))
}
