package server

import (
	"context"
	"encoding/json"
	"maps"
	"sync"
	"time"

	"coffer/protocol"
	"coffer/store"
)

const revokedTokensSetting = "revoked_tokens"

// revokedTokens knows the gateway's tokens that were logged out before they
// expired. Gateways keep nothing themselves and may be several.
type revokedTokens struct {
	catalog store.Catalog

	mu      sync.Mutex
	expires map[protocol.TokenID]time.Time
}

// revokedToken is how one is stored.
type revokedToken struct {
	ID      protocol.TokenID `json:"id"`
	Expires time.Time        `json:"expires"`
}

func loadRevokedTokens(ctx context.Context, catalog store.Catalog) (*revokedTokens, error) {
	r := &revokedTokens{catalog: catalog, expires: make(map[protocol.TokenID]time.Time)}
	text, err := catalog.Setting(ctx, revokedTokensSetting)
	if err != nil || text == nil {
		return r, err
	}
	var list []revokedToken
	if err := json.Unmarshal(text, &list); err != nil {
		return r, err
	}
	for _, t := range list {
		r.expires[t.ID] = t.Expires
	}
	return r, nil
}

// add revokes a token, durably, and forgets those that have expired.
func (r *revokedTokens) add(ctx context.Context, t revokedToken, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.expires, func(_ protocol.TokenID, expires time.Time) bool { return expires.Before(now) })
	list := []revokedToken{t}
	for id, expires := range r.expires {
		list = append(list, revokedToken{id, expires})
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if err := r.catalog.SetSetting(ctx, revokedTokensSetting, text); err != nil {
		return err
	}
	r.expires[t.ID] = t.Expires
	return nil
}

func (r *revokedTokens) has(id protocol.TokenID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.expires[id]
	return ok
}

func (c *conn) revokeToken(ctx context.Context, _ store.ClientID, m *protocol.RevokeToken) (protocol.Message, error) {
	return &protocol.Done{}, c.s.revoked.add(ctx, revokedToken{m.Token, m.Expires}, time.Now())
}

func (c *conn) checkToken(_ context.Context, _ store.ClientID, m *protocol.CheckToken) (protocol.Message, error) {
	if c.s.revoked.has(m.Token) {
		return nil, failure(protocol.StatusUnauthenticated, "the token was revoked")
	}
	return &protocol.Done{}, nil
}
