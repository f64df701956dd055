package server

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/server/settings"
	"coffer/server/upload"
	"coffer/store"
)

// accounts knows the clients: who they are, and how they sign in.
type accounts struct {
	catalog  accountCatalog
	records  RecordKeeper
	space    *Space
	settings func() settings.Values
	journal  *journal
	log      *slog.Logger
	alike    likeGuard

	// epoch counts changes of who may make base requests, from 1: what a
	// connection has looked up before must then be looked up again.
	epoch atomic.Uint64

	// mu is held for reading while a client's record is written to catalog and
	// blobs, or one of its uploads begins, and for writing while a client is
	// removed from all of them. It is taken before any other lock.
	mu sync.RWMutex
}

// An accountCatalog is what accounts ask of the catalog.
type accountCatalog interface {
	clientFinder
	RecordedKeys
	AddClient(ctx context.Context, c store.Client) error
	ClientByName(ctx context.Context, name string) (store.Client, error)
	ClientByAPIID(ctx context.Context, id store.APIID) (store.Client, error)
	NameLike(ctx context.Context, name string) (string, error)
	UpdateClient(ctx context.Context, id store.ClientID, change func(*store.Client) error) (store.Client, error)
	UpdateSignIn(ctx context.Context, id store.ClientID, bundle []byte, change func(*store.Client) error) (store.Client, error)
	SetKeyBundle(ctx context.Context, id store.ClientID, bundle []byte) error
	ForgetFormerKeys(ctx context.Context, before time.Time) ([]store.ClientID, error)
	Usage(ctx context.Context, id store.ClientID) (store.Usage, error)
}

func (c *conn) putKeyBundle(ctx context.Context, r *request, m *protocol.PutKeyBundle) (protocol.Message, error) {
	c.s.accounts.mu.RLock()
	defer c.s.accounts.mu.RUnlock()
	client, err := c.s.accounts.find(ctx, r.client)
	if err != nil {
		return nil, err
	}
	written, ok := c.s.cfg.Space.Reserve(accountSize + 2*uint64(len(m.Bundle)))
	if !ok {
		return nil, errNoSpace
	}
	defer written()
	if err := c.s.accounts.catalog.SetKeyBundle(ctx, r.client, m.Bundle); err != nil {
		return nil, err
	}
	return &protocol.Done{}, c.s.accounts.putRecord(ctx, client)
}

func (c *conn) getKeyBundle(ctx context.Context, r *request, _ *protocol.GetKeyBundle) (protocol.Message, error) {
	bundle, err := c.s.accounts.catalog.KeyBundle(ctx, r.client)
	if err != nil {
		return nil, err
	}
	if bundle == nil {
		return nil, refuse(protocol.StatusNotFound, "the account has no key bundle")
	}
	return &protocol.KeyBundle{Bundle: bundle}, nil
}

func (c *conn) getAccount(ctx context.Context, r *request, _ *protocol.GetAccount) (protocol.Message, error) {
	client, err := c.s.accounts.find(ctx, r.client)
	if err != nil {
		return nil, err
	}
	usage, err := c.s.accounts.catalog.Usage(ctx, r.client)
	if err != nil {
		return nil, err
	}
	bundle, err := c.s.accounts.catalog.KeyBundle(ctx, r.client)
	if err != nil {
		return nil, err
	}
	now := c.s.Settings()
	m := &protocol.AccountInfo{
		Files: uint64(usage.Files), Versions: uint64(usage.Versions), Bytes: uint64(usage.Bytes),
		Uploads: uint32(c.s.uploads.CountOf(r.client)), HasPassword: client.PasswordHash != "", HasBundle: bundle != nil,
		Created: client.Created, SessionTTL: now.SessionTTL, UploadTTL: now.UploadTTL,
		MaxPacket: c.s.maxContent(), KeepVersions: uint32(now.KeepVersions), Name: client.Name,
	}
	if client.PublicKey != nil {
		pub, _, err := crypt.ParsePublicKey(client.PublicKey)
		if err != nil {
			return nil, err
		}
		hash, err := crypt.ParseOAEPHash(client.OAEPHash)
		if err != nil {
			return nil, err
		}
		m.KeyBits, m.OAEPHash = uint16(pub.N.BitLen()), wireHash(hash)
	}
	return m, nil
}

func (c *conn) createAccount(ctx context.Context, _ *request, m *protocol.CreateAccount) (protocol.Message, error) {
	switch m.Kind {
	case "cpp_client", "web_client", "api_client":
	default:
		return nil, refuse(protocol.StatusInvalid, "client_type: one of cpp_client, web_client, api_client")
	}
	if len(m.Name) > protocol.MaxName {
		return nil, refuse(protocol.StatusInvalid, "username: longer than 254 bytes")
	}
	client := store.Client{Name: m.Name, Kind: m.Kind, BaseClosed: true, APIID: newAPIID()}
	if m.Password != "" {
		turn, release, err := c.turn(ctx, client.ID)
		if err != nil {
			return nil, err
		}
		client.PasswordHash = turn.hash(m.Password)
		release()
	}
	if _, err := c.s.accounts.add(ctx, client); err != nil {
		return nil, err
	}
	return &protocol.AccountCreated{Client: protocol.ClientID(client.APIID)}, nil
}

// signIn checks a caller's identity. Whatever is wrong, the answer is the same
// and takes the same time.
func (c *conn) signIn(ctx context.Context, _ *request, m *protocol.SignIn) (protocol.Message, error) {
	denied := refuse(protocol.StatusUnauthenticated, "unknown username, or wrong password or client id")
	at := c.s.revoked.moment(m.Name, time.Now())
	client, err := c.s.accounts.catalog.ClientByName(ctx, m.Name)
	known := err == nil
	if err != nil && !errors.Is(err, store.ErrNoClient) {
		return nil, err
	}
	ok, proven := false, false
	switch m.Method {
	case protocol.SignInByName:
		ok = known && client.PasswordHash == "" && !client.APIID.IsZero()
	case protocol.SignInByClientID:
		same := subtle.ConstantTimeCompare(client.APIID[:], m.Client[:]) == 1
		ok = known && client.PasswordHash == "" && !client.APIID.IsZero() && same
		proven = ok
	case protocol.SignInByPassword:
		// Without a hash to compare with, one that nothing matches is.
		turn, release, err := c.turn(ctx, client.ID)
		if err != nil {
			return nil, err
		}
		same, err := turn.matches(client.PasswordHash, m.Password)
		release()
		if err != nil {
			return nil, err
		}
		ok = known && same && !client.APIID.IsZero()
		proven = ok
	default:
		return nil, refuse(protocol.StatusInvalid, "method: unknown")
	}
	if !ok && known {
		c.s.journal.noteDenied(ctx, &client, "wrong password or client id")
	}
	if !ok {
		return nil, denied
	}
	if client.Suspended {
		return nil, errSuspended
	}
	c.s.sessions.touch(client.ID, upload.Gateway)
	c.s.journal.noteOf(ctx, &client, store.Activity{Kind: store.ActivitySignIn, Outcome: store.OutcomeOK, Detail: "over HTTP"})
	in := &protocol.SignedIn{Proven: proven, At: at}
	if proven {
		in.Client = protocol.ClientID(client.APIID)
	}
	return in, nil
}

// setPassword sets password and key bundle together and ends all sign-ins
// through the gateway. The gateway must send the old password; a connection
// that has proven to hold a session key has shown that it has the client's
// private key.
func (c *conn) setPassword(ctx context.Context, r *request, m *protocol.SetPassword) (protocol.Message, error) {
	switch {
	case m.Password == "":
		return nil, refuse(protocol.StatusInvalid, "password: must not be empty")
	case len(m.Bundle) == 0:
		return nil, refuse(protocol.StatusInvalid, "key_bundle: must not be empty")
	case len(m.Bundle) > protocol.MaxKeyBundle:
		return nil, refuse(protocol.StatusTooLarge, fmt.Sprintf("key_bundle: larger than %d bytes", protocol.MaxKeyBundle))
	}
	client, err := c.s.accounts.find(ctx, r.client)
	if err != nil {
		return nil, err
	}
	written, ok := c.s.cfg.Space.Reserve(accountSize + 2*uint64(len(m.Bundle)))
	if !ok {
		return nil, errNoSpace
	}
	defer written()
	turn, release, err := c.turn(ctx, r.client)
	if err != nil {
		return nil, err
	}
	defer release()
	if c.internal || m.Current != "" {
		if err := turn.check(client, "current_password", m.Current); err != nil {
			return nil, err
		}
	}
	hash := turn.hash(m.Password)
	release()
	c.s.accounts.mu.RLock()
	defer c.s.accounts.mu.RUnlock()
	// Tokens die before, so that a crash in between leaves none of them alive,
	// and after, for anyone who was signing in with the old password meanwhile.
	if _, err := c.s.revoked.addAll(ctx, client.Name); err != nil {
		return nil, err
	}
	changed, err := c.s.accounts.catalog.UpdateSignIn(ctx, r.client, m.Bundle, func(now *store.Client) error {
		if now.PasswordHash != client.PasswordHash {
			return refuse(protocol.StatusConflict, "the password was changed in the meantime")
		}
		now.PasswordHash = hash
		if now.APIID.IsZero() {
			now.APIID = newAPIID()
		}
		return nil
	})
	if errors.Is(err, store.ErrNoClient) {
		return nil, refuse(protocol.StatusUnauthenticated, "no such client")
	}
	if err != nil {
		return nil, err
	}
	c.s.log.Info("password set", "client", r.client)
	c.s.journal.noteOf(ctx, &client, store.Activity{Kind: store.ActivityPassword, Outcome: store.OutcomeOK})
	until, err := c.s.revoked.addAll(ctx, client.Name)
	if err != nil {
		return nil, err
	}
	return &protocol.TokensRevoked{Until: until}, c.s.accounts.putRecord(ctx, changed)
}

// check fails if the password is not the client's. Every password fails for an
// account without one.
func (turn passwordTurn) check(client store.Client, field, password string) error {
	same, err := turn.matches(client.PasswordHash, password)
	if err == nil && !same {
		err = refuse(protocol.StatusForbidden, field+": wrong")
	}
	return err
}

func (c *conn) removeAccount(ctx context.Context, r *request, m *protocol.RemoveAccount) (protocol.Message, error) {
	client, err := c.s.accounts.find(ctx, r.client)
	if err != nil {
		return nil, err
	}
	if client.PasswordHash != "" {
		turn, release, err := c.turn(ctx, r.client)
		if err != nil {
			return nil, err
		}
		err = turn.check(client, "password", m.Password)
		release()
		if err != nil {
			return nil, err
		}
	}
	if err := c.s.removals.removeAndNote(ctx, &client, "by its owner"); err != nil {
		return nil, err
	}
	return &protocol.Done{}, nil
}
