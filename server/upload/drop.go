package upload

import (
	"context"

	"coffer/store"
)

// How an upload ends without becoming a version.

// GiveUp drops the upload of a client that gives up on the checksum.
func (u *Upload) GiveUp(ctx context.Context) error {
	u.r.forget(u)
	if _, err := u.drop(ctx); err != nil {
		return err
	}
	u.r.Events.Mismatched(u.info(), 0)
	return nil
}

// Drop ends an upload that comes to nothing.
func (u *Upload) Drop(ctx context.Context, why Cause) error {
	u.r.forget(u)
	dropped, err := u.drop(ctx)
	if dropped && why != Replaced {
		u.r.Events.Dropped(u.info(), why)
	}
	return err
}

// drop makes the upload gone, and reports whether it was not before.
func (u *Upload) drop(ctx context.Context) (dropped bool, err error) {
	if err := u.settleCommit(ctx); err != nil {
		return false, err
	}
	u.mu.Lock()
	was, ref := u.state, u.ref
	u.abandon()
	u.mu.Unlock()
	if was == complete {
		u.r.Events.Unconfirmed(u.info())
		err = u.r.Blobs.Remove(ctx, ref)
	}
	u.sweep()
	return was != gone, err
}

// settleCommit waits while the upload is being committed: what was promised
// then is not taken back.
func (u *Upload) settleCommit(ctx context.Context) error {
	if state, _ := u.whole(); state != committing {
		return nil
	}
	return u.settle(ctx)
}

// fail drops an upload that cannot become a file.
func (u *Upload) fail(why error) error {
	u.r.forget(u)
	u.mu.Lock()
	was := u.state
	u.abandon()
	u.mu.Unlock()
	if was != gone {
		u.r.Events.Failed(u.info(), why)
	}
	u.sweep()
	return why
}

// abandon makes the upload gone. What it stored goes with the last packet that
// is being received. The caller holds the lock.
func (u *Upload) abandon() {
	u.state = gone
	u.contents.forgetSmall()
	u.packets.clear()
}

// sweep removes what a dropped upload stored, once nobody uses it.
func (u *Upload) sweep() {
	u.mu.Lock()
	var part store.Part
	if u.state == gone && u.packets.active == 0 && u.settled == nil {
		part, u.contents.part = u.contents.part, nil
	}
	u.mu.Unlock()
	if part == nil {
		return
	}
	if err := part.Discard(); err != nil {
		u.r.Log.Error("cannot remove a dropped upload's packets", "upload", u.id, "error", err)
	}
}
