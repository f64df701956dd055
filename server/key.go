package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/server/upload"
	"coffer/store"
)

var (
	errWrongName = broken(protocol.RuleWrongName, protocol.StatusUnauthenticated, "the name is not this client's")
	errNoKey     = broken(protocol.RuleNoKey, protocol.StatusNoSession, "no public key is on record")
	errNoSession = broken(protocol.RuleNoSession, protocol.StatusNoSession, "no live session key; reconnect")
)

// keys puts public keys on record, and makes session keys for them.
type keys struct {
	accounts  *accounts
	catalog   keyCatalog
	sessions  *sessions
	newcomers *newcomers
	master    MasterKey
	hash      string // of OAEP: "auto", "sha256" or "sha1"
}

// A keyCatalog is what keys asks of the catalog.
type keyCatalog interface {
	clientFinder
	UpdateClient(ctx context.Context, id store.ClientID, change func(*store.Client) error) (store.Client, error)
}

func (c *conn) sendPublicKey(ctx context.Context, r *request, m *protocol.SendPublicKey) (protocol.Message, error) {
	name, err := c.s.text(&m.Name)
	if err != nil {
		return nil, err
	}
	client, err := c.s.accounts.find(ctx, r.client)
	if err != nil {
		return nil, err
	}
	if client.Name != name {
		return nil, errWrongName
	}
	sess, err := c.s.keys.set(ctx, r.client, c.number, m.DER, false)
	if err != nil {
		return nil, err
	}
	c.hold(r.client, sess)
	return &protocol.KeyReceived{Client: protocol.ClientID(r.client), WrappedKey: sess.Wrapped}, nil
}

func (c *conn) reconnect(ctx context.Context, r *request, m *protocol.Reconnect) (protocol.Message, error) {
	denied := &protocol.ReconnectDenied{Client: protocol.ClientID(r.client)}
	name, err := c.s.text(&m.Name)
	if refused, ok := errors.AsType[*refusal](err); ok {
		return nil, refused.replying(denied)
	}
	client, err := c.s.accounts.find(ctx, r.client)
	if errors.Is(err, errNoClient) {
		return nil, errNoClient.replying(denied)
	}
	if err != nil {
		return nil, err
	}
	var refused *refusal
	switch {
	case client.Name != name:
		refused = errWrongName
	case client.PublicKey == nil:
		refused = errNoKey
	}
	if refused != nil {
		c.s.journal.noteDenied(ctx, &client, "reconnecting: "+refused.message)
		return nil, refused.replying(denied)
	}
	sess, err := c.s.keys.newSession(ctx, r.client, c.number)
	if err != nil {
		return nil, err
	}
	c.hold(r.client, sess)
	c.s.journal.noteOf(ctx, &client, store.Activity{Kind: store.ActivitySignIn, Outcome: store.OutcomeOK, Detail: "reconnected"})
	return &protocol.Reconnected{Client: protocol.ClientID(r.client), WrappedKey: sess.Wrapped}, nil
}

func (c *conn) setPublicKey(ctx context.Context, r *request, m *protocol.SetPublicKey) (protocol.Message, error) {
	if _, err := c.s.accounts.find(ctx, r.client); err != nil {
		return nil, err
	}
	sess, err := c.s.keys.set(ctx, r.client, upload.Gateway, m.DER, m.Replace)
	if err != nil {
		return nil, err
	}
	return &protocol.SessionKeyIssued{OAEPHash: wireHash(sess.OAEPHash), WrappedKey: sess.Wrapped}, nil
}

func (c *conn) newSession(ctx context.Context, r *request, _ *protocol.NewSession) (protocol.Message, error) {
	sess, err := c.s.keys.newSession(ctx, r.client, upload.Gateway)
	if err != nil {
		return nil, err
	}
	return &protocol.SessionKeyIssued{OAEPHash: wireHash(sess.OAEPHash), WrappedKey: sess.Wrapped}, nil
}

// set puts a key on record and begins a session. Another key than the
// one on record is taken only if replace says that the account's owner asks;
// sessions under the one before end.
func (k *keys) set(ctx context.Context, id store.ClientID, o owner, field []byte, replace bool) (session, error) {
	pub, der, err := crypt.ParsePublicKey(field)
	if err != nil {
		return session{}, broken(protocol.RulePublicKey, protocol.StatusInvalid, "public key: "+err.Error())
	}
	written, ok := k.accounts.space.Reserve(accountSize)
	if !ok {
		return session{}, errNoSpace
	}
	defer written()
	hash := k.oaepHash(der)
	k.accounts.mu.RLock()
	defer k.accounts.mu.RUnlock()
	var sess session
	var changed store.Client
	var another bool
	_, err = k.catalog.UpdateClient(ctx, id, func(client *store.Client) error {
		another = false
		if client.PublicKey == nil && o.IsConn() && !k.newcomers.mayKey(id, o, peerIn(ctx).network, time.Now()) {
			return errFirstKey
		}
		if client.PublicKey != nil {
			old, _, err := crypt.ParsePublicKey(client.PublicKey)
			if another = err != nil || !old.Equal(pub); another && !replace {
				return broken(protocol.RuleOtherKey, protocol.StatusForbidden, "another public key is on record; only the account's owner, signed in with the password, can replace it")
			}
		}
		client.PublicKey, client.OAEPHash = der, hash.String()
		if another {
			client.SessionKey = nil
		}
		if err := k.begin(client, o, &sess); err != nil {
			return err
		}
		changed = *client
		return nil
	})
	if err != nil {
		return session{}, err
	}
	if err := k.accounts.putRecord(ctx, changed); err != nil {
		return session{}, err
	}
	if another {
		k.sessions.end(id)
	}
	k.newcomers.forget(id)
	k.sessions.put(id, o, sess)
	k.accounts.log.Info("public key received", "client", id, "bits", pub.N.BitLen())
	k.accounts.journal.noteOf(ctx, &changed, store.Activity{Kind: store.ActivityKeyExchange, Outcome: store.OutcomeOK, Detail: fmt.Sprintf("RSA, %d bits", pub.N.BitLen())})
	return sess, nil
}

// newSession gives an owner a new session key of the client.
func (k *keys) newSession(ctx context.Context, id store.ClientID, o owner) (sess session, err error) {
	k.accounts.mu.RLock()
	defer k.accounts.mu.RUnlock()
	if o == upload.Gateway {
		_, err = k.catalog.UpdateClient(ctx, id, func(client *store.Client) error { return k.begin(client, o, &sess) })
	} else {
		var client store.Client
		if client, err = k.catalog.Client(ctx, id); err == nil {
			err = k.begin(&client, o, &sess)
		}
	}
	if errors.Is(err, store.ErrNoClient) {
		return sess, refuse(protocol.StatusUnauthenticated, "no such client")
	}
	if err != nil {
		return sess, err
	}
	k.sessions.put(id, o, sess)
	return sess, nil
}

// begin makes a session key for a client with a public key, and sets both
// sess and the client's record, which keeps the gateway's key alone.
func (k *keys) begin(client *store.Client, o owner, sess *session) error {
	if client.PublicKey == nil {
		return errNoKey
	}
	made, err := newSessionFor(*client)
	if err != nil {
		return err
	}
	*sess = made
	if o == upload.Gateway {
		client.SessionKey = k.master.WrapKey(sess.Key, client.ID[:])
	}
	client.LastSeen = time.Now()
	return nil
}

// newSessionFor makes a session key and wraps it for the client.
func newSessionFor(client store.Client) (sess session, err error) {
	pub, _, err := crypt.ParsePublicKey(client.PublicKey)
	if err != nil { // for example, a key larger than the maximum of today
		return sess, broken(protocol.RulePublicKey, protocol.StatusInvalid, "public key on record: "+err.Error())
	}
	if sess.OAEPHash, err = crypt.ParseOAEPHash(client.OAEPHash); err != nil {
		return sess, err
	}
	if sess.Key, err = crypt.NewSessionKey(); err != nil {
		return sess, err
	}
	sess.ClientName, sess.began = client.Name, time.Now()
	sess.Fingerprint = crypt.Fingerprint(pub)
	sess.Wrapped, err = crypt.Wrap(pub, sess.OAEPHash, sess.Key)
	return sess, err
}

// oaepHash is the hash for a key: the setting's, or by the length of its DER.
func (k *keys) oaepHash(der []byte) crypt.OAEPHash {
	if h, err := crypt.ParseOAEPHash(k.hash); err == nil {
		return h
	}
	return crypt.AutoOAEPHash(der)
}

func wireHash(h crypt.OAEPHash) uint8 {
	if h == crypt.SHA1 {
		return protocol.OAEPSHA1
	}
	return protocol.OAEPSHA256
}

func (c *conn) issueChallenge(context.Context, *request, *protocol.Challenge) (protocol.Message, error) {
	m := new(protocol.ChallengeIssued)
	rand.Read(m.Challenge[:])
	c.challenge = m.Challenge[:]
	return m, nil
}

func (c *conn) prove(ctx context.Context, r *request, m *protocol.Prove) (protocol.Message, error) {
	challenge := c.challenge
	c.challenge = nil
	if challenge == nil {
		return nil, refuse(protocol.StatusConflict, "ask for a challenge first")
	}
	if c.machine != nil {
		return c.proveMachine(ctx, challenge, m)
	}
	sess, live := c.s.sessions.get(r.client, c.number)
	if !live || !sess.Key.VerifyProof(challenge, m.Proof[:]) {
		return nil, refuse(protocol.StatusUnauthenticated, "the proof is not of the session key that this connection took for this client")
	}
	if err := c.s.connections.prove(c, r.client); err != nil {
		return nil, err
	}
	id := r.client
	c.proven = &id
	return &protocol.Done{}, nil
}

// checkProof refuses an extension request without a proof: the public listener
// requires a connection that has proven the session key that was taken on it;
// on the internal one the gateway asks for any client.
func (c *conn) checkProof(ctx context.Context, id store.ClientID) error {
	if c.internal {
		if _, err := c.s.accounts.find(ctx, id); err != nil {
			return err
		}
		c.s.sessions.touch(id, upload.Gateway)
		return nil
	}
	if c.proven == nil || *c.proven != id {
		return refuse(protocol.StatusUnauthenticated, "the connection has not proven to hold a session key of this client")
	}
	if _, live := c.s.sessions.get(id, c.number); !live {
		c.proven = nil
		return refuse(protocol.StatusNoSession, "the session has ended; reconnect")
	}
	return nil
}

// putRecord writes the client's account record.
func (a *accounts) putRecord(ctx context.Context, client store.Client) error {
	return PutAccountRecord(ctx, a.catalog, a.records, client)
}
