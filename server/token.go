package server

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"coffer/protocol"
	"coffer/store"
)

const revokedTokensSetting = "revoked_tokens"

// revokedTokens knows the gateway's tokens that died before they expired: one
// by one, or all of an account's that were issued until a moment. Gateways keep
// nothing themselves and may be several.
type revokedTokens struct {
	catalog store.Catalog

	mu       sync.Mutex
	tokens   map[protocol.TokenID]revocation
	accounts map[string]revocation // by name
}

// A revocation is how one is stored.
type revocation struct {
	ID      protocol.TokenID `json:"id"`
	Account string           `json:"account,omitempty"` // in place of the id
	Until   time.Time        `json:"until,omitzero"`    // of an account: tokens issued later are good
	Expires time.Time        `json:"expires"`
}

func loadRevokedTokens(ctx context.Context, catalog store.Catalog) (*revokedTokens, error) {
	r := &revokedTokens{catalog: catalog, tokens: make(map[protocol.TokenID]revocation), accounts: make(map[string]revocation)}
	text, err := catalog.Setting(ctx, revokedTokensSetting)
	if err != nil || text == nil {
		return r, err
	}
	var list []revocation
	if err := json.Unmarshal(text, &list); err != nil {
		return r, err
	}
	for _, one := range list {
		r.noteLocked(one)
	}
	return r, nil
}

func (r *revokedTokens) noteLocked(one revocation) {
	if one.Account == "" {
		r.tokens[one.ID] = one
		return
	}
	if before, ok := r.accounts[one.Account]; ok && before.Until.After(one.Until) {
		one.Until = before.Until
	}
	r.accounts[one.Account] = one
}

// add revokes, durably, and forgets what has expired.
func (r *revokedTokens) add(ctx context.Context, one revocation, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.tokens, func(_ protocol.TokenID, old revocation) bool { return old.Expires.Before(now) })
	maps.DeleteFunc(r.accounts, func(_ string, old revocation) bool { return old.Expires.Before(now) })
	list := append(slices.Collect(maps.Values(r.tokens)), slices.Collect(maps.Values(r.accounts))...)
	text, err := json.Marshal(append(list, one))
	if err != nil {
		return err
	}
	if err := r.catalog.SetSetting(ctx, revokedTokensSetting, text); err != nil {
		return err
	}
	r.noteLocked(one)
	return nil
}

// addAll revokes all of an account's tokens that were issued until now, and
// returns when that is, as exactly as the protocol tells it.
func (r *revokedTokens) addAll(ctx context.Context, account string) (until time.Time, err error) {
	now := time.Now()
	until = r.moment(account, now)
	return until, r.add(ctx, revocation{Account: account, Until: until, Expires: now.Add(protocol.MaxTokenTTL)}, now)
}

// moment is now, as exactly as the protocol tells it, for a token of the
// account: after its last revocation, even if the clock was set back since.
func (r *revokedTokens) moment(account string, now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	now = now.Truncate(time.Microsecond)
	if all, ok := r.accounts[account]; ok && !now.After(all.Until) {
		return all.Until.Add(time.Microsecond)
	}
	return now
}

func (r *revokedTokens) has(id protocol.TokenID, account string, issued time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, one := r.tokens[id]
	all, ok := r.accounts[account]
	return one || ok && !issued.After(all.Until)
}

func (c *conn) revokeToken(ctx context.Context, _ store.ClientID, m *protocol.RevokeToken) (protocol.Message, error) {
	return &protocol.Done{}, c.s.revoked.add(ctx, revocation{ID: m.Token, Expires: m.Expires}, time.Now())
}

func (c *conn) revokeTokens(ctx context.Context, id store.ClientID, _ *protocol.RevokeTokens) (protocol.Message, error) {
	client, err := c.s.client(ctx, id)
	if err != nil {
		return nil, err
	}
	until, err := c.s.revoked.addAll(ctx, client.Name)
	return &protocol.TokensRevoked{Until: until}, err
}

func (c *conn) checkToken(_ context.Context, _ store.ClientID, m *protocol.CheckToken) (protocol.Message, error) {
	if c.s.revoked.has(m.Token, m.Name, m.Issued) {
		return nil, failure(protocol.StatusUnauthenticated, "the token was revoked")
	}
	return &protocol.Done{}, nil
}
