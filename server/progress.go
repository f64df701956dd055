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
