package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/server/metrics"
	"coffer/store"
)

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
	owner   owner   // who goes on with it, if it is named by its file
	from    network // where it was begun; zero if that was by way of a gateway
	holder  network // the same, or where the gateway's caller is: whose room it takes
	hangUp  func()  // closes the connection that began it; nil if others go on
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

	first   bool          // packet 1 has come, or is coming
	next    uint32        // the packet whose turn it is
	lane    *packet       // the packet that runs through the stream, if any
	active  int           // packets being received
	sealing bool          // the part is being sealed
	settled chan struct{} // closed when that has ended
	stream  stream
	stale   bool   // stream must be made anew from the part: the server restarted
	iv      []byte // first bytes of a base upload, until it is clear whether they are an IV
	ivDone  bool
	small   []byte     // the content, while it is small enough for memory
	counted int        // bytes of it in the count of all
	part    store.Part // the content, otherwise
	waiting waiters
	waitEnd int64 // end of the room taken in the part's waiting file

	stride  int64              // most bytes of a packet so far; see place.go
	uneven  bool               // the packets are not alike: no more are placed
	placed  map[uint32]*packet // have a place ahead in the content; some are still coming in
	placing sync.RWMutex       // taken after mu, or alone by who writes to a place

	label store.Label // when complete
	ref   store.BlobRef

	pace    metrics.Pace // how fast it goes
	address string       // the address that packets came from last
}

// A region is where a packet waits.
type region struct {
	offset, size int64
	ahead        bool // in the content, not in the part's waiting file
}

// A packet is one being received.
type packet struct {
	number uint32
	last   bool
	size   int64   // of its content, at most
	exact  bool    // or exactly
	from   string  // the address it comes from
	wait   *region // nil if it runs through the stream

	// Of one that runs through the stream.
	before stream // the stream before it
	iv     []byte
	ivDone bool
	stored bool // it is in the content already

	// Of one that has a place ahead.
	part    store.Part
	revoked bool // written with mu and placing held, read with either
}

var (
	errGone        = refuse(protocol.StatusNotFound, "the upload is no more; it was cancelled, replaced or finished")
	errPacketZero  = broken(protocol.RuleNumbers, protocol.StatusInvalid, "packet number: packets are counted from 1")
	errTotalZero   = broken(protocol.RuleNumbers, protocol.StatusInvalid, "total packets: at least 1")
	errTotal       = broken(protocol.RuleNumbers, protocol.StatusInvalid, "total packets: more than the original size has bytes of ciphertext")
	errSizes       = broken(protocol.RuleSizes, protocol.StatusInvalid, "sizes do not add up: the packets hold less than the original size asks for")
	errSurplus     = broken(protocol.RuleSizes, protocol.StatusInvalid, "sizes do not add up: the packets hold more than the original size asks for")
	errBeyondTotal = broken(protocol.RuleNumbers, protocol.StatusInvalid, "packet number: beyond the total")
	errPadding     = broken(protocol.RulePadding, protocol.StatusInvalid, "the content does not end in valid padding: wrong key, or not encrypted as one AES-256-CBC stream")
	errNoSpace     = refuse(protocol.StatusNoSpace, "the server's storage is full; restoring and removing still work")
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
func (u *upload) receive(ctx context.Context, number uint32, last bool, size int64, content source) (completed bool, err error) {
	p, err := u.begin(&packet{number: number, last: last, size: size, exact: true, from: peerIn(ctx).address})
	if p == nil || err != nil {
		return false, err
	}
	err = u.s.buffers.each(content, size, func(b *lease, piece []byte) error { return u.take(p, piece, b.out[:]) })
	b := u.s.buffers.get()
	defer b.release()
	return u.leave(ctx, p, err, b)
}

func (u *upload) begin(p *packet) (*packet, error) {
	b := u.s.buffers.get()
	defer b.release()
	return u.enter(p, b)
}

// enter admits a packet: to the stream if it is its turn, else to a place to
// wait. A nil packet is one that is not needed.
func (u *upload) enter(p *packet, b *lease) (_ *packet, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	defer func() {
		if err != nil && p.number == 1 {
			u.first = false
		}
	}()
	switch {
	case u.state == gone:
		return nil, errGone
	case p.number == 0:
		return nil, errPacketZero
	case u.state != receiving:
		return nil, nil
	case u.s.cfg.Space.Low():
		return nil, errNoSpace
	}
	if err := u.checkTotalLocked(p); err != nil {
		return nil, err
	}
	if u.waiting.has(p.number) || p.number < u.next {
		u.setTotal(p.number, p.last)
		return nil, nil
	}
	where := u.lotLocked(p)
	if where == inLane {
		if err := u.replayLocked(b); err != nil {
			return nil, err
		}
		u.laneLocked(p)
	} else if err := u.waiting.full(); err != nil {
		return nil, err
	} else if err := u.makePartLocked(); err != nil {
		return nil, err
	}
	switch where {
	case ahead:
		u.placeLocked(p)
	case waiting:
		p.wait = &region{offset: u.waitEnd}
		u.waitEnd += p.size
	}
	u.active++
	u.changed, u.address = time.Now(), p.from
	return p, nil
}

// laneLocked makes p the packet that runs through the stream.
func (u *upload) laneLocked(p *packet) {
	p.before, p.iv, p.ivDone = u.stream.clone(), append([]byte(nil), u.iv...), u.ivDone
	u.lane = p
}

// checkTotalLocked refuses a packet that contradicts how many there are.
func (u *upload) checkTotalLocked(p *packet) error {
	if p.last && u.total == 0 {
		if u.next > p.number+1 || u.waiting.order.last() > p.number {
			return refuse(protocol.StatusInvalid, "last: a later packet was received")
		}
	}
	if u.total == 0 {
		return nil
	}
	if p.last && p.number != u.total {
		return refuse(protocol.StatusInvalid, "last: not the packet that the total says")
	}
	surplus := uint32(1) // some clients send one packet more than they announce
	if u.strict {
		surplus = 0
	}
	if p.number > u.total && p.number-u.total > surplus {
		return errBeyondTotal
	}
	return nil
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
	written, ok := u.s.cfg.Space.Reserve(uint64(len(piece)))
	if !ok {
		return errNoSpace
	}
	defer written()
	if u.s.suspended.has(u.client) {
		return errSuspended
	}
	if p.wait != nil && p.wait.ahead {
		return u.writeAhead(p, piece)
	}
	if p.wait != nil {
		u.mu.Lock()
		part, dead := u.part, u.state != receiving
		u.mu.Unlock()
		if dead || part == nil {
			return nil
		}
		if _, err := part.Waiting().WriteAt(piece, p.wait.offset+p.wait.size); err != nil {
			u.mu.Lock()
			defer u.mu.Unlock()
			if u.state != receiving {
				return nil // complete meanwhile, and the room for it gone
			}
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
	if p.stored {
		u.stream.write(piece, scratch)
		return nil
	}
	if u.part == nil && len(u.small)+len(piece) <= store.SmallBlob && u.fitsMemory(p) {
		u.small = append(u.small, piece...)
		u.countSmallLocked()
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
// packet that is the whole file is answered when it is stored. All of it has a
// bound.
func (u *upload) fitsMemory(p *packet) bool {
	return u.s.uploads.small.Load() < maxSmallInAll && (!u.strict || p.number == 1 && (u.total == 1 || p.last))
}

// leave ends a packet that was received, or broke off with err, and whatever
// follows from it.
func (u *upload) leave(ctx context.Context, p *packet, err error, b *lease) (completed bool, _ error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.active--
	u.changed = time.Now()
	defer u.discardIfGoneLocked()
	if err != nil && p.number == 1 {
		u.first = false // it may come again without starting the file over
	}
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
		if errors.As(err, new(*refusal)) && !errors.Is(err, errNoSpace) && !errors.Is(err, errSuspended) {
			return false, u.failLocked(err)
		}
	case p.wait == nil:
		u.setTotal(p.number, p.last)
		u.log(recordInOrder, p.number, uint64(u.stream.size))
		u.next++
		u.lane = nil
	case err != nil:
		u.leavePlaceLocked(p)
	default:
		if u.waiting.has(p.number) || p.number < u.next || p.revoked {
			u.leavePlaceLocked(p)
			return false, nil
		}
		u.setTotal(p.number, p.last)
		u.waiting.put(p.number, *p.wait)
		p.part = nil
		u.logWaiting(p.number, *p.wait)
		if u.lane != nil && u.lane.number == p.number {
			u.rollBackLocked() // the same packet, stuck on another connection
		}
	}
	if u.lane == nil {
		if drainErr := u.drainLocked(b); drainErr != nil {
			if errors.As(drainErr, new(*refusal)) {
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
	if u.part == nil {
		u.small = u.small[:u.stream.size]
		u.countSmallLocked()
	}
}

// drainLocked takes in the packets whose turn has come.
func (u *upload) drainLocked(b *lease) error {
	for {
		if !u.waiting.has(u.next) {
			break
		}
		if clear, err := u.clearWayLocked(b); err != nil || !clear {
			return err
		}
		if err := u.replayLocked(b); err != nil {
			return err
		}
		where, from := u.waiting.at[u.next], u.part.Waiting()
		if where.ahead {
			from = u.part.Content()
		}
		p := &packet{number: u.next, size: where.size, stored: where.ahead}
		u.laneLocked(p)
		for done := int64(0); done < where.size; {
			n, err := from.ReadAt(b.in[:min(int64(len(b.in)), where.size-done)], where.offset+done)
			if n == 0 {
				u.rollBackLocked()
				return fmt.Errorf("reading a packet that waited: %w", err)
			}
			done += int64(n)
			if err := u.appendLocked(p, b.piece(n), b.out[:]); err != nil {
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
		u.waiting.drop(u.next)
		delete(u.placed, u.next)
		u.log(recordInOrder, u.next, uint64(u.stream.size))
		u.next++
	}
	if len(u.waiting.at) == 0 && u.active == 0 && u.waitEnd > 0 {
		u.waitEnd = 0
		if err := u.part.Waiting().Truncate(0); err != nil {
			return fmt.Errorf("freeing room for packets: %w", err)
		}
	}
	return nil
}
