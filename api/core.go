package api

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"coffer/api/relay"
	"coffer/client"
	"coffer/protocol"
)

// core is the core as handlers see it. Each method is the client's of the same
// name, over a connection of a pool; what may be sent a second time is, if the
// connection turns out to be dead.
type core struct {
	conns   *pool
	hashing *pool // for what takes the core a password's hash, lest all connections wait for those
}

func newCore(cfg Config) (*core, error) {
	var gateway protocol.ClientID // one, whatever pools it has
	rand.Read(gateway[:])         // never fails
	conns, err := newPool(cfg, gateway, cfg.CoreConns)
	if err != nil {
		return nil, err
	}
	hashing, err := newPool(cfg, gateway, hashTurns.Slots)
	if err != nil {
		conns.close()
		return nil, err
	}
	return &core{conns, hashing}, nil
}

// close waits for connections in use.
func (c *core) close() {
	c.conns.close()
	c.hashing.close()
}

// A call has f called with a connection: pool.Once, or pool.Idempotent.
type call func(ctx context.Context, f func(*client.Conn) error) error

// ask makes a call that has an answer.
func ask[T any](ctx context.Context, through call, f func(*client.Conn) (T, error)) (T, error) {
	var answer T
	err := through(ctx, func(conn *client.Conn) (err error) {
		answer, err = f(conn)
		return err
	})
	return answer, err
}

func (c *core) GetStatus(ctx context.Context) (*protocol.ServerStatus, error) {
	return ask(ctx, c.conns.Idempotent, func(conn *client.Conn) (*protocol.ServerStatus, error) { return conn.GetStatus(ctx) })
}

// CreateAccount makes an account, with a password or without.
func (c *core) CreateAccount(ctx context.Context, m protocol.CreateAccount) (protocol.ClientID, error) {
	conns := c.conns
	if m.Password != "" {
		conns = c.hashing
	}
	return ask(ctx, conns.Once, func(conn *client.Conn) (protocol.ClientID, error) { return conn.CreateAccount(ctx, m) })
}

// SignIn checks a caller's identity.
func (c *core) SignIn(ctx context.Context, m protocol.SignIn) (*protocol.SignedIn, error) {
	conns := c.conns
	if m.Method == protocol.SignInByPassword {
		conns = c.hashing
	}
	return ask(ctx, conns.Idempotent, func(conn *client.Conn) (*protocol.SignedIn, error) { return conn.SignIn(ctx, m) })
}

// SetPassword goes once: a second time the current password would be the new one.
func (c *core) SetPassword(ctx context.Context, id protocol.ClientID, m protocol.SetPassword) (until time.Time, err error) {
	return ask(ctx, c.hashing.Once, func(conn *client.Conn) (time.Time, error) { return conn.SetPassword(ctx, id, m) })
}

func (c *core) RemoveAccount(ctx context.Context, id protocol.ClientID, password string) error {
	return c.hashing.Once(ctx, func(conn *client.Conn) error { return conn.RemoveAccount(ctx, id, password) })
}

func (c *core) GetAccount(ctx context.Context, id protocol.ClientID) (*protocol.AccountInfo, error) {
	return ask(ctx, c.conns.Idempotent, func(conn *client.Conn) (*protocol.AccountInfo, error) { return conn.GetAccount(ctx, id) })
}

func (c *core) GetIdentity(ctx context.Context, id protocol.ClientID) (*protocol.Identity, error) {
	return ask(ctx, c.conns.Idempotent, func(conn *client.Conn) (*protocol.Identity, error) { return conn.GetIdentity(ctx, id) })
}

func (c *core) CheckToken(ctx context.Context, m protocol.CheckToken) error {
	return c.conns.Idempotent(ctx, func(conn *client.Conn) error { return conn.CheckToken(ctx, m) })
}

func (c *core) RevokeToken(ctx context.Context, m protocol.RevokeToken) error {
	return c.conns.Idempotent(ctx, func(conn *client.Conn) error { return conn.RevokeToken(ctx, m) })
}

func (c *core) RevokeTokens(ctx context.Context, id protocol.ClientID) error {
	return c.conns.Idempotent(ctx, func(conn *client.Conn) error { return conn.RevokeTokens(ctx, id) })
}

func (c *core) SetPublicKey(ctx context.Context, id protocol.ClientID, m protocol.SetPublicKey) (*protocol.SessionKeyIssued, error) {
	return ask(ctx, c.conns.Once, func(conn *client.Conn) (*protocol.SessionKeyIssued, error) { return conn.SetPublicKey(ctx, id, m) })
}

func (c *core) NewSession(ctx context.Context, id protocol.ClientID) (*protocol.SessionKeyIssued, error) {
	return ask(ctx, c.conns.Idempotent, func(conn *client.Conn) (*protocol.SessionKeyIssued, error) { return conn.NewSession(ctx, id) })
}

func (c *core) GetKeyBundle(ctx context.Context, id protocol.ClientID) ([]byte, error) {
	return ask(ctx, c.conns.Idempotent, func(conn *client.Conn) ([]byte, error) { return conn.GetKeyBundle(ctx, id) })
}

func (c *core) PutKeyBundle(ctx context.Context, id protocol.ClientID, bundle []byte) error {
	return c.conns.Idempotent(ctx, func(conn *client.Conn) error { return conn.PutKeyBundle(ctx, id, bundle) })
}

func (c *core) BeginUpload(ctx context.Context, id protocol.ClientID, m protocol.BeginUpload) (*protocol.UploadBegun, error) {
	return ask(ctx, c.conns.Once, func(conn *client.Conn) (*protocol.UploadBegun, error) { return conn.BeginUpload(ctx, id, m) })
}

func (c *core) GetUpload(ctx context.Context, id protocol.ClientID, ref protocol.UploadRef) (*protocol.UploadState, error) {
	return ask(ctx, c.conns.Idempotent, func(conn *client.Conn) (*protocol.UploadState, error) { return conn.GetUpload(ctx, id, ref) })
}

func (c *core) CancelUpload(ctx context.Context, id protocol.ClientID, ref protocol.UploadRef) error {
	return c.conns.Once(ctx, func(conn *client.Conn) error { return conn.CancelUpload(ctx, id, ref) })
}

func (c *core) ListUploads(ctx context.Context, id protocol.ClientID) (*protocol.UploadList, error) {
	return ask(ctx, c.conns.Idempotent, func(conn *client.Conn) (*protocol.UploadList, error) { return conn.ListUploads(ctx, id) })
}

func (c *core) VerifyUpload(ctx context.Context, id protocol.ClientID, m protocol.VerifyUpload) (*protocol.VerifyResult, error) {
	return ask(ctx, c.conns.Once, func(conn *client.Conn) (*protocol.VerifyResult, error) { return conn.VerifyUpload(ctx, id, m) })
}

func (c *core) ListFiles(ctx context.Context, id protocol.ClientID, m protocol.ListFiles) (*protocol.FileList, error) {
	return ask(ctx, c.conns.Idempotent, func(conn *client.Conn) (*protocol.FileList, error) { return conn.ListFiles(ctx, id, m) })
}

func (c *core) GetFile(ctx context.Context, id protocol.ClientID, name string, version uint32) (*protocol.FileInfo, error) {
	return ask(ctx, c.conns.Idempotent, func(conn *client.Conn) (*protocol.FileInfo, error) { return conn.GetFile(ctx, id, name, version) })
}

func (c *core) DeleteFile(ctx context.Context, id protocol.ClientID, name string, version uint32) error {
	return c.conns.Once(ctx, func(conn *client.Conn) error { return conn.DeleteFile(ctx, id, name, version) })
}

// ReadFile reads m.Length bytes into p: a connection is held for no longer than
// that takes.
func (c *core) ReadFile(ctx context.Context, id protocol.ClientID, m protocol.ReadFile, p []byte) error {
	return c.conns.Idempotent(ctx, func(conn *client.Conn) error {
		_, stored, err := conn.ReadFile(ctx, id, m)
		if err != nil {
			return err
		}
		_, err = io.ReadFull(stored, p[:m.Length])
		return errors.Join(err, stored.Close())
	})
}

func (c *core) BeginRun(ctx context.Context, id protocol.ClientID, m protocol.BeginRun) (*protocol.RunBegun, error) {
	return ask(ctx, c.conns.Idempotent, func(conn *client.Conn) (*protocol.RunBegun, error) { return conn.BeginRun(ctx, id, m) })
}

func (c *core) ListRuns(ctx context.Context, id protocol.ClientID) ([]protocol.RunEntry, error) {
	return ask(ctx, c.conns.Idempotent, func(conn *client.Conn) ([]protocol.RunEntry, error) { return conn.ListRuns(ctx, id) })
}

func (c *core) EndRun(ctx context.Context, id protocol.ClientID, run protocol.RunID) error {
	return c.conns.Idempotent(ctx, func(conn *client.Conn) error { return conn.EndRun(ctx, id, run) })
}

func (c *core) AskPacks(ctx context.Context, id protocol.ClientID, run protocol.RunID, packs []protocol.PackID) ([]protocol.PackID, error) {
	return ask(ctx, c.conns.Idempotent, func(conn *client.Conn) ([]protocol.PackID, error) { return conn.AskPacks(ctx, id, run, packs) })
}

// PutPack sends a pack of size bytes, which can be read more than once.
func (c *core) PutPack(ctx context.Context, id protocol.ClientID, run protocol.RunID, pack protocol.PackID, content *relay.Spool, size int64) error {
	return c.conns.Idempotent(ctx, func(conn *client.Conn) error {
		return conn.PutPack(ctx, id, run, pack, content.Reader(), uint32(size))
	})
}

// PackSize finds out how large a pack is.
func (c *core) PackSize(ctx context.Context, id protocol.ClientID, pack protocol.PackID) (int64, error) {
	return ask(ctx, c.conns.Idempotent, func(conn *client.Conn) (int64, error) {
		answer, first, err := conn.ReadPack(ctx, id, protocol.ReadPack{ID: pack, Length: 1})
		if err != nil {
			return 0, err
		}
		return int64(answer.Size), first.Close()
	})
}

// ReadPack reads m.Length bytes into p.
func (c *core) ReadPack(ctx context.Context, id protocol.ClientID, m protocol.ReadPack, p []byte) error {
	return c.conns.Idempotent(ctx, func(conn *client.Conn) error {
		_, stored, err := conn.ReadPack(ctx, id, m)
		if err != nil {
			return err
		}
		_, err = io.ReadFull(stored, p[:m.Length])
		return errors.Join(err, stored.Close())
	})
}

// CommitSnapshot commits what stands behind the name in a commit's content. It
// can be repeated, since a run commits once.
func (c *core) CommitSnapshot(ctx context.Context, id protocol.ClientID, m *protocol.CommitSnapshot, name string, content *relay.Spool) (version uint32, missing []protocol.PackID, err error) {
	err = c.conns.Idempotent(ctx, func(conn *client.Conn) (err error) {
		version, missing, err = conn.SendCommit(ctx, id, m, func(w io.Writer) error {
			if _, err := io.WriteString(w, name); err != nil {
				return err
			}
			_, err := content.WriteTo(w)
			return err
		})
		return err
	})
	return version, missing, err
}

func (c *core) ListSnapshots(ctx context.Context, id protocol.ClientID, m protocol.ListSnapshots) (*protocol.SnapshotList, error) {
	return ask(ctx, c.conns.Idempotent, func(conn *client.Conn) (*protocol.SnapshotList, error) { return conn.ListSnapshots(ctx, id, m) })
}
