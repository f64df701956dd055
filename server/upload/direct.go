package upload

import "fmt"

// Packets that come before their turn wait in the spool and are copied when it
// has come. Most uploads spare that: their packets are alike, so that it can be
// foretold where in the content each will stand, and it is written there
// directly. What holds then:
//
//   - No packet admitted is larger than packetSize, so that the content in
//     order never reaches the place of one that is ahead. One that is larger
//     waits in the spool until nothing is ahead.
//   - One packet has one place, and nobody writes to a place that the content
//     in order has reached, or to a content that is being stored.

// maxDirectOffset is the farthest offset that is written to directly.
const maxDirectOffset = 1 << 42

// routeOf decides where a packet goes, and notes its size.
func (a *assembler) routeOf(p *packet) route {
	if len(a.direct) == 0 {
		a.packetSize = max(a.packetSize, p.size)
	} else if p.size > a.packetSize {
		a.variable = true
	}
	duplicate := a.direct[p.number] != nil || a.inOrder != nil && a.inOrder.number == p.number
	fits := p.size <= a.packetSize
	switch {
	case duplicate:
		return spool
	case p.number == a.next && a.inOrder == nil && (fits || len(a.direct) == 0):
		return inOrder
	case a.strict && p.exact && fits && !a.variable && a.canPlace(p):
		return direct
	}
	return spool
}

// directOffset is where in the content a packet stands if all are alike.
func (a *assembler) directOffset(number uint32) int64 { return int64(number-1) * a.packetSize }

func (a *assembler) canPlace(p *packet) bool {
	if a.packetSize == 0 || int64(p.number-1) > maxDirectOffset/a.packetSize {
		return false
	}
	whole := a.ciphertextLen()
	return whole < 0 || a.directOffset(p.number)+p.size <= whole
}

// place gives a packet its place in the content.
func (a *assembler) place(p *packet) {
	p.at = region{offset: a.directOffset(p.number), direct: true}
	a.direct[p.number] = p
}

// revoke takes a packet's place away. What is returned, unless it is nil, is
// closed when nothing is written there any more.
func (a *assembler) revoke(p *packet) (quiet <-chan struct{}) {
	p.revoked = true
	a.leavePlace(p)
	if written := a.onTheWay[p]; written != nil {
		return written
	}
	return nil
}

// leavePlace forgets a packet's place, if it has one.
func (a *assembler) leavePlace(p *packet) {
	if a.direct[p.number] == p {
		delete(a.direct, p.number)
	}
}

// A passage is whether a packet that waited can be taken in.
type passage int

const (
	blocked passage = iota // not before others, which are being written in its way, are there
	moved                  // something was moved out of the way: ask again
	free
)

// resolveOverlap sees to it that the packet whose turn it is can be taken in
// from where it waits. wait, if it is not nil, is closed when to ask again.
func (a *assembler) resolveOverlap(b *buffer) (way passage, wait <-chan struct{}, err error) {
	at := a.spooled.at[a.next]
	switch {
	case a.moving.number != 0:
		return moved, nil, a.relocate(a.moving.number, b)
	case at.direct && at.offset == a.out.size():
		return free, nil, nil
	case at.direct: // the packets are not alike
		return moved, nil, a.relocate(a.next, b)
	}
	if duplicate := a.direct[a.next]; duplicate != nil {
		if wait := a.revoke(duplicate); wait != nil {
			return moved, wait, nil
		}
	}
	if at.size <= a.packetSize || len(a.direct) == 0 {
		return free, nil, nil
	}
	for number, p := range a.direct {
		switch other, there := a.spooled.at[number]; {
		case !there:
			return blocked, nil, nil
		case !other.direct: // another connection brought the same packet first
			return moved, a.revoke(p), nil
		}
	}
	for number := range a.direct {
		return moved, nil, a.relocate(number, b)
	}
	return free, nil, nil
}

// relocate moves a piece of a waiting packet from the content to the spool,
// where it overlaps nothing.
func (a *assembler) relocate(number uint32, b *buffer) error {
	from := a.spooled.at[number]
	m := &a.moving
	if m.number == 0 {
		*m = move{number: number, from: from, to: region{offset: a.spoolEnd, size: from.size}}
		a.spoolEnd += from.size
		a.variable = true
	}
	if m.done < from.size {
		n, err := a.out.content().ReadAt(b.in[:min(int64(len(b.in)), from.size-m.done)], from.offset+m.done)
		if n == 0 {
			return fmt.Errorf("read a packet that waited: %w", err)
		}
		if _, err := a.out.spool().WriteAt(b.in[:n], m.to.offset+m.done); err != nil {
			return fmt.Errorf("keep a packet: %w", err)
		}
		m.done += int64(n)
	}
	if m.done < from.size {
		return nil
	}
	a.spooled.put(number, m.to)
	a.out.log(waiting(number, m.to))
	delete(a.direct, number)
	*m = move{}
	return nil
}

// A move is a packet on its way from its place in the content to the spool.
type move struct {
	number   uint32
	from, to region
	done     int64
}

// foretold records a packet's place from the log of an earlier run. New places
// cannot be derived from it.
func (a *assembler) foretold(number uint32, at region) {
	a.variable = true
	if at.direct && number > 1 {
		a.packetSize = at.offset / int64(number-1)
		a.direct[number] = &packet{number: number}
	} else {
		delete(a.direct, number)
	}
}
