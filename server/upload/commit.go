package upload

import (
	"context"
	"fmt"
	"time"

	"coffer/store"
)

// How a complete upload becomes a version of its file, or is awaited anew.

// A Result is what came of a client's word on a file's checksum.
type Result struct {
	Verified bool
	Left     int    // attempts, if not verified
	Cksum    uint32 // the server's
	Version  uint32 // committed, or 0
}

// Verify compares the client's checksum of the file with the server's: it
// commits the file, or awaits it again.
func (u *Upload) Verify(ctx context.Context, sum uint32) (Result, error) {
	if err := u.wait(ctx); err != nil {
		return Result{}, err
	}
	switch state, meta := u.whole(); {
	case state == receiving:
		return Result{}, ErrIncomplete
	case meta.Cksum == sum:
		return u.Commit(ctx)
	}
	left, err := u.Reset(ctx)
	_, meta := u.whole()
	return Result{Left: left, Cksum: meta.Cksum}, err
}

// whole is how far the upload is, and the metadata that it has from storing on.
func (u *Upload) whole() (state, store.Metadata) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.state, u.meta
}

// Commit makes a complete upload the newest version of its file. Once it
// returns, neither a crash nor a power cut loses that.
func (u *Upload) Commit(ctx context.Context) (Result, error) {
	v, err := u.beginCommit(ctx)
	if err != nil || v == nil {
		result, done := u.r.Result(u.file.Key.Client, u.id)
		if err == nil && !done {
			err = ErrIncomplete
		}
		return result, err
	}
	number, dropped, err := u.r.Catalog.Commit(ctx, *v, u.r.Limits().Keep)
	if err != nil {
		u.committed(complete)
		return Result{}, fmt.Errorf("commit a file: %w", err)
	}
	result := Result{Verified: true, Cksum: v.Cksum, Version: number}
	u.r.remember(u, result)
	u.committed(gone)
	if err := u.r.Blobs.Confirm(ctx, v.Blob, store.Confirmation{Number: number, Verified: true, Created: v.Created}); err != nil {
		u.r.Log.Error("a committed file would be missing from a rebuilt catalog", "client", v.Client, "error", err)
	}
	for _, ref := range dropped {
		if err := u.r.Blobs.Remove(ctx, ref); err != nil { // lost space, no lost file
			u.r.Log.Error("cannot remove a blob that nothing refers to", "error", err)
		}
	}
	u.r.Events.Committed(u.info(), v.Created, number)
	return result, nil
}

// beginCommit is the version that a complete upload becomes; nil if it became
// one before.
func (u *Upload) beginCommit(ctx context.Context) (*store.Version, error) {
	for {
		if err := u.settle(ctx); err != nil {
			return nil, err
		}
		u.mu.Lock()
		state := u.state
		if state == complete {
			u.state, u.settled = committing, make(chan struct{})
			v := &store.Version{Metadata: u.meta, Verified: true, Created: time.Now(), Blob: u.ref}
			u.mu.Unlock()
			return v, nil
		}
		u.mu.Unlock()
		switch state {
		case gone:
			return nil, nil
		case receiving:
			return nil, ErrIncomplete
		}
	}
}

// committed notes how committing ended.
func (u *Upload) committed(now state) {
	u.mu.Lock()
	defer u.mu.Unlock()
	close(u.settled)
	u.state, u.settled = now, nil
}

// Reset awaits every packet once more, after a wrong checksum. left is how many
// attempts remain; with none the upload is dropped.
func (u *Upload) Reset(ctx context.Context) (left int, err error) {
	if err := u.settle(ctx); err != nil {
		return 0, err
	}
	left, ref, err := u.reset()
	if err != nil {
		return 0, err
	}
	if left == 0 {
		u.r.forget(u)
		u.r.Events.Unconfirmed(u.info())
	}
	u.r.Events.Mismatched(u.info(), left)
	return left, u.r.Blobs.Remove(ctx, ref)
}

func (u *Upload) reset() (left int, ref store.BlobRef, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.state != complete {
		return 0, "", ErrGone
	}
	ref = u.ref
	u.failedAttempts++
	left = max(0, MaxAttempts-u.failedAttempts)
	if u.file.Session.Wrapped == nil {
		left = 0
	}
	if left == 0 {
		u.abandon()
		return 0, ref, nil
	}
	u.state, u.ref, u.changed = receiving, "", time.Now()
	u.packets.reset()
	u.contents.stream, u.contents.stored = newStream(u.file.Session.Key), 0
	return left, ref, nil
}
