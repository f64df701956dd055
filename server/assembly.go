package server

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
	"time"

	"coffer/protocol"
	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
	"coffer/store"
)

// A stream is what the ciphertext runs through, in order: the checksum of the
// stored bytes, decryption, and the plaintext's checksum. Plaintext exists
// nowhere but in the buffer that is being worked on.
type stream struct {
	size int64 // ciphertext bytes so far
	sha  hash.Hash
	dec  *crypt.Decrypter
	sum  *cksum.Digest
}

func newStream(key crypt.SessionKey) stream {
	return stream{sha: sha256.New(), dec: crypt.NewDecrypter(key), sum: cksum.New()}
}

func (s *stream) write(ciphertext, scratch []byte) {
	s.size += int64(len(ciphertext))
	s.sha.Write(ciphertext)
	s.sum.Write(s.dec.Append(scratch[:0], ciphertext))
}

// clone is the stream as it is now, to return to when a packet breaks off.
func (s *stream) clone() stream {
	state, err := s.sha.(encoding.BinaryMarshaler).MarshalBinary()
	sha := sha256.New()
	if err == nil {
		err = sha.(encoding.BinaryUnmarshaler).UnmarshalBinary(state)
	}
	if err != nil {
		panic(err) // crypto/sha256 promises that it can
	}
	sum := *s.sum
	return stream{size: s.size, sha: sha, dec: s.dec.Clone(), sum: &sum}
}

// A state is how far an upload is.
type state int

const (
	receiving state = iota
	sealing         // everything is there and on its way to stable storage
	complete        // on stable storage; awaits the client's word
	gone            // committed, dropped, or replaced
)

// An upload gathers the packets of one file. Packets come in any order and
// over several connections: the one whose turn it is runs through the stream
// as it arrives, others wait in the part. Memory does not grow with the file.
type upload struct {
	// Static after begin.
	s       *Server
	id      store.UploadID
	byID    bool // named by its id; else by client and file name
	strict  bool // extension rules: nothing beyond the announced is tolerated
	client  store.ClientID
	name    string
	wire    protocol.Field // the name as it came
	session session        // its key
	format  protocol.Format
	created time.Time

	mu       sync.Mutex // guards what follows; never held while the peer is read
	state    state
	changed  time.Time
	original uint64 // plaintext bytes, or UnknownSize
	total    uint32 // packets, or 0 while unknown
	attempts int    // wrong checksums so far

	next    uint32  // the packet whose turn it is
	lane    *packet // the packet that runs through the stream, if any
	active  int     // packets being received
	stream  stream
	stale   bool   // stream must be made anew from the part: the server restarted
	iv      []byte // first bytes of a base upload, until it is clear whether they are an IV
	ivDone  bool
	small   []byte     // the content, while it is small enough for memory
	part    store.Part // the content, otherwise
	waiting map[uint32]region
	waitEnd int64 // end of the room taken in the part's waiting file

	label store.Label // when complete
	ref   store.BlobRef
}

// A region is where a packet waits.
type region struct{ offset, size int64 }

// A packet is one being received.
type packet struct {
	number uint32
	last   bool
	size   int64
	wait   *region // nil if it runs through the stream
	before stream  // the stream before it
	iv     []byte
	ivDone bool
}

var (
	errGone        = failure(protocol.StatusNotFound, "the upload is no more; it was cancelled, replaced or finished")
	errPacketZero  = failure(protocol.StatusInvalid, "packet number: packets are counted from 1")
	errTotalZero   = failure(protocol.StatusInvalid, "total packets: at least 1")
	errSizes       = failure(protocol.StatusInvalid, "sizes do not add up: the packets hold less than the original size asks for")
	errSurplus     = failure(protocol.StatusInvalid, "sizes do not add up: the packets hold more than the original size asks for")
	errBeyondTotal = failure(protocol.StatusInvalid, "packet number: beyond the total")
	errPadding     = failure(protocol.StatusInvalid, "the content does not end in valid padding: wrong key, or not encrypted as one AES-256-CBC stream")
	errNoSpace     = failure(protocol.StatusNoSpace, "the server's storage is full; restoring and removing still work")
)

// ciphertextLen is the length of the whole ciphertext, -1 if not known.
func (u *upload) ciphertextLen() int64 {
	if u.original == protocol.UnknownSize {
		return -1
	}
	return int64(crypt.CiphertextLen(u.original))
}

// receive takes in one packet of size bytes. completed is true for the packet
// that made the upload complete. A packet that is there already is read and
// dropped.
func (u *upload) receive(ctx context.Context, number uint32, last bool, size int64, content io.Reader) (completed bool, err error) {
	b := u.s.buffers.get()
	defer u.s.buffers.put(b)

	p, err := u.enter(number, last, size, b)
	if p == nil || err != nil {
		return false, err
	}
	for err == nil {
		var n int
		n, err = io.ReadFull(content, b.in[:min(int64(len(b.in)), max(size, 1))])
		size -= int64(n)
		if n > 0 {
			if takeErr := u.take(p, b.in[:n], b.out[:]); takeErr != nil {
				err = takeErr
			}
		}
		if size == 0 && err == nil {
			break
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = nil
			if size > 0 {
				err = io.ErrUnexpectedEOF
			}
			break
		}
	}
	return u.leave(ctx, p, err, b)
}

// enter admits a packet: to the stream if it is its turn, else to a place to
// wait. A nil packet is one that is not needed.
func (u *upload) enter(number uint32, last bool, size int64, b *buffer) (*packet, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.state == gone:
		return nil, errGone
	case number == 0:
		return nil, errPacketZero
	case u.state != receiving:
		return nil, nil
	case u.s.cfg.Space.Low():
		return nil, errNoSpace
	}
	if last && u.total == 0 {
		for waiting := range u.waiting {
			if waiting > number {
				return nil, failure(protocol.StatusInvalid, "last: a later packet was received")
			}
		}
		if u.next > number+1 {
			return nil, failure(protocol.StatusInvalid, "last: a later packet was received")
		}
	}
	if u.total != 0 {
		if last && number != u.total {
			return nil, failure(protocol.StatusInvalid, "last: not the packet that the total says")
		}
		surplus := uint32(1) // some clients send one packet more than they announce
		if u.strict {
			surplus = 0
		}
		if number > u.total && number-u.total > surplus {
			return nil, errBeyondTotal
		}
	}
	if _, there := u.waiting[number]; there || number < u.next {
		u.setTotal(number, last)
		return nil, nil
	}
	p := &packet{number: number, last: last, size: size}
	if number == u.next && u.lane == nil {
		if err := u.replayLocked(b); err != nil {
			return nil, err
		}
		p.before, p.iv, p.ivDone = u.stream.clone(), append([]byte(nil), u.iv...), u.ivDone
		u.lane = p
	} else {
		if err := u.makePartLocked(); err != nil {
			return nil, err
		}
		p.wait = &region{u.waitEnd, 0}
		u.waitEnd += size
	}
	u.active++
	u.changed = time.Now()
	return p, nil
}

// setTotal makes the number of the last packet the total.
func (u *upload) setTotal(number uint32, last bool) {
	if last && u.total == 0 {
		u.total = number
		u.log(recordTotal, number, 0)
	}
}

// take works on a piece of a packet.
func (u *upload) take(p *packet, piece, scratch []byte) error {
	if u.s.cfg.Space.Low() {
		return errNoSpace
	}
	if p.wait != nil {
		u.mu.Lock()
		part, dead := u.part, u.state != receiving
		u.mu.Unlock()
		if dead || part == nil {
			return nil
		}
		if _, err := part.Waiting().WriteAt(piece, p.wait.offset+p.wait.size); err != nil {
			return fmt.Errorf("keeping a packet: %w", err)
		}
		p.wait.size += int64(len(piece))
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.lane != p || u.state != receiving {
		return nil // replaced by the same packet on another connection
	}
	return u.appendLocked(p, piece, scratch)
}

// appendLocked runs ciphertext through the stream and stores it.
func (u *upload) appendLocked(p *packet, piece, scratch []byte) error {
	if !u.strict && !u.ivDone {
		piece = u.dropIVLocked(p, piece)
	}
	if whole := u.ciphertextLen(); whole >= 0 && u.stream.size+int64(len(piece)) > whole {
		if u.strict {
			return errSurplus
		}
		piece = piece[:whole-u.stream.size]
	}
	if len(piece) == 0 {
		return nil
	}
	if u.part == nil && len(u.small)+len(piece) <= store.SmallBlob && u.fitsMemory(p) {
		u.small = append(u.small, piece...)
	} else {
		if err := u.makePartLocked(); err != nil {
			return err
		}
		if _, err := u.part.Content().WriteAt(piece, u.stream.size); err != nil {
			return fmt.Errorf("storing content: %w", err)
		}
	}
	u.stream.write(piece, scratch)
	return nil
}

// fitsMemory: small content need not go by way of a part if losing it with the
// process breaks no promise: packets of base clients get no answers, and a
// packet that is the whole file is answered when it is stored.
func (u *upload) fitsMemory(p *packet) bool {
	return !u.strict || p.number == 1 && (u.total == 1 || p.last)
}

// dropIVLocked drops 16 zero bytes that some base client sends before the
// ciphertext. No ciphertext begins like that, but by a chance of 1 in 2^128.
func (u *upload) dropIVLocked(p *packet, piece []byte) []byte {
	n := min(crypt.BlockSize-len(u.iv), len(piece))
	u.iv = append(u.iv, piece[:n]...)
	if len(u.iv) < crypt.BlockSize {
		return nil
	}
	u.ivDone = true
	head := u.iv
	u.iv = nil
	zeros := [crypt.BlockSize]byte{}
	tooLong := u.total > 1 || p.size >= u.ciphertextLen()+crypt.BlockSize
	if [crypt.BlockSize]byte(head) == zeros && tooLong {
		return piece[n:]
	}
	if n == crypt.BlockSize {
		return piece
	}
	return append(head, piece[n:]...)
}

// leave ends a packet that was received, or broke off with err, and whatever
// follows from it.
func (u *upload) leave(ctx context.Context, p *packet, err error, b *buffer) (completed bool, _ error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.active--
	u.changed = time.Now()
	defer u.discardIfGoneLocked()
	if u.state != receiving {
		if u.state == gone && err == nil {
			err = errGone
		}
		return false, err
	}
	switch {
	case p.wait == nil && u.lane != p:
		// Another connection brought the same packet first.
		return false, err
	case p.wait == nil && err != nil:
		u.rollBackLocked()
		if errors.As(err, new(*protocol.Failure)) && !errors.Is(err, errNoSpace) {
			return false, u.failLocked(err)
		}
	case p.wait == nil:
		u.setTotal(p.number, p.last)
		u.log(recordInOrder, p.number, uint64(u.stream.size))
		u.next++
		u.lane = nil
	case err != nil:
		return false, err
	default:
		if _, there := u.waiting[p.number]; there || p.number < u.next {
			return false, nil
		}
		u.setTotal(p.number, p.last)
		u.waiting[p.number] = *p.wait
		u.logWaiting(p.number, *p.wait)
		if u.lane != nil && u.lane.number == p.number {
			u.rollBackLocked() // the same packet, stuck on another connection
		}
	}
	if u.lane == nil {
		if drainErr := u.drainLocked(b); drainErr != nil {
			if errors.As(drainErr, new(*protocol.Failure)) {
				drainErr = u.failLocked(drainErr)
			}
			return false, errors.Join(err, drainErr)
		}
	}
	if err != nil || u.lane != nil {
		return false, err
	}
	return u.finishLocked(ctx, b)
}

// rollBackLocked returns to where the stream was before the packet in the lane.
func (u *upload) rollBackLocked() {
	p := u.lane
	u.stream, u.iv, u.ivDone, u.lane = p.before, p.iv, p.ivDone, nil
	if u.small != nil {
		u.small = u.small[:u.stream.size]
	}
}

// drainLocked takes in the packets whose turn has come.
func (u *upload) drainLocked(b *buffer) error {
	for {
		where, ok := u.waiting[u.next]
		if !ok {
			break
		}
		if err := u.replayLocked(b); err != nil {
			return err
		}
		p := &packet{number: u.next, size: where.size}
		p.before, p.iv, p.ivDone = u.stream.clone(), append([]byte(nil), u.iv...), u.ivDone
		u.lane = p
		for done := int64(0); done < where.size; {
			n, err := u.part.Waiting().ReadAt(b.in[:min(int64(len(b.in)), where.size-done)], where.offset+done)
			if n == 0 {
				u.rollBackLocked()
				return fmt.Errorf("reading a packet that waited: %w", err)
			}
			done += int64(n)
			if err := u.appendLocked(p, b.in[:n], b.out[:]); err != nil {
				u.rollBackLocked()
				return err
			}
			// Let others see the state while much is drained.
			u.mu.Unlock()
			u.mu.Lock()
			if u.state != receiving || u.lane != p {
				return errGone
			}
		}
		u.lane = nil
		delete(u.waiting, u.next)
		u.log(recordInOrder, u.next, uint64(u.stream.size))
		u.next++
	}
	if len(u.waiting) == 0 && u.active == 0 && u.waitEnd > 0 {
		u.waitEnd = 0
		if err := u.part.Waiting().Truncate(0); err != nil {
			return fmt.Errorf("freeing room for packets: %w", err)
		}
	}
	return nil
}

// finishLocked seals the upload if everything is there.
func (u *upload) finishLocked(ctx context.Context, b *buffer) (completed bool, err error) {
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
	rest, err := u.stream.dec.Finish(b.out[:0])
	if err != nil || whole >= 0 && u.stream.dec.Len() != u.original {
		return false, u.failLocked(errPadding)
	}
	sum := *u.stream.sum
	sum.Write(rest)
	u.label = store.Label{
		Upload: u.id, ByID: u.byID, Client: u.client, Name: u.name, WireName: u.wireName(),
		WrappedKey: u.session.wrapped, KeyFingerprint: u.session.fingerprint, OAEPHash: u.session.oaep.String(),
		Format: uint8(u.format), Size: u.stream.size, OriginalSize: int64(u.stream.dec.Len()),
		Cksum: sum.Sum32(), SHA256: [32]byte(u.stream.sha.Sum(nil)), Received: time.Now(),
	}
	u.state = sealing
	label, part, small := u.label, u.part, u.small
	u.mu.Unlock()
	var ref store.BlobRef
	if part == nil {
		ref, err = u.s.cfg.Blobs.Put(ctx, label, small)
	} else {
		ref, err = part.Seal(ctx, label)
	}
	u.mu.Lock()
	if err != nil {
		err = fmt.Errorf("storing what was received: %w", err)
		if errors.Is(err, store.ErrFull) {
			u.s.cfg.Space.Full()
		}
		return false, errors.Join(err, u.dropLocked())
	}
	u.ref, u.part, u.small = ref, nil, nil
	if u.state == gone {
		return false, errors.Join(errGone, u.s.cfg.Blobs.Remove(ctx, ref))
	}
	u.state = complete
	return true, nil
}

func (u *upload) wireName() []byte {
	if b, err := u.wire.Bytes(); err == nil {
		return b
	}
	return []byte(u.name)
}

// failLocked drops an upload that cannot become a file.
func (u *upload) failLocked(why error) error {
	u.s.uploads.forget(u)
	return errors.Join(why, u.dropLocked())
}

// dropLocked makes the upload gone. What it stored goes with the last packet
// that is being received.
func (u *upload) dropLocked() error {
	u.state = gone
	u.small, u.waiting = nil, nil
	return nil
}

// discardIfGoneLocked removes what a dropped upload stored.
func (u *upload) discardIfGoneLocked() {
	if u.state != gone || u.active > 0 || u.part == nil {
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
		u.s.uploads.forget(u)
		err = u.dropLocked()
	} else {
		u.state, u.ref, u.next, u.changed = receiving, "", 1, time.Now()
		u.iv, u.ivDone, u.waiting, u.waitEnd = nil, false, make(map[uint32]region), 0
		u.stream = newStream(u.session.key)
	}
	return left, errors.Join(err, u.s.cfg.Blobs.Remove(ctx, ref))
}

// status is the upload's state as the wire tells it.
func (u *upload) status(ranges bool) *protocol.UploadState {
	u.mu.Lock()
	defer u.mu.Unlock()
	m := &protocol.UploadState{
		Upload: protocol.UploadID(u.id), Complete: u.state == complete,
		AttemptsLeft: uint8(max(0, protocol.MaxAttempts-u.attempts)),
		Total:        u.total, Bytes: uint64(u.stream.size), OriginalSize: u.original,
		Created: u.created, Expires: u.changed.Add(u.s.cfg.UploadTTL), Name: u.name,
	}
	if u.state == complete || u.state == sealing {
		m.Received, m.OriginalSize = u.total, uint64(u.label.OriginalSize)
		m.Bytes = uint64(u.label.Size)
		if u.state == complete {
			m.Cksum = u.label.Cksum
		}
		return m
	}
	m.Received = u.next - 1 + uint32(len(u.waiting))
	u.missingLocked(m, ranges)
	return m
}

// missingLocked finds the gaps between the packets that wait.
func (u *upload) missingLocked(m *protocol.UploadState, ranges bool) {
	end := u.total
	waiting := sortedKeys(u.waiting)
	if end == 0 && len(waiting) > 0 {
		end = waiting[len(waiting)-1]
	}
	gap := func(from, to uint32) {
		if from > to {
			return
		}
		m.MissingCount += to - from + 1
		if ranges && len(m.Missing) < protocol.MaxMissing {
			m.Missing = append(m.Missing, protocol.Range{From: from, To: to})
		}
	}
	from := u.next
	for _, n := range waiting {
		if n > end {
			break
		}
		gap(from, n-1)
		from = n + 1
	}
	gap(from, end)
}

// Records of a part's log: kind u8, packet u32, then what the kind says.
const (
	recordInOrder = 'P' // content size u64 up to and with this packet
	recordWaiting = 'W' // offset u64, size u64
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
	r := binary.LittleEndian.AppendUint32([]byte{recordWaiting}, number)
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
			delete(u.waiting, number)
		case r[0] == recordWaiting && len(r) >= 21:
			where := region{int64(value), int64(binary.LittleEndian.Uint64(r[13:]))}
			u.waiting[number] = where
			u.waitEnd = max(u.waitEnd, where.offset+where.size)
		}
	}
	u.stale = true
}

// replayLocked makes the stream anew from the content that an earlier run
// stored: what the checksum is of is what is on disk.
func (u *upload) replayLocked(b *buffer) error {
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
		fresh.write(b.in[:n], b.out[:])
	}
	u.stream, u.stale = fresh, false
	return nil
}
