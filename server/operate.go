package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"coffer/protocol/crypt"
	"coffer/store"
)

// What an operator sees of clients and does to them. Ids are secrets of the
// clients', so clients are named by their names here.

// ClientInfo is what an operator sees of a client.
type ClientInfo struct {
	Name        string
	LooksLike   string // another client's name that is hard to tell from it; may be empty
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
func (s *Server) Clients(ctx context.Context, q store.ClientQuery) ([]ClientInfo, int64, error) {
	page, total, err := s.cfg.Catalog.ListClients(ctx, q)
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
func (s *Server) Client(ctx context.Context, name string) (ClientInfo, error) {
	client, err := s.cfg.Catalog.ClientByName(ctx, name)
	if err != nil {
		return ClientInfo{}, err
	}
	usage, err := s.cfg.Catalog.Usage(ctx, client.ID)
	if err != nil {
		return ClientInfo{}, err
	}
	return s.clientInfo(ctx, &client, usage)
}

// Lookalike is another client's name that an operator could take for the given
// one, "" if there is none.
func (s *Server) Lookalike(ctx context.Context, name string) (string, error) {
	return s.cfg.Catalog.Lookalike(ctx, name)
}

func (s *Server) clientInfo(ctx context.Context, c *store.Client, usage store.Usage) (ClientInfo, error) {
	like, err := s.Lookalike(ctx, c.Name)
	if err != nil {
		return ClientInfo{}, err
	}
	info := ClientInfo{Name: c.Name, LooksLike: like, Fingerprint: c.ID.Fingerprint(), Kind: c.Kind, Created: c.Created, LastSeen: c.LastSeen,
		OAEPHash: c.OAEPHash, Suspended: c.Suspended, BaseOpen: !c.BaseClosed, Uploads: s.uploads.countOf(c.ID), Usage: usage}
	if c.PublicKey != nil {
		// What is on record was parsed before.
		if pub, _, err := crypt.ParsePublicKey(c.PublicKey); err == nil {
			info.KeyBits = pub.N.BitLen()
		}
	}
	used, seen := s.sessions.used(c.ID)
	if used.After(info.LastSeen) {
		info.LastSeen = used
	}
	if seen {
		info.InSession, info.SessionEnds = true, used.Add(s.Settings().SessionTTL)
	}
	return info, nil
}

// Versions lists a client's file versions that follow after, by name, then the
// newest first.
func (s *Server) Versions(ctx context.Context, name string, after store.Cursor, limit int) ([]store.Version, error) {
	client, err := s.cfg.Catalog.ClientByName(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.cfg.Catalog.List(ctx, client.ID, after, limit, true)
}

// ActivitiesOf are what happened to a client, the newest first.
func (s *Server) ActivitiesOf(ctx context.Context, name string, f store.ActivityFilter) ([]store.Activity, error) {
	client, err := s.cfg.Catalog.ClientByName(ctx, name)
	if err != nil {
		return nil, err
	}
	f.Client = client.ID
	return s.cfg.Catalog.Activities(ctx, f)
}

// EndSession ends a client's session: it has to reconnect. What it was sending
// under an upload's own key goes on after that.
func (s *Server) EndSession(ctx context.Context, name string) error {
	client, err := s.cfg.Catalog.ClientByName(ctx, name)
	if err != nil {
		return err
	}
	seen := client.LastSeen
	if used, _ := s.sessions.used(client.ID); used.After(seen) {
		seen = used
	}
	s.sessions.end(client.ID)
	if err := s.cfg.Catalog.SawClients(ctx, []store.Seen{{ID: client.ID, At: seen, Ended: true}}); err != nil {
		return err
	}
	s.log.Info("session ended by the operator", "client", client.ID)
	s.noteOf(ctx, &client, store.Activity{Kind: store.ActivitySessionEnded, Outcome: store.OutcomeOK, Detail: "by the operator"})
	return nil
}

// SuspendClient has every request of a client refused from now on, whatever
// connection or gateway it comes by. What the client has stays.
func (s *Server) SuspendClient(ctx context.Context, name string) error {
	return s.suspendClient(ctx, name, true)
}

// ResumeClient has a client's requests served again.
func (s *Server) ResumeClient(ctx context.Context, name string) error {
	return s.suspendClient(ctx, name, false)
}

func (s *Server) suspendClient(ctx context.Context, name string, suspend bool) error {
	client, err := s.cfg.Catalog.ClientByName(ctx, name)
	if err != nil {
		return err
	}
	s.accounts.RLock()
	defer s.accounts.RUnlock()
	if suspend {
		s.suspended.set(client.ID, true)
	}
	was := client.Suspended
	client, err = s.cfg.Catalog.UpdateClient(ctx, client.ID, func(c *store.Client) error {
		was, c.Suspended = c.Suspended, suspend
		return nil
	})
	if err != nil {
		s.suspended.set(client.ID, was && !errors.Is(err, store.ErrNoClient))
		return err
	}
	s.suspended.set(client.ID, suspend)
	if was == suspend {
		return nil
	}
	kind, word := store.ActivityResumed, "resumed"
	if suspend {
		kind, word = store.ActivitySuspended, "suspended"
	}
	s.log.Info("client "+word+" by the operator", "client", client.ID)
	s.noteOf(ctx, &client, store.Activity{Kind: kind, Outcome: store.OutcomeOK, Detail: "by the operator"})
	// So that it is the same after a lost catalog was made anew.
	if err := s.putCard(ctx, client); err != nil {
		return fmt.Errorf("keeping that the client is %s: %w", word, err)
	}
	return nil
}

// RemoveClient removes a client with all that the server has of it.
func (s *Server) RemoveClient(ctx context.Context, name string) error {
	client, err := s.cfg.Catalog.ClientByName(ctx, name)
	if err != nil {
		return err
	}
	return s.removeAndTell(ctx, &client, "by the operator")
}

// removeAndTell removes a client, its tokens first.
func (s *Server) removeAndTell(ctx context.Context, client *store.Client, by string) error {
	usage, err := s.cfg.Catalog.Usage(ctx, client.ID)
	if err != nil {
		return err
	}
	if _, err := s.revoked.addAll(ctx, client.Name); err != nil {
		return err
	}
	if err := s.removeClient(ctx, client.ID); err != nil {
		return err
	}
	s.log.Info("account removed", "client", client.ID, "by", by)
	s.noteOf(ctx, client, store.Activity{Kind: store.ActivityRemoval, Outcome: store.OutcomeOK, Bytes: usage.Bytes,
		Detail: fmt.Sprintf("the client with %s of %s, %s", plural(int(usage.Versions), "version", "versions"),
			plural(int(usage.Files), "file", "files"), by)})
	return nil
}

// noteOf notes an activity of a client.
func (s *Server) noteOf(ctx context.Context, client *store.Client, a store.Activity) {
	a.Address = peerIn(ctx).address
	a.Client, a.Name = client.ID, client.Name
	s.note(a)
}
