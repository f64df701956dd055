package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/store"
)

// errFieldOrder: a packet beyond the total can be the surplus one that some
// clients send, but not the first.
var errFieldOrder = broken(protocol.RuleFieldOrder, protocol.StatusInvalid, "packet number: above the total, and nothing of the file has come before")

// errSilent: the request was refused and gets no answer, since the packet
// before it got one.
var errSilent = &refusal{message: "refused like the packet before", silent: true}

func (c *conn) sendFile(ctx context.Context, r *request, m *protocol.SendFile) (protocol.Message, error) {
	u, completed, err := c.receiveBase(ctx, r, m)
	if errors.As(err, new(lostError)) {
		return nil, err
	}
	switch {
	case errors.Is(err, errGone) || errors.Is(err, errSilent):
		// Replaced by a new beginning of the file, or refused before.
		return nil, errSilent
	case err != nil:
		sess, live := c.s.sessions.get(r.client, c.baseOwner())
		if !live {
			c.s.uploads.dropOwned(ctx, c.number) // nothing is confirmed that was guessed before
		}
		if refused, ok := errors.AsType[*refusal](err); ok && refused.rule == protocol.RulePadding {
			if err := c.pauseAnswer(ctx, r.client); err != nil {
				return nil, err
			}
		}
		c.refused = refusedPacket{r.client, sess.key, m.Name, m.Number}
		return nil, err
	case !completed:
		return nil, nil
	}
	c.refused = refusedPacket{}
	if err := c.pauseAnswer(ctx, r.client); err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return &protocol.FileReceived{Client: protocol.ClientID(r.client), ContentSize: uint32(u.label.Size), Name: m.Name, Cksum: u.label.Cksum}, nil
}

func (c *conn) receiveBase(ctx context.Context, r *request, m *protocol.SendFile) (*upload, bool, error) {
	id := r.client
	name, err := c.s.text(&m.Name)
	if err != nil {
		return nil, false, err
	}
	sess, live := c.s.sessions.get(id, c.baseOwner())
	if live && c.endGuessed(id, sess) {
		live = false
	}
	if c.refused.client == id && c.refused.key == sess.key && c.refused.name == m.Name && m.Number > c.refused.number && m.Number > 1 {
		return nil, false, errSilent
	}
	c.refused = refusedPacket{}
	switch {
	case !live && c.s.guesses.over(guesser{id, c.origin()}, time.Now()):
		return nil, false, errGuessed
	case !live:
		return nil, false, errNoSession
	case m.Number == 0:
		return nil, false, errors.Join(errPacketZero, c.s.uploads.dropNamed(ctx, fileName{id, c.baseOwner(), name}))
	case m.Total == 0:
		return nil, false, errors.Join(errTotalZero, c.s.uploads.dropNamed(ctx, fileName{id, c.baseOwner(), name}))
	}
	file := fileName{id, c.baseOwner(), name}
	if m.Number > m.Total && !c.s.uploads.began(file) {
		return nil, false, errFieldOrder
	}
	u, err := c.s.namedUpload(ctx, named{file: file, from: c.origin(), holder: r.from.network, hangUp: func() { c.nc.Close() }, wire: m.Name,
		original: uint64(m.OriginalSize), total: uint32(m.Total)}, uint32(m.Number), sess)
	if err != nil {
		return nil, false, err
	}
	completed, err := u.receive(ctx, uint32(m.Number), false, int64(r.payload.left), r.payload)
	if err == nil && completed && c.endGuessed(id, sess) {
		err = errPadding // whatever it was: an answer of its own would tell
	}
	return u, completed, err
}

// endGuessed ends the connection's session if its guesser was counted out since
// it began, here or on another connection, and reports whether it did.
func (c *conn) endGuessed(id store.ClientID, sess session) bool {
	if !c.s.guesses.ends(guesser{id, c.origin()}, sess.began) {
		return false
	}
	c.s.sessions.release(id, c.baseOwner())
	return true
}

func (c *conn) beginUpload(ctx context.Context, r *request, m *protocol.BeginUpload) (protocol.Message, error) {
	field, err := protocol.NewField(m.Name)
	if err != nil {
		return nil, refuse(protocol.StatusInvalid, "filename: "+err.Error())
	}
	if err := c.s.checkNewFile(ctx, r.client, m.Name); err != nil {
		return nil, err
	}
	if m.OriginalSize != protocol.UnknownSize && m.OriginalSize > 1<<62 {
		return nil, refuse(protocol.StatusTooLarge, "original size: larger than any file")
	}
	if tooMany(m.Total, m.OriginalSize) {
		return nil, errTotal
	}
	if c.s.cfg.Space.Low() {
		return nil, errNoSpace
	}
	c.s.accounts.RLock()
	defer c.s.accounts.RUnlock()
	client, err := c.s.client(ctx, r.client)
	if err != nil {
		return nil, err
	}
	if client.PublicKey == nil {
		return nil, errNoKey
	}
	sess, err := newSessionFor(client)
	if err != nil {
		return nil, err
	}
	u := c.s.uploads.newUpload(fileName{r.client, c.namedOwner(), m.Name}, sess)
	u.holder = r.from.network
	u.wire, u.byID, u.strict, u.format, u.original, u.total = field, true, true, m.Format, m.OriginalSize, m.Total
	if err := c.s.uploads.add(ctx, u); err != nil {
		return nil, err
	}
	return &protocol.UploadBegun{Upload: protocol.UploadID(u.id), MaxPacket: c.s.maxContent(),
		Expires: u.created.Add(c.s.Settings().UploadTTL), OAEPHash: wireHash(sess.oaep), WrappedKey: sess.wrapped}, nil
}

// tooMany reports whether a file of this size cannot be cut into so many
// packets, since each holds something.
func tooMany(total uint32, original uint64) bool {
	return original != protocol.UnknownSize && uint64(total) > crypt.CiphertextLen(original)
}

// maxContent is the most content bytes in one packet.
func (s *Server) maxContent() uint32 { return s.cfg.MaxPacket - 1<<10 }

func (c *conn) uploadPacket(ctx context.Context, r *request, m *protocol.UploadPacket) (protocol.Message, error) {
	u, err := c.upload(r.client, protocol.UploadRef{ByID: true, Upload: m.Upload})
	if err != nil {
		return nil, err
	}
	if _, err := u.receive(ctx, m.Number, m.Last, int64(r.payload.left), r.payload); err != nil {
		return nil, err
	}
	return u.settledStatus(ctx)
}

func (c *conn) namedPacket(ctx context.Context, r *request, m *protocol.NamedPacket) (protocol.Message, error) {
	u, err := c.namedUpload(ctx, r, m)
	if err != nil {
		return nil, err
	}
	if _, err := u.receive(ctx, m.Number, false, int64(r.payload.left), r.payload); err != nil {
		return nil, err
	}
	return u.settledStatus(ctx)
}

// namedUpload returns the upload that a packet belongs to, beginning it if need
// be.
func (c *conn) namedUpload(ctx context.Context, r *request, m *protocol.NamedPacket) (*upload, error) {
	name, err := c.s.text(&m.Name)
	switch {
	case err != nil:
		return nil, err
	case m.Number == 0:
		return nil, errPacketZero
	case m.Total == 0:
		return nil, errTotalZero
	case m.Number > m.Total:
		return nil, errBeyondTotal
	case m.OriginalSize > 1<<62:
		return nil, refuse(protocol.StatusTooLarge, "original size: larger than any file")
	case tooMany(m.Total, m.OriginalSize):
		return nil, errTotal
	}
	if err := c.s.checkNewFile(ctx, r.client, name); err != nil {
		return nil, err
	}
	sess, live := c.s.sessions.get(r.client, c.namedOwner())
	if !live {
		return nil, refuse(protocol.StatusNoSession, "no live session key; ask for one first")
	}
	return c.s.namedUpload(ctx, named{file: fileName{r.client, c.namedOwner(), name}, from: c.origin(), holder: r.from.network, wire: m.Name,
		original: m.OriginalSize, total: m.Total, strict: true}, m.Number, sess)
}

// upload finds the upload that a request means: by its id any of the client's,
// by its file name one of those that are this connection's, or the gateway's.
func (c *conn) upload(id store.ClientID, ref protocol.UploadRef) (*upload, error) {
	return c.s.uploads.find(id, c.namedOwner(), ref)
}

func (c *conn) askUpload(ctx context.Context, r *request, m *protocol.AskUpload) (protocol.Message, error) {
	u, err := c.upload(r.client, m.Ref)
	if err != nil {
		return nil, err
	}
	return u.settledStatus(ctx)
}

func (c *conn) cancelUpload(ctx context.Context, r *request, m *protocol.CancelUpload) (protocol.Message, error) {
	u, err := c.upload(r.client, m.Ref)
	if err != nil {
		return nil, err
	}
	c.s.uploads.forget(u)
	c.s.noteDropped(u, store.OutcomeOK, "cancelled by its client")
	return &protocol.Done{}, u.drop(ctx)
}

func (c *conn) listUploads(_ context.Context, r *request, _ *protocol.ListUploads) (protocol.Message, error) {
	list := &protocol.UploadList{}
	for _, u := range c.s.uploads.of(r.client) {
		if !u.byID && u.owner != c.namedOwner() {
			continue
		}
		list.Uploads = append(list.Uploads, *u.status(false))
	}
	slices.SortFunc(list.Uploads, func(a, b protocol.UploadState) int { return time.Time.Compare(a.Created, b.Created) })
	return list, nil
}
