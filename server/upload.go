package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/server/upload"
	"coffer/store"
)

var (
	errPacketZero  = broken(protocol.RuleNumbers, protocol.StatusInvalid, "packet number: packets are counted from 1")
	errTotalZero   = broken(protocol.RuleNumbers, protocol.StatusInvalid, "total packets: at least 1")
	errTotal       = broken(protocol.RuleNumbers, protocol.StatusInvalid, "total packets: more than the original size has bytes of ciphertext")
	errBeyondTotal = broken(protocol.RuleNumbers, protocol.StatusInvalid, "packet number: beyond the total")
	errHugeFile    = refuse(protocol.StatusTooLarge, "original size: larger than any file")
	// errFieldOrder: a packet beyond the total can be the surplus one that some
	// clients send, but not the first.
	errFieldOrder = broken(protocol.RuleFieldOrder, protocol.StatusInvalid, "packet number: above the total, and nothing of the file has come before")
	// errSilent: the request was refused and gets no answer, since the packet
	// before it got one.
	errSilent = &refusal{message: "refused like the packet before", silent: true}
)

func (c *conn) sendFile(ctx context.Context, r *request, m *protocol.SendFile) (protocol.Message, error) {
	name, err := c.s.text(&m.Name)
	if err != nil {
		return nil, c.refuseRest(ctx, r, m, err)
	}
	whole, err := c.receiveBase(ctx, r, m, upload.Key{Client: r.client, Owner: c.baseOwner(), Name: name})
	switch {
	case errors.As(err, new(lostError)):
		return nil, err
	case errors.Is(err, upload.ErrGone) || errors.Is(err, errSilent):
		// Replaced by a new beginning of the file, or refused before.
		return nil, errSilent
	case errors.Is(err, upload.ErrPadding):
		if pauseErr := c.pauseAnswer(ctx, r.client); pauseErr != nil {
			return nil, pauseErr
		}
		return nil, c.refuseRest(ctx, r, m, err)
	case err != nil:
		return nil, c.refuseRest(ctx, r, m, err)
	case whole == nil:
		return nil, nil
	}
	c.refused = refusedPacket{}
	if err := c.pauseAnswer(ctx, r.client); err != nil {
		return nil, err
	}
	return &protocol.FileReceived{Client: protocol.ClientID(r.client), ContentSize: uint32(whole.Size), Name: m.Name, Cksum: whole.Cksum}, nil
}

// refuseRest notes that a packet was refused with err, so that packets sent
// right behind it get no further answers.
func (c *conn) refuseRest(ctx context.Context, r *request, m *protocol.SendFile, err error) error {
	sess, live := c.s.sessions.get(r.client, c.baseOwner())
	if !live {
		c.s.uploads.DropOwned(ctx, c.number) // nothing is confirmed that was guessed before
	}
	c.refused = refusedPacket{r.client, sess.Key, m.Name, m.Number}
	return err
}

// receiveBase takes in a packet of a base client, and returns the metadata of
// the file that it made complete.
func (c *conn) receiveBase(ctx context.Context, r *request, m *protocol.SendFile, key upload.Key) (*store.Metadata, error) {
	who := guesser{r.client, c.origin()}
	sess, live := c.s.sessions.get(r.client, key.Owner)
	if live && c.endGuessed(who, sess) {
		live = false
	}
	if c.refused.client == r.client && c.refused.key == sess.Key && c.refused.name == m.Name && m.Number > c.refused.number && m.Number > 1 {
		return nil, errSilent
	}
	c.refused = refusedPacket{}
	switch {
	case !live && c.s.guesses.over(who, time.Now()):
		return nil, errGuessed
	case !live:
		return nil, errNoSession
	case m.Number == 0:
		return nil, errors.Join(errPacketZero, c.s.uploads.DropKey(ctx, key))
	case m.Total == 0:
		return nil, errors.Join(errTotalZero, c.s.uploads.DropKey(ctx, key))
	case m.Number > m.Total && !c.s.uploads.Began(key):
		return nil, errFieldOrder
	}
	u, err := c.s.uploadFor(ctx, upload.File{Key: key, WireName: wireName(&m.Name, key.Name), Original: uint64(m.OriginalSize), Total: uint32(m.Total),
		Session: sess.Session, From: who.from.Prefix, Holder: r.from.network.Prefix, HangUp: func() { c.nc.Close() }}, uint32(m.Number))
	if err != nil {
		return nil, err
	}
	whole, err := u.Receive(ctx, upload.Packet{Number: uint32(m.Number), Size: int64(r.payload.left), Exact: true, From: r.from.address}, r.payload)
	if whole != nil && c.endGuessed(who, sess) {
		return nil, upload.ErrPadding // whatever it was: a separate answer would reveal it
	}
	return whole, err
}

// endGuessed ends the connection's session if its guesser was counted out since
// it began, here or on another connection, and reports whether it did.
func (c *conn) endGuessed(who guesser, sess session) bool {
	if !c.s.guesses.ends(who, sess.began) {
		return false
	}
	c.s.sessions.release(who.client, c.baseOwner())
	return true
}

// uploadFor returns the upload that a packet named by its file belongs to. A
// client that is being removed has no session any more, and begins none.
func (s *Server) uploadFor(ctx context.Context, f upload.File, number uint32) (*upload.Upload, error) {
	s.accounts.mu.RLock()
	defer s.accounts.mu.RUnlock()
	if protocol.IsSnapshotName(f.Key.Name) {
		return nil, errReserved
	}
	if _, live := s.sessions.get(f.Key.Client, f.Key.Owner); !live {
		return nil, refuse(protocol.StatusNoSession, "the session has ended; reconnect")
	}
	return s.uploads.ForKey(ctx, f, number)
}

// wireName is a name as it came, of a field that was read as name.
func wireName(field *protocol.Field, name string) []byte {
	if b, err := field.Bytes(); err == nil {
		return b
	}
	return []byte(name)
}

func (c *conn) beginUpload(ctx context.Context, r *request, m *protocol.BeginUpload) (protocol.Message, error) {
	if _, err := protocol.NewField(m.Name); err != nil {
		return nil, refuse(protocol.StatusInvalid, "filename: "+err.Error())
	}
	if err := c.s.files.checkNew(ctx, r.client, m.Name); err != nil {
		return nil, err
	}
	switch {
	case protocol.IsSnapshotName(m.Name):
		return nil, errReserved
	case m.Format == protocol.FormatSnapshot:
		return nil, refuse(protocol.StatusInvalid, "format: snapshots are committed, not uploaded")
	case m.OriginalSize != protocol.UnknownSize && m.OriginalSize > 1<<62:
		return nil, errHugeFile
	case tooMany(m.Total, m.OriginalSize):
		return nil, errTotal
	case c.s.cfg.Space.Low():
		return nil, errNoSpace
	}
	c.s.accounts.mu.RLock()
	defer c.s.accounts.mu.RUnlock()
	client, err := c.s.accounts.find(ctx, r.client)
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
	u, err := c.s.uploads.Begin(ctx, upload.File{Key: upload.Key{Client: r.client, Owner: c.namedOwner(), Name: m.Name}, Strict: true, WireName: []byte(m.Name),
		Format: uint8(m.Format), Original: m.OriginalSize, Total: m.Total, Session: sess.Session, Holder: r.from.network.Prefix})
	if err != nil {
		return nil, err
	}
	return &protocol.UploadBegun{Upload: protocol.UploadID(u.ID()), MaxPacket: c.s.maxContent(),
		Expires: u.Created().Add(c.s.Settings().UploadTTL), OAEPHash: wireHash(sess.OAEPHash), WrappedKey: sess.Wrapped}, nil
}

// tooMany reports whether a file of this size cannot be cut into so many
// packets, since each holds something.
func tooMany(total uint32, original uint64) bool {
	return original != protocol.UnknownSize && uint64(total) > crypt.CiphertextLen(original)
}

// maxContent is the most content bytes in one packet.
func (s *Server) maxContent() uint32 { return s.cfg.MaxPacket - 1<<10 }

func (c *conn) uploadPacket(ctx context.Context, r *request, m *protocol.UploadPacket) (protocol.Message, error) {
	u, err := c.s.uploads.Find(r.client, store.UploadID(m.Upload))
	if err != nil {
		return nil, err
	}
	return c.received(ctx, r, u, upload.Packet{Number: m.Number, Last: m.Last})
}

func (c *conn) namedPacket(ctx context.Context, r *request, m *protocol.NamedPacket) (protocol.Message, error) {
	u, err := c.namedUpload(ctx, r, m)
	if err != nil {
		return nil, err
	}
	return c.received(ctx, r, u, upload.Packet{Number: m.Number})
}

// received takes in the packet that the request brings, and answers with the
// upload's state.
func (c *conn) received(ctx context.Context, r *request, u *upload.Upload, p upload.Packet) (protocol.Message, error) {
	p.Size, p.Exact, p.From = int64(r.payload.left), true, r.from.address
	if _, err := u.Receive(ctx, p, r.payload); err != nil {
		return nil, err
	}
	return c.state(ctx, u)
}

// state is an upload's state, as the wire says it.
func (c *conn) state(ctx context.Context, u *upload.Upload) (protocol.Message, error) {
	s, err := u.State(ctx, protocol.MaxMissing)
	if err != nil {
		return nil, err
	}
	m := uploadState(&s)
	return &m, nil
}

func uploadState(s *upload.State) protocol.UploadState {
	m := protocol.UploadState{
		Upload: protocol.UploadID(s.ID), Complete: s.Phase == upload.Complete, AttemptsLeft: uint8(s.AttemptsLeft),
		Received: s.Received, Total: s.Total, Bytes: uint64(s.Bytes), OriginalSize: s.Original, Cksum: s.Cksum,
		Created: s.Created, Expires: s.Expires, MissingCount: s.Missing, Name: s.File,
	}
	for _, one := range s.Ranges {
		m.Missing = append(m.Missing, protocol.Range(one))
	}
	return m
}

// namedUpload returns the upload that a packet belongs to, beginning it if need
// be.
func (c *conn) namedUpload(ctx context.Context, r *request, m *protocol.NamedPacket) (*upload.Upload, error) {
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
		return nil, errHugeFile
	case tooMany(m.Total, m.OriginalSize):
		return nil, errTotal
	}
	if err := c.s.files.checkNew(ctx, r.client, name); err != nil {
		return nil, err
	}
	sess, live := c.s.sessions.get(r.client, c.namedOwner())
	if !live {
		return nil, refuse(protocol.StatusNoSession, "no live session key; ask for one first")
	}
	return c.s.uploadFor(ctx, upload.File{Key: upload.Key{Client: r.client, Owner: c.namedOwner(), Name: name}, Strict: true,
		WireName: wireName(&m.Name, name), Original: m.OriginalSize, Total: m.Total, Session: sess.Session,
		From: c.origin().Prefix, Holder: r.from.network.Prefix}, m.Number)
}

// upload finds the upload that a request means: by its id any upload of the
// client, by its file name one of this connection, or of the gateway.
func (c *conn) upload(r *request, ref protocol.UploadRef) (*upload.Upload, error) {
	if ref.ByID {
		return c.s.uploads.Find(r.client, store.UploadID(ref.Upload))
	}
	return c.s.uploads.FindKey(c.uploadKey(r, ref))
}

func (c *conn) uploadKey(r *request, ref protocol.UploadRef) upload.Key {
	return upload.Key{Client: r.client, Owner: c.namedOwner(), Name: ref.Name}
}

func (c *conn) getUpload(ctx context.Context, r *request, m *protocol.GetUpload) (protocol.Message, error) {
	u, err := c.upload(r, m.Ref)
	if err != nil {
		return nil, err
	}
	return c.state(ctx, u)
}

func (c *conn) cancelUpload(ctx context.Context, r *request, m *protocol.CancelUpload) (protocol.Message, error) {
	u, err := c.upload(r, m.Ref)
	if err != nil {
		return nil, err
	}
	return &protocol.Done{}, u.Drop(ctx, upload.Cancelled)
}

func (c *conn) listUploads(_ context.Context, r *request, _ *protocol.ListUploads) (protocol.Message, error) {
	list := &protocol.UploadList{}
	for _, u := range c.s.uploads.Of(r.client) {
		if u.ByID() || u.Owner() == c.namedOwner() {
			s := u.Glance(0)
			list.Uploads = append(list.Uploads, uploadState(&s))
		}
	}
	slices.SortFunc(list.Uploads, func(a, b protocol.UploadState) int { return time.Time.Compare(a.Created, b.Created) })
	return list, nil
}
