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

// earlierTokensSetting is where an earlier version kept all revocations.
const earlierTokensSetting = "revoked_tokens"

// maxUnproven is how many tokens that prove nothing are remembered as dead.
// Anybody can make and revoke such tokens, and as many others: one that lives
// on is of no use.
const maxUnproven = 1 << 16

// A tokenCatalog is what revoked tokens ask of the catalog.
type tokenCatalog interface {
	store.Tokens
	store.Settings
}

// revokedTokens knows the gateway's tokens that died before they expired: one
// by one, or all of an account's that were issued until a moment. Gateways keep
// nothing themselves and may be several. The catalog has a copy of what proves
// something; checks are answered from memory.
type revokedTokens struct {
	catalog tokenCatalog

	mu       sync.RWMutex
	tokens   map[protocol.TokenID]time.Time // when they expire
	accounts map[string]store.Revocation    // by name

	unproven, unprovenOld map[protocol.TokenID]time.Time // old is forgotten when the other is full
}

func loadRevokedTokens(ctx context.Context, catalog tokenCatalog) (*revokedTokens, error) {
	r := &revokedTokens{catalog: catalog, tokens: make(map[protocol.TokenID]time.Time), accounts: make(map[string]store.Revocation),
		unproven: make(map[protocol.TokenID]time.Time)}
	if err := r.takeEarlier(ctx); err != nil {
		return nil, err
	}
	return r, catalog.Revocations(ctx, func(one store.Revocation) error { r.noteLocked(one); return nil })
}

// takeEarlier moves into the table what an earlier version kept as a setting.
func (r *revokedTokens) takeEarlier(ctx context.Context) error {
	text, err := r.catalog.Setting(ctx, earlierTokensSetting)
	if err != nil || len(text) == 0 {
		return err
	}
	var list []struct {
		ID      protocol.TokenID `json:"id"`
		Account string           `json:"account"`
		Until   time.Time        `json:"until"`
		Expires time.Time        `json:"expires"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	all := make([]store.Revocation, 0, len(list))
	for _, one := range list {
		all = append(all, store.Revocation{Token: one.ID, Account: one.Account, Until: one.Until, Expires: one.Expires})
	}
	if err := r.catalog.Revoke(ctx, all...); err != nil {
		return err
	}
	return r.catalog.SetSetting(ctx, earlierTokensSetting, nil)
}

func (r *revokedTokens) noteLocked(one store.Revocation) {
	if one.Account == "" {
		r.tokens[one.Token] = one.Expires
		return
	}
	if before, ok := r.accounts[one.Account]; ok && before.Until.After(one.Until) {
		one.Until = before.Until
	}
	r.accounts[one.Account] = one
}

// add revokes, durably, at a cost that does not depend on how many there are.
func (r *revokedTokens) add(ctx context.Context, one store.Revocation) error {
	if err := r.catalog.Revoke(ctx, one); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noteLocked(one)
	return nil
}

// addUnproven revokes a token that proves nothing, in memory alone.
func (r *revokedTokens) addUnproven(id protocol.TokenID, expires time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.unproven) >= maxUnproven/2 {
		r.unproven, r.unprovenOld = make(map[protocol.TokenID]time.Time), r.unproven
	}
	r.unproven[id] = expires
}

// forget forgets what has expired.
func (r *revokedTokens) forget(ctx context.Context, now time.Time) error {
	if err := r.catalog.ForgetRevocations(ctx, now); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, tokens := range []map[protocol.TokenID]time.Time{r.tokens, r.unproven, r.unprovenOld} {
		maps.DeleteFunc(tokens, func(_ protocol.TokenID, expires time.Time) bool { return expires.Before(now) })
	}
	maps.DeleteFunc(r.accounts, func(_ string, old store.Revocation) bool { return old.Expires.Before(now) })
	return nil
}

// addAll revokes all tokens of an account issued until now, and returns that
// time in the protocol's precision.
func (r *revokedTokens) addAll(ctx context.Context, account string) (until time.Time, err error) {
	now := time.Now()
	until = r.moment(account, now)
	return until, r.add(ctx, store.Revocation{Account: account, Until: until, Expires: now.Add(protocol.MaxTokenTTL)})
}

// moment returns the current time in the protocol's precision, for a token of
// the account: after its last revocation, even if the clock was set back since.
func (r *revokedTokens) moment(account string, now time.Time) time.Time {
	r.mu.RLock()
	defer r.mu.RUnlock()
	now = now.Truncate(time.Microsecond)
	if all, ok := r.accounts[account]; ok && !now.After(all.Until) {
		return all.Until.Add(time.Microsecond)
	}
	return now
}

func (r *revokedTokens) has(id protocol.TokenID, account string, issued time.Time) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, tokens := range []map[protocol.TokenID]time.Time{r.tokens, r.unproven, r.unprovenOld} {
		if _, dead := tokens[id]; dead {
			return true
		}
	}
	all, ok := r.accounts[account]
	return ok && !issued.After(all.Until)
}

func (c *conn) revokeToken(ctx context.Context, _ *request, m *protocol.RevokeToken) (protocol.Message, error) {
	// No token is good for longer, whatever is said: it is not to be kept for ever.
	expires := m.Expires
	if last := time.Now().Add(protocol.MaxTokenTTL); expires.After(last) {
		expires = last
	}
	if !m.Proven {
		c.s.revoked.addUnproven(m.Token, expires)
		return &protocol.Done{}, nil
	}
	return &protocol.Done{}, c.s.revoked.add(ctx, store.Revocation{Token: m.Token, Expires: expires})
}

func (c *conn) revokeTokens(ctx context.Context, r *request, _ *protocol.RevokeTokens) (protocol.Message, error) {
	client, err := c.s.accounts.find(ctx, r.client)
	if err != nil {
		return nil, err
	}
	until, err := c.s.revoked.addAll(ctx, client.Name)
	return &protocol.TokensRevoked{Until: until}, err
}

func (c *conn) checkToken(_ context.Context, _ *request, m *protocol.CheckToken) (protocol.Message, error) {
	if c.s.revoked.has(m.Token, m.Name, m.Issued) {
		return nil, refuse(protocol.StatusUnauthenticated, "the token was revoked")
	}
	return &protocol.Done{}, nil
}
