package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coffer/server/admin"
	"coffer/server/metrics"
	"coffer/store"
)

// Admin is the operator's side of the server.
func (s *Server) Admin() *admin.Service { return s.admin }

// newAdmin gives the operator's side what it asks of the server.
func (s *Server) newAdmin(ctx context.Context) (*admin.Service, error) {
	return admin.New(ctx, admin.Deps{
		Catalog: s.cfg.Catalog, Blobs: s.cfg.Blobs, Core: operatedCore{s}, Sessions: operatedSessions{s.sessions},
		Uploads: newOperatedUploads(s), Accounts: operatedAccounts{s.accounts, s.suspended, s.removals}, Tokens: operatedTokens{s.revoked}, Space: s.cfg.Space,
		Settings: s.settings, Metrics: s.metrics, Feed: s.journal.feed, Log: s.log, Version: s.cfg.Version, BackupDir: s.cfg.BackupDir,
	})
}

// operatedCore is the server as the operator's side asks it.
type operatedCore struct{ s *Server }

func (o operatedCore) Present() admin.Presence {
	s := o.s
	p := admin.Presence{Closing: s.closing.Load(), Clients: s.connectedClients()}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Gateways = s.gatewaysLocked()
	p.Internal = max(0, len(s.conns)-int(s.metrics.Connections.Load()))
	return p
}

func (o operatedCore) Guesses() (list []metrics.Guesses, sessionsEnded uint64) {
	for kind := range guessKinds {
		list = append(list, metrics.Guesses{Kind: kind.String(), Count: o.s.guesses.seen[kind].Load()})
	}
	return list, o.s.guesses.ended.Load()
}

// connectedClients counts the active clients: by a proven connection, a
// session, an upload, or recent calls through a gateway.
func (s *Server) connectedClients() int {
	at := make(map[store.ClientID]struct{})
	s.connections.mu.Lock()
	for id := range s.connections.accounts {
		at[id] = struct{}{}
	}
	s.connections.mu.Unlock()
	s.sessions.mu.Lock()
	for id := range s.sessions.live {
		at[id] = struct{}{}
	}
	for id := range s.sessions.seen {
		at[id] = struct{}{}
	}
	s.sessions.mu.Unlock()
	for _, u := range s.uploads.All() {
		at[u.Client()] = struct{}{}
	}
	return len(at)
}

// operatedSessions are the sessions as the operator's side asks for them.
type operatedSessions struct{ sessions *sessions }

func (o operatedSessions) Count() int { return o.sessions.count() }

func (o operatedSessions) Used(id store.ClientID) (at time.Time, live bool) {
	return o.sessions.used(id)
}

func (o operatedSessions) End(id store.ClientID) { o.sessions.end(id) }

// operatedTokens are dead tokens as the operator's side asks for them.
type operatedTokens struct{ revoked *revokedTokens }

func (o operatedTokens) Revoke(ctx context.Context, id [16]byte, expires time.Time) error {
	return o.revoked.add(ctx, store.Revocation{Token: id, Expires: expires})
}

func (o operatedTokens) Revoked(id [16]byte) bool { return o.revoked.has(id, "", time.Time{}) }

// operatedAccounts are the accounts as the operator's side changes them.
type operatedAccounts struct {
	accounts  *accounts
	suspended *suspended
	removals  *removals
}

func (o operatedAccounts) Suspended() int { return o.suspended.len() }

func (o operatedAccounts) Remove(ctx context.Context, client store.Client) error {
	return o.removals.removeAndNote(ctx, &client, "by the operator")
}

func (o operatedAccounts) SetBaseAccess(ctx context.Context, client store.Client, open bool) error {
	return o.accounts.setBaseAccess(ctx, client.ID, open, "by the operator")
}

func (o operatedAccounts) Suspend(ctx context.Context, client store.Client, suspend bool) error {
	o.accounts.mu.RLock()
	defer o.accounts.mu.RUnlock()
	if suspend {
		o.suspended.set(client.ID, true)
	}
	id, was := client.ID, client.Suspended
	client, err := o.accounts.catalog.UpdateClient(ctx, id, func(c *store.Client) error {
		was, c.Suspended = c.Suspended, suspend
		return nil
	})
	if err != nil {
		o.suspended.set(id, was && !errors.Is(err, store.ErrNoClient))
		return err
	}
	o.suspended.set(client.ID, suspend)
	if was == suspend {
		return nil
	}
	kind, word := store.ActivityResumed, "resumed"
	if suspend {
		kind, word = store.ActivitySuspended, "suspended"
	}
	o.accounts.log.Info("client "+word+" by the operator", "client", client.ID)
	o.accounts.journal.noteOf(ctx, &client, store.Activity{Kind: kind, Outcome: store.OutcomeOK, Detail: "by the operator"})
	// So that it is the same after a lost catalog was made anew.
	if err := o.accounts.putRecord(ctx, client); err != nil {
		return fmt.Errorf("keeping that the client is %s: %w", word, err)
	}
	return nil
}
