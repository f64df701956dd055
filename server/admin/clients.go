package admin

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"time"

	"coffer/store"
)

// ClientInfo is what an operator sees of a client.
type ClientInfo struct {
	Name        string
	LooksLike   string // another client's name that looks like it; may be empty
	Fingerprint string // of the id
	Kind        string // how it registered; may be empty
	Created     time.Time
	LastSeen    time.Time
	KeyBits     int    // of its RSA key, 0 while it has none
	OAEPHash    string // with which session keys are wrapped for it
	Suspended   bool
	BaseOpen    bool      // base requests are taken
	InSession   bool      // holds a live session key
	SessionEnds time.Time // unless it makes another request; zero without a session
	Uploads     int       // unfinished ones
	store.Usage
}

// Clients are a page of the clients that a query finds, and how many there are
// in all.
func (s *Service) Clients(ctx context.Context, q store.ClientQuery) ([]ClientInfo, int64, error) {
	page, total, err := s.deps.Catalog.ListClients(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	list := make([]ClientInfo, len(page))
	for i := range page {
		if list[i], err = s.clientInfo(ctx, &page[i].Client, page[i].Usage); err != nil {
			return nil, 0, err
		}
	}
	return list, total, nil
}

// Client is a client by its name, or store.ErrNoClient.
func (s *Service) Client(ctx context.Context, name string) (ClientInfo, error) {
	client, err := s.deps.Catalog.ClientByName(ctx, name)
	if err != nil {
		return ClientInfo{}, err
	}
	usage, err := s.deps.Catalog.Usage(ctx, client.ID)
	if err != nil {
		return ClientInfo{}, err
	}
	return s.clientInfo(ctx, &client, usage)
}

// Lookalike is another client's name that an operator could take for the given
// one, "" if there is none.
func (s *Service) Lookalike(ctx context.Context, name string) (string, error) {
	return s.deps.Catalog.Lookalike(ctx, name)
}

func (s *Service) clientInfo(ctx context.Context, c *store.Client, usage store.Usage) (ClientInfo, error) {
	like, err := s.Lookalike(ctx, c.Name)
	if err != nil {
		return ClientInfo{}, err
	}
	info := ClientInfo{Name: c.Name, LooksLike: like, Fingerprint: c.ID.Fingerprint(), Kind: c.Kind, Created: c.Created, LastSeen: c.LastSeen,
		OAEPHash: c.OAEPHash, Suspended: c.Suspended, BaseOpen: !c.BaseClosed, Uploads: s.deps.Uploads.CountOf(c.ID), Usage: usage}
	if c.PublicKey != nil {
		// What is on record was checked before.
		if key, err := x509.ParsePKIXPublicKey(c.PublicKey); err == nil {
			if pub, ok := key.(*rsa.PublicKey); ok {
				info.KeyBits = pub.N.BitLen()
			}
		}
	}
	used, seen := s.deps.Sessions.Used(c.ID)
	if used.After(info.LastSeen) {
		info.LastSeen = used
	}
	if seen {
		info.InSession, info.SessionEnds = true, used.Add(s.deps.Settings.Values().SessionTTL)
	}
	return info, nil
}

// Versions lists a client's file versions that follow after, by name, then the
// newest first.
func (s *Service) Versions(ctx context.Context, name string, after store.Cursor, limit int) ([]store.Version, error) {
	client, err := s.deps.Catalog.ClientByName(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.deps.Catalog.List(ctx, client.ID, after, limit, true)
}

// EndSession ends a client's session: it has to reconnect. Afterwards it can
// continue uploads that have their own keys.
func (s *Service) EndSession(ctx context.Context, name string) error {
	client, err := s.deps.Catalog.ClientByName(ctx, name)
	if err != nil {
		return err
	}
	seen := client.LastSeen
	if used, _ := s.deps.Sessions.Used(client.ID); used.After(seen) {
		seen = used
	}
	s.deps.Sessions.End(client.ID)
	if err := s.deps.Catalog.TouchClients(ctx, []store.LastRequest{{ID: client.ID, At: seen, Ended: true}}); err != nil {
		return err
	}
	s.deps.Log.Info("session ended by the operator", "client", client.ID)
	s.deps.Feed.Note(store.Activity{Kind: store.ActivitySessionEnded, Outcome: store.OutcomeOK, Client: client.ID, Name: client.Name, Detail: "by the operator"})
	return nil
}

// SuspendClient has every request of a client refused from now on, whatever
// connection or gateway it comes by. What the client has stays.
func (s *Service) SuspendClient(ctx context.Context, name string) error {
	return s.withClient(ctx, name, func(c store.Client) error { return s.deps.Accounts.Suspend(ctx, c, true) })
}

// ResumeClient has a client's requests served again.
func (s *Service) ResumeClient(ctx context.Context, name string) error {
	return s.withClient(ctx, name, func(c store.Client) error { return s.deps.Accounts.Suspend(ctx, c, false) })
}

// SetBaseAccess opens or closes a client's account to base requests.
func (s *Service) SetBaseAccess(ctx context.Context, name string, open bool) error {
	return s.withClient(ctx, name, func(c store.Client) error { return s.deps.Accounts.SetBaseAccess(ctx, c, open) })
}

// RemoveClient removes a client with all that the core has of it.
func (s *Service) RemoveClient(ctx context.Context, name string) error {
	return s.withClient(ctx, name, func(c store.Client) error { return s.deps.Accounts.Remove(ctx, c) })
}

func (s *Service) withClient(ctx context.Context, name string, do func(store.Client) error) error {
	client, err := s.deps.Catalog.ClientByName(ctx, name)
	if err != nil {
		return err
	}
	return do(client)
}
