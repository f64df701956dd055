// Package upload gathers the packets of files that clients send, in any order
// and over any connections, in constant memory, until a file is complete and its
// client has said that it is right.
//
// A packet's way: Upload.Receive reads it in pieces; the assembler puts it in
// order; the contents store it and run it through decryption and checksum. What
// becomes of a complete file is one state machine, in this file. The package
// knows neither connections nor messages, and gives its owner errors and events.
package upload

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"

	"coffer/protocol/crypt"
	"coffer/store"
)

// UnknownSize is the original size of a file whose client does not know it yet.
const UnknownSize = math.MaxUint64

// MaxAttempts is how often a client may send a file whose checksum is wrong.
const MaxAttempts = 4

// An Owner can continue an upload by its file name: it is one connection, or
// all connections that share their uploads.
type Owner uint64

const (
	Gateway   Owner = iota // the gateways, over whatever connection their calls come
	AnyConn                // all connections of a client
	firstConn              // and from here on a connection each, by its number
)

// OwnerOfConn is the owner that a connection is, by its number from 1.
func OwnerOfConn(number uint64) Owner { return firstConn + Owner(number) }

// IsConn reports whether the owner is one connection.
func (o Owner) IsConn() bool { return o >= firstConn }

// A Key names an upload by its file. Owners are apart: what one has begun, no
// other finds.
type Key struct {
	Client store.ClientID
	Owner  Owner
	Name   string
}

// A Session is the session key that a file is encrypted with, and what lies with
// the file to open it again.
type Session struct {
	ClientName  string
	Key         crypt.SessionKey
	Wrapped     []byte // the key, RSA-OAEP for the client's public key
	Fingerprint [32]byte
	OAEPHash    crypt.OAEPHash
}

// A File is what its client says of a file that it uploads.
type File struct {
	Key      Key
	ByID     bool   // the upload is named by its id; else by Key
	Strict   bool   // extension rules: nothing beyond the announced is tolerated
	WireName []byte // the name as it came
	Format   uint8
	Original uint64 // plaintext bytes, or UnknownSize
	Total    uint32 // packets, or 0 while unknown
	Session  Session
	From     netip.Prefix // where it was begun; zero if by way of a gateway
	Holder   netip.Prefix // the same, or where the gateway's caller is: whose room it takes
	HangUp   func()       // closes the connection that began it; nil if others can continue
}

// A Packet is what its sender says of a packet before its content.
type Packet struct {
	Number uint32
	Last   bool
	Size   int64  // of its content, at most
	Exact  bool   // or exactly
	From   string // the address that it comes from
}

// A state is how far an upload is:
//
//	receiving → storing → complete → committing → gone
//
// Reset leads from complete back to receiving, a commit that fails from
// committing back to complete, and whatever drops an upload to gone, from any
// state but committing. The methods that change it are step, wasStored,
// beginCommit, committed, reset and abandon.
type state int

const (
	receiving  state = iota
	storing          // everything is there and on its way to stable storage
	complete         // on stable storage; awaits the client's word
	committing       // the client has said that it is right
	gone             // committed, dropped, or replaced
)

// An Upload gathers the packets of one file.
type Upload struct {
	// Static.
	r       *Registry
	id      store.UploadID
	file    File
	created time.Time

	mu             sync.Mutex // guards what follows; held for a piece of a packet at most
	state          state
	settled        chan struct{} // closed when storing or committing has ended; nil before
	changed        time.Time
	address        string // that packets came from last
	failedAttempts int    // at the right checksum
	packets        *assembler
	contents       *contents
	meta           store.Metadata // from storing on; before, that of the attempt that failed
	ref            store.BlobRef  // from complete on
}

// ID is the upload's id.
func (u *Upload) ID() store.UploadID { return u.id }

// Client is whose the file is.
func (u *Upload) Client() store.ClientID { return u.file.Key.Client }

// Created is when it was begun.
func (u *Upload) Created() time.Time { return u.created }

// ByID reports whether the upload is named by its id, and so the client's over
// any connection; else it is its owner's.
func (u *Upload) ByID() bool { return u.file.ByID }

// Owner is whose the upload is.
func (u *Upload) Owner() Owner { return u.file.Key.Owner }

// Receive accepts one packet. It returns the metadata of the file if the packet
// completes it, nil otherwise. If the packet is already there, nothing is read.
func (u *Upload) Receive(ctx context.Context, m Packet, content Source) (*store.Metadata, error) {
	p, err := u.begin(m)
	if p == nil || err != nil {
		return nil, err
	}
	err = u.r.buffers.each(content, m.Size, func(b *lease, piece []byte) error { return u.take(p, piece, b.out[:]) })
	return u.end(ctx, p, err)
}

// begin admits a packet. A nil packet is one that is not needed.
func (u *Upload) begin(m Packet) (*packet, error) {
	if err := u.reread(m.Number); err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch u.state {
	case receiving:
	case gone:
		return nil, ErrGone
	default:
		return nil, nil
	}
	if _, err := u.r.Admit(u.file.Key.Client, 0); err != nil {
		u.packets.broke(m.Number)
		return nil, err
	}
	p := &packet{number: m.Number, last: m.Last, size: m.Size, exact: m.Exact, from: m.From}
	needed, err := u.packets.begin(p)
	if err != nil || !needed {
		return nil, err
	}
	u.changed, u.address = time.Now(), m.From
	return p, nil
}

// take takes in a piece of a packet.
func (u *Upload) take(p *packet, piece, scratch []byte) error {
	written, err := u.r.Admit(u.file.Key.Client, len(piece))
	if err != nil {
		return err
	}
	defer written()
	if p.route == inOrder {
		return u.takeInOrder(p, piece, scratch)
	}
	file, offset, ok := u.where(p)
	if !ok {
		return nil
	}
	_, err = file.WriteAt(piece, offset)
	return u.wrote(p, len(piece), err)
}

func (u *Upload) takeInOrder(p *packet, piece, scratch []byte) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.state != receiving {
		return nil
	}
	return u.packets.take(p, piece, scratch)
}

func (u *Upload) where(p *packet) (file store.File, offset int64, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.state != receiving {
		return nil, 0, false
	}
	return u.packets.where(p)
}

func (u *Upload) wrote(p *packet, n int, err error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err != nil {
		n = 0
	}
	u.packets.wrote(p, n)
	if err != nil && u.state == receiving {
		return fmt.Errorf("keep a packet: %w", err)
	}
	return nil
}

// end ends a packet that was received, or broke off with err, and whatever
// follows from it.
func (u *Upload) end(ctx context.Context, p *packet, err error) (*store.Metadata, error) {
	state, wrong := u.leave(p, err)
	switch {
	case wrong:
		return nil, u.fail(err)
	case state == gone && err == nil:
		err = ErrGone
		fallthrough
	case state == gone:
		u.sweep()
		return nil, err
	case state != receiving:
		return nil, err
	}
	meta, advanceErr := u.advance(ctx)
	if err != nil || advanceErr != nil {
		return nil, errors.Join(err, advanceErr)
	}
	return meta, nil
}

// leave notes that a packet has ended. wrong says that its content is, so that
// the upload cannot become a file.
func (u *Upload) leave(p *packet, err error) (_ state, wrong bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.packets.active--
	u.changed = time.Now()
	if u.state == receiving {
		wrong = err != nil && u.packets.inOrder == p && cannotBecomeAFile(err)
		u.packets.end(p, err)
	}
	return u.state, wrong
}

// reread reads what an earlier run stored, if it is the turn of a packet of this
// number. Packets that come meanwhile do some of it each.
func (u *Upload) reread(number uint32) error {
	if !u.stale(number) {
		return nil
	}
	b := u.r.buffers.get()
	defer b.release()
	for u.stale(number) {
		if err := u.rereadPiece(b); err != nil {
			return u.fail(err)
		}
	}
	return nil
}

func (u *Upload) stale(number uint32) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.state == receiving && number == u.packets.next && u.contents.stale()
}

func (u *Upload) rereadPiece(b *lease) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.state != receiving || !u.contents.stale() {
		return nil
	}
	return u.contents.reread(b.buffer)
}

// advance takes in the packets that wait and whose turn has come, and stores
// the file once all of them are there.
func (u *Upload) advance(ctx context.Context) (*store.Metadata, error) {
	b := u.r.buffers.get()
	defer b.release()
	for {
		more, wait, last, err := u.step(b)
		switch {
		case err != nil && cannotBecomeAFile(err):
			return nil, u.fail(err)
		case err != nil:
			return nil, err
		case wait != nil:
			<-wait
		case last != nil:
			b.release() // what follows waits for the medium
			return last.store(ctx)
		case !more:
			return nil, nil
		}
	}
}

// step takes in a piece of what waits. Once there is no more, and everything is
// there, it begins to store the file, and says what there is to store.
func (u *Upload) step(b *lease) (more bool, wait <-chan struct{}, last *stored, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch u.state {
	case receiving:
	case gone:
		return false, nil, nil, ErrGone
	default:
		return false, nil, nil, nil
	}
	more, wait, err = u.packets.step(b.buffer)
	if more || wait != nil || err != nil {
		return more, wait, nil, err
	}
	if all, err := u.packets.complete(); err != nil || !all {
		return false, nil, nil, err
	}
	end, err := u.contents.stream.finish()
	if err != nil || u.file.Original != UnknownSize && end.plain != u.file.Original {
		return false, nil, nil, ErrPadding
	}
	f, before := &u.file, u.meta
	u.meta = store.Metadata{
		Upload: u.id, ByID: f.ByID, Client: f.Key.Client, Name: f.Key.Name, WireName: f.WireName,
		WrappedKey: f.Session.Wrapped, KeyFingerprint: f.Session.Fingerprint, OAEPHash: f.Session.OAEPHash.String(),
		Format: f.Format, Size: u.contents.stream.size, OriginalSize: int64(end.plain),
		Cksum: end.cksum, SHA256: end.sha256, Received: time.Now(),
	}
	u.state, u.settled = storing, make(chan struct{})
	changed := u.failedAttempts > 0 && (before.Cksum != u.meta.Cksum || before.OriginalSize != u.meta.OriginalSize)
	return false, nil, &stored{u: u, meta: u.meta, changed: changed, part: u.contents.part, small: u.contents.small, quiet: u.packets.clear()}, nil
}

// A stored upload is one on its way to stable storage.
type stored struct {
	u       *Upload
	meta    store.Metadata
	changed bool       // it is not what was stored before its client asked to send it again
	part    store.Part // nil: small
	small   []byte
	quiet   []<-chan struct{} // closed when nothing is written any more
}

func (s *stored) store(ctx context.Context) (*store.Metadata, error) {
	for _, written := range s.quiet {
		<-written
	}
	var ref store.BlobRef
	var err error
	switch {
	case s.changed && s.u.r.Events.Changed(s.u.info()):
		err = errChanged
	case s.part == nil:
		ref, err = s.u.r.Blobs.Put(ctx, s.meta, s.small)
	default:
		ref, err = s.part.Commit(ctx, s.meta)
	}
	if err != nil {
		err = fmt.Errorf("store what was received: %w", err)
	}
	switch s.u.wasStored(ref, err) {
	case complete:
		return &s.meta, nil
	case storing:
		return nil, s.u.fail(err)
	}
	s.u.sweep()
	if err == nil {
		err = errors.Join(ErrGone, s.u.r.Blobs.Remove(ctx, ref))
	}
	return nil, err
}

// wasStored notes how storing ended: the upload is complete, or as it was.
func (u *Upload) wasStored(ref store.BlobRef, err error) state {
	u.mu.Lock()
	defer u.mu.Unlock()
	close(u.settled)
	u.settled = nil
	if err == nil {
		u.contents.part = nil
		u.contents.forgetSmall()
	}
	if err == nil && u.state == storing {
		u.state, u.ref = complete, ref
	}
	return u.state
}

// settle waits until an upload that is being stored or committed is.
func (u *Upload) settle(ctx context.Context) error {
	for {
		u.mu.Lock()
		settled, gone := u.settled, u.state == gone
		u.mu.Unlock()
		if settled == nil || gone {
			return nil
		}
		select {
		case <-settled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wait waits until an upload has processed all packets that have arrived. An
// upload that an earlier run left with all packets received continues here,
// because no packet will move it.
func (u *Upload) wait(ctx context.Context) error {
	if err := u.settle(ctx); err != nil || !u.stalled() {
		return err
	}
	_, err := u.advance(ctx)
	if errors.Is(err, ErrGone) {
		return nil
	}
	return err
}

// stalled reports whether there is something to take in, and nobody does.
func (u *Upload) stalled() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.state == receiving && u.packets.active == 0 && u.packets.pending()
}

// accepts reports whether a packet belongs to this upload and not to a new one,
// and if it is the first, notes that it is on its way: of two that come at the
// same time, the later one starts the file over.
func (u *Upload) accepts(f File, number uint32) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	same := u.file.Session.Key == f.Session.Key && u.file.Original == f.Original && u.packets.total == f.Total && u.file.Strict == f.Strict
	switch u.state {
	case receiving:
		if !same || number == 1 && u.packets.started {
			return false
		}
		u.packets.started = u.packets.started || number == 1
		return true
	case storing, complete, committing:
		// What lies beyond the packets of a complete file is surplus. A
		// gateway's packet may also be one that it sends again.
		return same && (number >= u.packets.next || u.file.Strict && number != 1)
	}
	return false
}

// attempts are how many failed, and so count for the same file sent anew, and
// what the last of them was.
func (u *Upload) attempts() (failed int, last store.Metadata) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.failedAttempts, u.meta
}
