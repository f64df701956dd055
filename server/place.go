package server

import "fmt"

// Packets that come before their turn wait in a file of their own and are
// copied when it has come. Most uploads spare that: their packets are alike, so
// that it can be foretold where in the content each will stand, and it is
// written there at once. What holds then:
//
//   - No packet admitted is larger than the stride, so that the content in
//     order never reaches the place of one that is ahead. One that is larger
//     waits elsewhere until nothing is ahead.
//   - One packet has one place, and nobody writes to a place that the content
//     in order has reached, or to a content that is being sealed.

// maxAhead is the farthest offset that is written to ahead.
const maxAhead = 1 << 42

// A lot is where a packet goes as it comes in.
type lot int

const (
	inLane  lot = iota // through the stream: it is its turn
	ahead              // to its place in the content
	waiting            // to where it can be fetched from
)

// lotLocked decides where a packet goes, and notes its size.
func (u *upload) lotLocked(p *packet) lot {
	if len(u.placed) == 0 {
		u.stride = max(u.stride, p.size)
	} else if p.size > u.stride {
		u.uneven = true
	}
	twin := u.placed[p.number] != nil || u.lane != nil && u.lane.number == p.number
	fits := p.size <= u.stride
	switch {
	case twin:
		return waiting
	case p.number == u.next && u.lane == nil && (fits || len(u.placed) == 0):
		return inLane
	case u.strict && p.exact && fits && !u.uneven && u.canPlaceLocked(p):
		return ahead
	}
	return waiting
}

func (u *upload) canPlaceLocked(p *packet) bool {
	before := int64(p.number - 1)
	if u.stride == 0 || before > maxAhead/u.stride {
		return false
	}
	whole := u.ciphertextLen()
	return whole < 0 || before*u.stride+p.size <= whole
}

// placeLocked gives a packet its place in the content.
func (u *upload) placeLocked(p *packet) {
	p.part = u.part
	p.wait = &region{offset: int64(p.number-1) * u.stride, ahead: true}
	u.placed[p.number] = p
}

// writeAhead writes a piece of a packet to its place, unless that was revoked.
func (u *upload) writeAhead(p *packet, piece []byte) error {
	u.placing.RLock()
	defer u.placing.RUnlock()
	if p.revoked {
		return nil
	}
	if _, err := p.part.Content().WriteAt(piece, p.wait.offset+p.wait.size); err != nil {
		return fmt.Errorf("storing content: %w", err)
	}
	p.wait.size += int64(len(piece))
	return nil
}

// revokeLocked takes a packet's place away: once it returns nothing more is
// written there.
func (u *upload) revokeLocked(p *packet) {
	u.placing.Lock() // waits for a piece that is being written
	p.revoked = true
	u.placing.Unlock()
	u.leavePlaceLocked(p)
}

// leavePlaceLocked forgets a packet's place, if it has one.
func (u *upload) leavePlaceLocked(p *packet) {
	if u.placed[p.number] == p {
		delete(u.placed, p.number)
	}
}

// revokeAllLocked takes away the places of packets that are still coming in:
// the content is complete without them.
func (u *upload) revokeAllLocked() {
	for _, p := range u.placed {
		u.revokeLocked(p)
	}
}

// clearWayLocked sees to it that the packet whose turn it is can be taken in
// from where it waits. False means that it has to wait for others, which are
// being written in its way.
func (u *upload) clearWayLocked(b *lease) (bool, error) {
	where := u.waiting.at[u.next]
	if where.ahead {
		if where.offset == u.stream.size {
			return true, nil
		}
		return true, u.relocateLocked(u.next, b) // the packets are not alike
	}
	if twin := u.placed[u.next]; twin != nil {
		u.revokeLocked(twin)
	}
	if where.size <= u.stride || len(u.placed) == 0 {
		return true, nil
	}
	for number, p := range u.placed {
		switch other, there := u.waiting.at[number]; {
		case !there:
			return false, nil
		case !other.ahead:
			u.revokeLocked(p) // another connection brought the same packet first
		}
	}
	for number := range u.placed {
		if err := u.relocateLocked(number, b); err != nil {
			return false, err
		}
	}
	return true, nil
}

// relocateLocked moves a packet that waits ahead in the content to where it is
// in nobody's way.
func (u *upload) relocateLocked(number uint32, b *lease) error {
	from := u.waiting.at[number]
	to := region{offset: u.waitEnd, size: from.size}
	for done := int64(0); done < from.size; {
		n, err := u.part.Content().ReadAt(b.in[:min(int64(len(b.in)), from.size-done)], from.offset+done)
		if n == 0 {
			return fmt.Errorf("reading a packet that waited: %w", err)
		}
		if _, err := u.part.Waiting().WriteAt(b.in[:n], to.offset+done); err != nil {
			return fmt.Errorf("keeping a packet: %w", err)
		}
		done += int64(n)
	}
	u.uneven = true
	u.waitEnd += to.size
	u.waiting.put(number, to)
	u.logWaiting(number, to)
	delete(u.placed, number)
	return nil
}

// unplaceLocked begins without any places, for packets that all come again.
func (u *upload) unplaceLocked() {
	u.stride, u.uneven, u.placed = 0, false, make(map[uint32]*packet)
}

// foretold is what an earlier run's log says of a packet's place: from the
// places that there are no new ones can be told.
func (u *upload) foretold(number uint32, where region) {
	u.uneven = true
	if where.ahead && number > 1 {
		u.stride = where.offset / int64(number-1)
		u.placed[number] = &packet{number: number}
	} else {
		delete(u.placed, number)
	}
}
