package server

import (
	"coffer/protocol"
	"coffer/protocol/crypt"
	"context"
	"errors"
)

// A named packet says which upload it belongs to by what it brings along.
type named struct {
	file     fileName
	from     network
	holder   network // whose room it takes
	hangUp   func()  // closes the connection that it came on
	wire     protocol.Field
	original uint64
	total    uint32
	strict   bool
}

// namedUpload returns the upload that a packet named by its file name belongs
// to. A client that is being removed has no session any more, and begins none.
func (s *Server) namedUpload(ctx context.Context, n named, number uint32, sess session) (*upload, error) {
	s.accounts.RLock()
	defer s.accounts.RUnlock()
	if _, live := s.sessions.get(n.file.client, n.file.owner); !live {
		return nil, refuse(protocol.StatusNoSession, "the session has ended; reconnect")
	}
	return s.uploads.named(ctx, n, number, sess)
}

// named returns the upload that a packet named by its file name belongs to,
// beginning one where there is none, or where this is another file by the same
// name: packet 1 a second time, another session key, other sizes.
func (us *uploads) named(ctx context.Context, n named, number uint32, sess session) (*upload, error) {
	key := n.file
	for {
		us.mu.Lock()
		old := us.byName[key]
		us.mu.Unlock()
		if old != nil && old.takes(n, number, sess) {
			return old, nil
		}
		u := us.newUpload(n.file, sess)
		u.holder, u.hangUp = n.holder, n.hangUp
		u.wire, u.from, u.original, u.total, u.strict, u.first = n.wire, n.from, n.original, n.total, n.strict, number == 1
		if old != nil {
			u.attempts = old.wrongSoFar()
		}
		us.mu.Lock()
		if us.byName[key] != old {
			us.mu.Unlock()
			continue // another connection was first
		}
		if old != nil {
			us.forgetLocked(old)
		}
		evicted, err := us.addLocked(u)
		us.mu.Unlock()
		us.evict(ctx, evicted)
		if old != nil {
			err = errors.Join(err, old.drop(ctx))
		}
		return u, err
	}
}

func (u *upload) wrongSoFar() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.attempts
}

// takes reports whether a packet belongs to this upload and not to a new one,
// and if it is the first, notes that it is on its way: of two that come at the
// same time, the later one starts the file over.
func (u *upload) takes(n named, number uint32, sess session) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	same := u.session.key == sess.key && u.original == n.original && u.total == n.total && u.strict == n.strict
	if u.state == complete || u.state == sealing {
		// What lies beyond the packets of a complete file is surplus. A
		// gateway's packet may also be one that it sends again.
		return same && (number >= u.next || u.strict && number != 1)
	}
	if u.state != receiving || !same || number == 1 && u.first {
		return false
	}
	u.first = u.first || number == 1
	return true
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
