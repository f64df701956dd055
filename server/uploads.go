package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"coffer/protocol"
	"coffer/server/upload"
	"coffer/store"
)

// What the uploads need of the server, and what the server makes of their news.

func newUploads(s *Server, in *intake, sealed *snapshots) *upload.Registry {
	return upload.New(upload.Deps{
		Blobs: s.cfg.Blobs, Catalog: s.cfg.Catalog, Keys: s.cfg.MasterKey, Log: s.log,
		Limits: s.uploadLimits, MayBegin: in.mayBegin, Admit: in.admit, NameOf: s.journal.nameOf, Events: uploadEvents{s}, Other: sealed.recover,
	})
}

func (s *Server) uploadLimits() upload.Limits {
	settings := s.Settings()
	return upload.Limits{
		TTL: settings.UploadTTL, FilesOpen: s.cfg.IdleTimeout, PacketTTL: 2 * s.cfg.IdleTimeout, Keep: settings.Retention(),
		MaxOfClient: s.cfg.MaxUploads, MaxOfAddress: s.cfg.MaxUploadsPerAddress, MaxInAll: s.cfg.MaxUploadsInAll,
	}
}

var errNoSpace = refuse(protocol.StatusNoSpace, "the server's storage is full; restoring and removing still work")

// An intake decides which content is taken in.
type intake struct {
	space       *Space
	suspended   *suspended
	readers     *sync.Pool // of *readBuffer
	catalog     usageFinder
	maxVersions int // of one client; 0: no limit
}

// A usageFinder finds what a client has stored.
type usageFinder interface {
	Usage(ctx context.Context, id store.ClientID) (store.Usage, error)
}

// admit takes room for content of a client's.
func (i *intake) admit(client store.ClientID, bytes int) (written func(), err error) {
	written, ok := i.space.Reserve(uint64(bytes))
	if !ok {
		return nil, errNoSpace
	}
	if i.suspended.has(client) {
		written()
		return nil, errSuspended
	}
	return written, nil
}

// copy copies content as it comes in, unless its client is suspended
// meanwhile.
func (i *intake) copy(w io.Writer, in io.Reader, client store.ClientID) error {
	b := i.readers.Get().(*readBuffer)
	defer i.readers.Put(b)
	for {
		n, err := in.Read(b[:])
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case i.suspended.has(client):
			return errSuspended
		}
		if _, err := w.Write(b[:n]); err != nil {
			return fmt.Errorf("store content: %w", err)
		}
	}
}

// mayBegin refuses a client that has as many file versions as an account may
// have. Versions cost room in the catalog, whatever is in them, and the young
// ones are not pruned.
func (i *intake) mayBegin(ctx context.Context, client store.ClientID) error {
	if i.maxVersions == 0 {
		return nil
	}
	usage, err := i.catalog.Usage(ctx, client)
	if err == nil && usage.Versions >= int64(i.maxVersions) {
		err = refuse(protocol.StatusTooMany, fmt.Sprintf("the account has %d file versions, the most that this server keeps for one; remove some, then try again", usage.Versions))
	}
	return err
}

// uploadRefusals is what uploads are refused for, as the wire says it.
var uploadRefusals = map[upload.Reason]struct {
	status protocol.Status
	rule   protocol.Rule
}{
	upload.Gone:       {protocol.StatusNotFound, protocol.RuleOther},
	upload.NotFound:   {protocol.StatusNotFound, protocol.RuleNotReceived},
	upload.Incomplete: {protocol.StatusConflict, protocol.RuleNotReceived},
	upload.Numbers:    {protocol.StatusInvalid, protocol.RuleNumbers},
	upload.Sizes:      {protocol.StatusInvalid, protocol.RuleSizes},
	upload.Padding:    {protocol.StatusInvalid, protocol.RulePadding},
	upload.TooMany:    {protocol.StatusTooMany, protocol.RuleOther},
	upload.Forgotten:  {protocol.StatusUnavailable, protocol.RuleOther},
	upload.OutOfStep:  {protocol.StatusConflict, protocol.RuleOther},
	upload.TooLarge:   {protocol.StatusTooLarge, protocol.RuleOther},
	upload.Changed:    {protocol.StatusTooMany, protocol.RuleGuesses},
}

// refusedUpload is the error as the wire says it, if it is an upload's refusal.
func refusedUpload(err error) error {
	refused, ok := errors.AsType[*upload.Refusal](err)
	if !ok || errors.As(err, new(lostError)) {
		return err
	}
	as := uploadRefusals[refused.Reason]
	return broken(as.rule, as.status, refused.Error())
}

// uploadEvents turn what happens to uploads into activities and metrics.
type uploadEvents struct{ s *Server }

// Committed implements upload.Events.
func (e uploadEvents) Committed(u upload.Info, at time.Time, version uint32) {
	took := at.Sub(u.Created)
	e.s.metrics.Committed(took)
	a := activityOf(u, store.ActivityUpload, store.OutcomeOK, "")
	a.At, a.Version, a.Bytes, a.Took = at, version, u.Bytes, took
	e.s.journal.note(a)
}

// Failed implements upload.Events.
func (e uploadEvents) Failed(u upload.Info, why error) {
	e.s.metrics.Dropped.Add(1)
	if errors.Is(why, upload.ErrPadding) {
		e.s.guessed(u, wrongPadding)
	}
	detail := "the server could not store it; its log says why"
	if refused, ok := errors.AsType[*upload.Refusal](why); ok {
		detail = refused.Error()
	}
	a := activityOf(u, store.ActivityUpload, store.OutcomeFailed, detail)
	a.Bytes, a.Took = u.Bytes, time.Since(u.Created)
	e.s.journal.note(a)
}

// Dropped implements upload.Events.
func (e uploadEvents) Dropped(u upload.Info, why upload.Cause) {
	e.s.metrics.Dropped.Add(1)
	outcome, detail := store.OutcomeWarning, ""
	switch why {
	case upload.Cancelled:
		outcome, detail = store.OutcomeOK, "cancelled by its client"
	case upload.Stopped:
		detail = "cancelled by the operator"
	case upload.Evicted:
		e.s.metrics.UploadsEvicted.Add(1)
		detail = "it stood still, and made room for others"
	case upload.Expired:
		detail = "nobody finished it in time"
	case upload.Abandoned:
		detail = "its connection closed before it was confirmed"
	}
	a := activityOf(u, store.ActivityUploadDropped, outcome, detail)
	a.Bytes, a.Took = u.Bytes, time.Since(u.Created)
	e.s.journal.note(a)
}

// Mismatched implements upload.Events.
func (e uploadEvents) Mismatched(u upload.Info, left int) {
	e.s.metrics.Mismatched.Add(1)
	outcome, detail := store.OutcomeWarning, fmt.Sprintf("the checksums of client and server differ; the client may send the file again, %s", plural(left, "time", "times"))
	if left == 0 {
		outcome, detail = store.OutcomeFailed, "the checksums of client and server stayed different; the upload was dropped"
	}
	e.s.journal.note(activityOf(u, store.ActivityMismatch, outcome, detail))
}

// Unconfirmed implements upload.Events.
func (e uploadEvents) Unconfirmed(u upload.Info) { e.s.guessed(u, neverConfirmed) }

// Changed implements upload.Events: content that is sent again reveals as much
// as a new file, unless it is the same.
func (e uploadEvents) Changed(u upload.Info) (enough bool) { return e.s.guessed(u, neverConfirmed) }

func activityOf(u upload.Info, kind store.ActivityKind, outcome store.Outcome, detail string) store.Activity {
	return store.Activity{Kind: kind, Outcome: outcome, Client: u.Key.Client, Name: u.ClientName, Address: u.Address, File: u.Key.Name, Detail: detail}
}
