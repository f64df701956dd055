package upload

import (
	"fmt"

	"coffer/protocol/crypt"
	"coffer/store"
)

// A sink is where an assembler puts ciphertext.
type sink interface {
	// write takes the next bytes in order.
	write(b, scratch []byte, how writing) error
	// size is how many bytes have been written.
	size() int64
	// mark remembers how far it is; rewind returns there.
	mark()
	rewind()
	// stale reports whether the bytes before size have to be read once more
	// before any can follow; reread reads some of them.
	stale() bool
	reread(b *buffer) error
	// content is where the bytes in order are stored, and spool where others
	// wait; open makes both.
	open() error
	content() store.File
	spool() store.File
	// log notes progress, for the next run.
	log(r record)
}

// A writing says how bytes are written to a sink.
type writing struct {
	stored  bool // they are in the content already
	losable bool // they may be in memory alone until the file is complete
}

// An assembler puts the packets of one file in order, whatever order they come
// in. A packet whose turn it is goes to the sink as it comes; others wait where
// they can be fetched from. It has no lock and waits for nobody: what takes long
// is done in steps.
type assembler struct {
	// Static.
	strict   bool   // extension rules: nothing beyond the announced is tolerated
	original uint64 // plaintext bytes, or UnknownSize
	out      sink

	round    int     // counts how often all packets were awaited anew
	total    uint32  // packets, or 0 while unknown
	started  bool    // packet 1 has come, or is coming
	next     uint32  // the packet whose turn it is
	inOrder  *packet // whose bytes go to the sink, if any
	active   int     // packets being received
	iv       []byte  // first bytes of a base upload, until it is clear whether they are an IV
	ivDone   bool
	spooled  spooled // packets whose turn has not come
	spoolEnd int64   // end of the room taken in the spool

	packetSize int64 // most bytes of a packet so far; see direct.go
	variable   bool  // the packets are not alike: no more are written directly
	direct     map[uint32]*packet
	moving     move
	onTheWay   map[*packet]chan struct{} // those with a piece on its way to a file; closed when it is there
}

func newAssembler(strict bool, original uint64, total uint32, out sink, waiting spooled) *assembler {
	return &assembler{strict: strict, original: original, total: total, out: out, next: 1, spooled: waiting,
		direct: make(map[uint32]*packet), onTheWay: make(map[*packet]chan struct{})}
}

// A route is where a packet goes as it comes in.
type route int

const (
	inOrder route = iota // to the sink: it is its turn
	direct               // to its place in the content
	spool                // to where it can be fetched from
)

// A region is where a packet waits.
type region struct {
	offset, size int64
	direct       bool // in the content, not in the spool
}

// A packet is one being received, or one that waited and is taken in.
type packet struct {
	number uint32
	last   bool
	size   int64  // of its content, at most
	exact  bool   // or exactly
	from   string // the address that it comes from
	route  route
	at     region // of one that is not in order

	// Of one in order.
	iv      []byte // as the packet began
	ivDone  bool
	waited  bool  // it is fetched from where it waited
	fetched int64 // bytes of it so far

	revoked bool // its place is no longer its own
	round   int  // of the assembler, in which it arrived
}

// ciphertextLen is the length of the whole ciphertext, -1 if not known.
func (a *assembler) ciphertextLen() int64 {
	if a.original == UnknownSize {
		return -1
	}
	return int64(crypt.CiphertextLen(a.original))
}

// begin admits a packet. One that is there already is not needed.
func (a *assembler) begin(p *packet) (needed bool, err error) {
	defer func() {
		if err != nil {
			a.broke(p.number)
		}
	}()
	p.round = a.round
	if p.number == 0 {
		return false, errPacketZero
	}
	if err := a.checkTotal(p); err != nil {
		return false, err
	}
	if a.spooled.has(p.number) || p.number < a.next {
		a.setTotal(p.number, p.last)
		return false, nil
	}
	p.route = a.routeOf(p)
	if p.route != inOrder {
		if err := a.spooled.full(); err != nil {
			return false, err
		}
		if err := a.out.open(); err != nil {
			return false, err
		}
	}
	switch p.route {
	case inOrder:
		a.turn(p)
	case direct:
		a.place(p)
	case spool:
		p.at.offset = a.spoolEnd
		a.spoolEnd += p.size
	}
	a.active++
	return true, nil
}

// broke notes that a packet was not received. The first may come again then,
// without starting the file over.
func (a *assembler) broke(number uint32) {
	if number == 1 {
		a.started = false
	}
}

// turn makes p the packet whose bytes go to the sink.
func (a *assembler) turn(p *packet) {
	a.out.mark()
	p.iv, p.ivDone = append([]byte(nil), a.iv...), a.ivDone
	a.inOrder = p
}

// checkTotal refuses a packet that contradicts how many there are.
func (a *assembler) checkTotal(p *packet) error {
	if p.last && a.total == 0 {
		if a.next > p.number+1 || a.spooled.order.last() > p.number {
			return errLaterPacket
		}
	}
	if a.total == 0 {
		return nil
	}
	if p.last && p.number != a.total {
		return errNotLast
	}
	surplus := uint32(1) // some clients send one packet more than they announce
	if a.strict {
		surplus = 0
	}
	if p.number > a.total && p.number-a.total > surplus {
		return errBeyondTotal
	}
	return nil
}

// setTotal makes the number of the last packet the total.
func (a *assembler) setTotal(number uint32, last bool) {
	if last && a.total == 0 {
		a.total = number
		a.out.log(record{kind: recordTotal, number: number})
	}
}

// take takes in a piece of a packet in order.
func (a *assembler) take(p *packet, piece, scratch []byte) error {
	if a.inOrder != p {
		return nil // another connection brought the same packet first
	}
	if !a.strict && !a.ivDone {
		piece = a.dropIV(p, piece)
	}
	if whole := a.ciphertextLen(); whole >= 0 && a.out.size()+int64(len(piece)) > whole {
		if a.strict {
			return errSurplus
		}
		piece = piece[:whole-a.out.size()]
	}
	if len(piece) == 0 {
		return nil
	}
	how := writing{stored: p.at.direct, losable: !a.strict || p.number == 1 && (a.total == 1 || p.last)}
	return a.out.write(piece, scratch, how)
}

// dropIV drops 16 zero bytes that some base client sends before the
// ciphertext. No ciphertext begins like that, but by a chance of 1 in 2^128.
func (a *assembler) dropIV(p *packet, piece []byte) []byte {
	n := min(crypt.BlockSize-len(a.iv), len(piece))
	a.iv = append(a.iv, piece[:n]...)
	if len(a.iv) < crypt.BlockSize {
		return nil
	}
	a.ivDone = true
	head := a.iv
	a.iv = nil
	zeros := [crypt.BlockSize]byte{}
	tooLong := a.total > 1 || p.size >= a.ciphertextLen()+crypt.BlockSize
	if [crypt.BlockSize]byte(head) == zeros && tooLong {
		return piece[n:]
	}
	if n == crypt.BlockSize {
		return piece
	}
	return append(head, piece[n:]...)
}

// where says where the next piece of a packet that waits is to be written. It
// is not ok if the piece is not needed. Whoever writes it calls wrote then.
func (a *assembler) where(p *packet) (file store.File, offset int64, ok bool) {
	if p.revoked || p.round != a.round {
		return nil, 0, false
	}
	a.onTheWay[p] = make(chan struct{})
	file = a.out.spool()
	if p.at.direct {
		file = a.out.content()
	}
	return file, p.at.offset + p.at.size, true
}

// wrote notes that n more bytes of a packet are where they wait.
func (a *assembler) wrote(p *packet, n int) {
	close(a.onTheWay[p])
	delete(a.onTheWay, p)
	p.at.size += int64(n)
}

// end ends a packet that was received, or broke off with err.
func (a *assembler) end(p *packet, err error) {
	if p.round != a.round {
		return
	}
	if err != nil {
		a.broke(p.number)
	}
	switch {
	case p.route == inOrder && a.inOrder != p:
		// Another connection brought the same packet first.
	case p.route == inOrder && err != nil:
		a.rollBack()
	case p.route == inOrder:
		a.setTotal(p.number, p.last)
		a.passTurn(p)
	case err != nil, a.spooled.has(p.number), p.number < a.next, p.revoked:
		a.leavePlace(p)
	default:
		a.setTotal(p.number, p.last)
		a.spooled.put(p.number, p.at)
		a.out.log(waiting(p.number, p.at))
		if a.inOrder != nil && a.inOrder.number == p.number {
			a.rollBack() // the same packet, stuck on another connection
		}
	}
}

// passTurn gives the turn to the packet after p.
func (a *assembler) passTurn(p *packet) {
	a.inOrder = nil
	a.out.log(record{kind: recordInOrder, number: p.number, size: a.out.size()})
	a.next++
}

// rollBack returns to where the packet in order began.
func (a *assembler) rollBack() {
	a.out.rewind()
	a.iv, a.ivDone, a.inOrder = a.inOrder.iv, a.inOrder.ivDone, nil
}

// step takes in some of the packets that wait and whose turn has come. more is
// false if there are none; wait, if it is not nil, is closed when there is more
// to do.
func (a *assembler) step(b *buffer) (more bool, wait <-chan struct{}, err error) {
	p := a.inOrder
	switch {
	case p != nil && !p.waited:
		return false, nil, nil // the sender continues
	case p == nil && !a.spooled.has(a.next) && !a.hasAll():
		return false, nil, a.trimSpool()
	case a.out.stale():
		return true, nil, a.out.reread(b)
	case p == nil && !a.spooled.has(a.next):
		return false, nil, a.trimSpool()
	case p == nil:
		way, wait, err := a.resolveOverlap(b)
		if err == nil && way == free {
			at := a.spooled.at[a.next]
			a.turn(&packet{number: a.next, size: at.size, at: at, waited: true})
		}
		return err == nil && way != blocked, wait, err
	case p.fetched == p.at.size:
		a.spooled.drop(p.number)
		delete(a.direct, p.number)
		a.passTurn(p)
		return true, nil, nil
	}
	if err := a.fetch(p, b); err != nil {
		a.rollBack()
		return false, nil, err
	}
	return true, nil, nil
}

// fetch takes in the next piece of a packet that waited.
func (a *assembler) fetch(p *packet, b *buffer) error {
	from := a.out.spool()
	if p.at.direct {
		from = a.out.content()
	}
	n, err := from.ReadAt(b.in[:min(int64(len(b.in)), p.at.size-p.fetched)], p.at.offset+p.fetched)
	if n == 0 {
		return fmt.Errorf("read a packet that waited: %w", err)
	}
	p.fetched += int64(n)
	return a.take(p, b.piece(n), b.out[:])
}

// trimSpool frees the spool's room once nothing waits in it.
func (a *assembler) trimSpool() error {
	if len(a.spooled.at) > 0 || a.active > 0 || a.spoolEnd == 0 {
		return nil
	}
	a.spoolEnd = 0
	if err := a.out.spool().Truncate(0); err != nil {
		return fmt.Errorf("free room for packets: %w", err)
	}
	return nil
}

// pending reports whether step has something to do.
func (a *assembler) pending() bool { return a.inOrder == nil && (a.spooled.has(a.next) || a.hasAll()) }

func (a *assembler) hasAll() bool { return a.total != 0 && a.next > a.total }

// complete reports whether everything is there.
func (a *assembler) complete() (bool, error) {
	whole, size := a.ciphertextLen(), a.out.size()
	switch {
	case a.inOrder != nil || a.out.stale():
		return false, nil
	case whole >= 0 && size == whole && (a.hasAll() || !a.strict):
		return true, nil
	case !a.hasAll():
		return false, nil
	case whole < 0:
		return true, nil
	case !a.strict && a.next == a.total+1 && whole-size <= crypt.BlockSize:
		return false, nil // one packet more than announced is on its way
	}
	return false, errSizes
}

// clear forgets what waits, and takes away the places of packets that are
// still coming in. What is returned is closed when nothing is written any more.
func (a *assembler) clear() (quiet []<-chan struct{}) {
	a.spooled.clear()
	for _, p := range a.direct {
		p.revoked = true
	}
	a.direct, a.moving = make(map[uint32]*packet), move{}
	for _, written := range a.onTheWay {
		quiet = append(quiet, written)
	}
	return quiet
}

// reset begins anew, for packets that all come again.
func (a *assembler) reset() {
	a.clear()
	a.round++
	a.inOrder = nil
	a.started, a.next, a.iv, a.ivDone, a.spoolEnd = false, 1, nil, false, 0
	a.packetSize, a.variable = 0, false
}

// received is how many packets are there.
func (a *assembler) received() uint32 { return a.next - 1 + a.spooled.order.count }

// A Range is the packets From to To, both included.
type Range struct{ From, To uint32 }

// missing counts the packets that are not there, below the total or the highest
// that is, and finds up to most ranges of them.
func (a *assembler) missing(most int) (count uint32, ranges []Range) {
	end := a.total
	order := &a.spooled.order
	if end == 0 {
		end = order.last()
	}
	if end < a.next {
		return 0, nil
	}
	count = end - a.next + 1 - order.count
	if last := order.last(); last > end { // a surplus packet
		count += last - end
	}
	gap := func(from, to uint32) {
		if from <= to && len(ranges) < most {
			ranges = append(ranges, Range{From: from, To: to})
		}
	}
	from := a.next
	for _, s := range order.list {
		if s.from > end || len(ranges) == most {
			break
		}
		gap(from, s.from-1)
		from = s.to + 1
	}
	if from != 0 {
		gap(from, end)
	}
	return count, ranges
}

// resume takes up what an earlier run logged.
func (a *assembler) resume(records []record) {
	for _, r := range records {
		switch r.kind {
		case recordTotal:
			a.total = r.number
		case recordInOrder:
			a.next = r.number + 1
			a.spooled.drop(r.number)
			delete(a.direct, r.number)
		case recordWaiting, recordDirect:
			a.spooled.put(r.number, r.at)
			a.foretold(r.number, r.at)
			if !r.at.direct {
				a.spoolEnd = max(a.spoolEnd, r.at.offset+r.at.size)
			}
		}
	}
	a.variable = true // how large the packets were is not known any more
	a.started = a.spooled.has(1) || a.next > 1
}
