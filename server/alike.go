package server

import (
	"context"
	"strings"
	"sync"

	"coffer/protocol"
)

// A caseGuard keeps two names that differ in upper and lower case alone, which
// people take for the same, from being registered at once. Its zero value is
// ready.
type caseGuard struct {
	mu       sync.Mutex
	underway map[string]string // caseless name to name
}

// take reserves a name until release is called; ok is false if one like it is
// being registered.
func (g *caseGuard) take(name string) (release func(), ok bool) {
	key := strings.ToLower(strings.ToUpper(name))
	g.mu.Lock()
	defer g.mu.Unlock()
	if other, taken := g.underway[key]; taken && other != name {
		return nil, false
	} else if taken {
		return func() {}, true // the same name: the catalog decides
	}
	if g.underway == nil {
		g.underway = make(map[string]string)
	}
	g.underway[key] = name
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.underway, key)
	}, true
}

// refuseLike fails for a name that is another's but for its case. Pairs that are
// there already go on. It returns what ends the name's reservation.
func (s *Server) refuseLike(ctx context.Context, name string) (release func(), err error) {
	release, ok := s.cases.take(name)
	if ok {
		other, err := s.cfg.Catalog.NameLike(ctx, name)
		if err != nil {
			release()
			return nil, err
		}
		if other == "" {
			return release, nil
		}
		release()
	}
	return nil, broken(protocol.RuleNameTaken, protocol.StatusConflict, "the name is taken, in other capitals")
}
