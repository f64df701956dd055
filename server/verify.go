package server

import (
	"context"
	"errors"

	"coffer/protocol"
	"coffer/store"
)

func (c *conn) checksumOK(ctx context.Context, r *request, m *protocol.ChecksumOK) (protocol.Message, error) {
	ref, err := c.baseUpload(ctx, r.client, &m.Name)
	if err != nil {
		return nil, err
	}
	ack := &protocol.Acknowledged{Client: protocol.ClientID(r.client)}
	u, err := c.s.uploads.find(r.client, c.baseOwner(), ref)
	if err != nil {
		if _, done := c.s.uploads.done(r.client, c.baseOwner(), ref); done {
			return ack, nil
		}
		return nil, err
	}
	if _, err := c.s.uploads.commit(ctx, u); err != nil {
		return nil, err
	}
	return ack, nil
}

// checksumRetry awaits the file again. It is acknowledged later, if the client
// does not go straight on.
func (c *conn) checksumRetry(ctx context.Context, r *request, m *protocol.ChecksumRetry) (protocol.Message, error) {
	ref, err := c.baseUpload(ctx, r.client, &m.Name)
	if err != nil {
		return nil, err
	}
	if u, err := c.s.uploads.find(r.client, c.baseOwner(), ref); err == nil {
		left, err := u.again(ctx)
		if err != nil && !errors.Is(err, errGone) {
			return nil, err
		}
		if err == nil {
			c.s.noteMismatch(u, left)
		}
	}
	r.remark = errClientChecksum
	c.ackDue = &protocol.Acknowledged{Client: protocol.ClientID(r.client)}
	return nil, nil
}

func (c *conn) checksumGiveUp(ctx context.Context, r *request, m *protocol.ChecksumGiveUp) (protocol.Message, error) {
	ref, err := c.baseUpload(ctx, r.client, &m.Name)
	if err != nil {
		return nil, err
	}
	r.remark = errClientChecksum
	if u, err := c.s.uploads.find(r.client, c.baseOwner(), ref); err == nil {
		c.s.uploads.forget(u)
		if err := u.drop(ctx); err != nil {
			return nil, err
		}
		c.s.noteMismatch(u, 0)
		c.s.log.Warn("a client gave up on a file: its checksum stayed wrong", "client", r.client)
	}
	return &protocol.Acknowledged{Client: protocol.ClientID(r.client)}, nil
}

// baseUpload names the upload that a base client means. The session may have
// ended since: what is found is what was sent on the same connection. But one
// that never took a key of this client's knows the id alone, and is told nothing.
func (c *conn) baseUpload(ctx context.Context, id store.ClientID, field *protocol.Field) (protocol.UploadRef, error) {
	name, err := c.s.text(field)
	if err != nil {
		return protocol.UploadRef{}, err
	}
	if _, live := c.s.sessions.get(id, c.baseOwner()); !live {
		if _, err := c.s.client(ctx, id); err != nil {
			return protocol.UploadRef{}, err
		}
		if c.baseOwner() == c.number && (c.holder == nil || *c.holder != id) {
			return protocol.UploadRef{}, errNoSession
		}
	}
	return protocol.UploadRef{Name: name}, nil
}

func (c *conn) verifyUpload(ctx context.Context, r *request, m *protocol.VerifyUpload) (protocol.Message, error) {
	u, err := c.upload(r.client, m.Ref)
	if err != nil {
		if result, done := c.s.uploads.done(r.client, c.namedOwner(), m.Ref); done && result.Cksum == m.Cksum {
			return &result, nil
		}
		return nil, err
	}
	if err := u.settle(ctx); err != nil {
		return nil, err
	}
	u.mu.Lock()
	ready, sum := u.state == complete, u.label.Cksum
	u.mu.Unlock()
	if !ready {
		return nil, refuse(protocol.StatusConflict, "the file is not complete")
	}
	if sum == m.Cksum {
		result, err := c.s.uploads.commit(ctx, u)
		return &result, err
	}
	left, err := u.again(ctx)
	if err != nil {
		return nil, err
	}
	c.s.noteMismatch(u, left)
	c.s.log.Warn("a file's checksum is not the client's", "client", r.client, "attempts_left", left)
	return &protocol.VerifyResult{AttemptsLeft: uint8(left), Cksum: sum}, nil
}
