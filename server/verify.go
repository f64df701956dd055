package server

import (
	"context"
	"errors"

	"coffer/protocol"
	"coffer/server/upload"
	"coffer/store"
)

func (c *conn) checksumOK(ctx context.Context, r *request, m *protocol.ChecksumOK) (protocol.Message, error) {
	key, err := c.baseKey(ctx, r, &m.Name)
	if err != nil {
		return nil, err
	}
	ack := &protocol.Acknowledged{Client: protocol.ClientID(r.client)}
	u, err := c.s.uploads.FindKey(key)
	if err != nil {
		if _, done := c.s.uploads.ResultFor(key); done {
			return ack, nil
		}
		return nil, err
	}
	if _, err := u.Commit(ctx); err != nil {
		return nil, err
	}
	return ack, nil
}

// checksumRetry awaits the file again. It is acknowledged later, if the client
// does not go straight on.
func (c *conn) checksumRetry(ctx context.Context, r *request, m *protocol.ChecksumRetry) (protocol.Message, error) {
	key, err := c.baseKey(ctx, r, &m.Name)
	if err != nil {
		return nil, err
	}
	if u, err := c.s.uploads.FindKey(key); err == nil {
		if _, err := u.Reset(ctx); err != nil && !errors.Is(err, upload.ErrGone) {
			return nil, err
		}
	}
	r.remark = errClientChecksum
	c.ackDue = &protocol.Acknowledged{Client: protocol.ClientID(r.client)}
	return nil, nil
}

func (c *conn) checksumGiveUp(ctx context.Context, r *request, m *protocol.ChecksumGiveUp) (protocol.Message, error) {
	key, err := c.baseKey(ctx, r, &m.Name)
	if err != nil {
		return nil, err
	}
	r.remark = errClientChecksum
	if u, err := c.s.uploads.FindKey(key); err == nil {
		if err := u.GiveUp(ctx); err != nil {
			return nil, err
		}
		c.s.log.Warn("a client gave up on a file: its checksum stayed wrong", "client", r.client)
	}
	return &protocol.Acknowledged{Client: protocol.ClientID(r.client)}, nil
}

// baseKey names the upload that a base client means. The session may have ended
// since: the upload was sent on the same connection. But a connection that
// never took a key of this client knows only the id, and learns nothing.
func (c *conn) baseKey(ctx context.Context, r *request, field *protocol.Field) (upload.Key, error) {
	key := upload.Key{Client: r.client, Owner: c.baseOwner()}
	var err error
	if key.Name, err = c.s.text(field); err != nil {
		return key, err
	}
	if _, live := c.s.sessions.get(r.client, key.Owner); live {
		return key, nil
	}
	if _, err := c.s.accounts.find(ctx, r.client); err != nil {
		return key, err
	}
	if key.Owner == c.number && (c.holder == nil || *c.holder != r.client) {
		return key, errNoSession
	}
	return key, nil
}

func (c *conn) verifyUpload(ctx context.Context, r *request, m *protocol.VerifyUpload) (protocol.Message, error) {
	u, err := c.upload(r, m.Ref)
	if err != nil {
		if result, done := c.committed(r, m.Ref); done && result.Cksum == m.Cksum {
			return verifyResult(result), nil
		}
		return nil, err
	}
	result, err := u.Verify(ctx, m.Cksum)
	if err != nil {
		return nil, err
	}
	if !result.Verified {
		c.s.log.Warn("a file's checksum is not the client's", "client", r.client, "attempts_left", result.Left)
	}
	return verifyResult(result), nil
}

// committed is what came of an upload that is no more because it was committed.
func (c *conn) committed(r *request, ref protocol.UploadRef) (upload.Result, bool) {
	if ref.ByID {
		return c.s.uploads.Result(r.client, store.UploadID(ref.Upload))
	}
	return c.s.uploads.ResultFor(c.uploadKey(r, ref))
}

func verifyResult(r upload.Result) *protocol.VerifyResult {
	return &protocol.VerifyResult{Verified: r.Verified, AttemptsLeft: uint8(r.Left), Cksum: r.Cksum, Version: r.Version}
}
