package server

import (
	"context"
	"sync"

	"coffer/internal/alike"
	"coffer/protocol"
)

// A likeGuard keeps two names that people take for the same (alike.Key) from
// being registered at once. Its zero value is ready.
type likeGuard struct {
	mu       sync.Mutex
	underway map[string]likeName // by what is alike; guarded by mu
}

// A likeName is a name that is being registered, by so many at once.
type likeName struct {
	name string
	by   int
}

// take reserves a name until release is called; ok is false if one like it is
// being registered.
func (g *likeGuard) take(name string) (release func(), ok bool) {
	key := alike.Key(name)
	g.mu.Lock()
	defer g.mu.Unlock()
	one := g.underway[key]
	if one.by > 0 && one.name != name {
		return nil, false
	}
	if g.underway == nil {
		g.underway = make(map[string]likeName)
	}
	g.underway[key] = likeName{name, one.by + 1} // of the same name the catalog takes one
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		one := g.underway[key]
		if one.by--; one.by > 0 {
			g.underway[key] = one
		} else {
			delete(g.underway, key)
		}
	}, true
}

// refuseLike fails for a name that looks like another's. Pairs that are
// there already go on. It returns what ends the name's reservation.
func (s *Server) refuseLike(ctx context.Context, name string) (release func(), err error) {
	release, ok := s.alike.take(name)
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
	return nil, broken(protocol.RuleNameTaken, protocol.StatusConflict, "the name is taken, in other capitals or with its accents written otherwise")
}
