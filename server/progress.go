package server

import "coffer/protocol"

// status is the upload's state as the wire tells it.
func (u *upload) status(ranges bool) *protocol.UploadState {
	u.mu.Lock()
	defer u.mu.Unlock()
	m := &protocol.UploadState{
		Upload: protocol.UploadID(u.id), Complete: u.state == complete,
		AttemptsLeft: uint8(max(0, protocol.MaxAttempts-u.attempts)),
		Total:        u.total, Bytes: uint64(u.stream.size), OriginalSize: u.original,
		Created: u.created, Expires: u.changed.Add(u.s.Settings().UploadTTL), Name: u.name,
	}
	if u.state == complete || u.state == sealing {
		m.Received, m.OriginalSize = u.total, uint64(u.label.OriginalSize)
		m.Bytes = uint64(u.label.Size)
		if u.state == complete {
			m.Cksum = u.label.Cksum
		}
		return m
	}
	m.Received = u.next - 1 + u.waiting.order.count
	u.missingLocked(m, ranges)
	return m
}

// missingLocked finds the gaps between the packets that wait, as many of them
// as are told.
func (u *upload) missingLocked(m *protocol.UploadState, ranges bool) {
	end := u.total
	waiting := &u.waiting.order
	if end == 0 {
		end = waiting.last()
	}
	if end < u.next {
		return
	}
	m.MissingCount = end - u.next + 1 - waiting.count
	if last := waiting.last(); last > end { // a surplus packet
		m.MissingCount += last - end
	}
	if !ranges {
		return
	}
	gap := func(from, to uint32) {
		if from <= to && len(m.Missing) < protocol.MaxMissing {
			m.Missing = append(m.Missing, protocol.Range{From: from, To: to})
		}
	}
	from := u.next
	for _, s := range waiting.list {
		if s.from > end || len(m.Missing) == protocol.MaxMissing {
			break
		}
		gap(from, s.from-1)
		from = s.to + 1
	}
	if from != 0 {
		gap(from, end)
	}
}
