package server

import (
	"context"
	"sync"

	"coffer/internal/alike"
	"coffer/protocol"
)

// A likeGuard keeps two names that people take for the same (alike.Like) from
// being registered at once. Its zero value is ready.
type likeGuard struct {
	mu       sync.Mutex
	underway map[string]*likeName // guarded by mu
}

// A likeName is a name that is being registered, by so many at once.
type likeName struct {
	alike.Name
	by int
}

// take reserves a name until release is called; ok is false if one like it is
// being registered. Of the same name the catalog takes one.
func (g *likeGuard) take(name string) (release func(), ok bool) {
	form := alike.NameOf(name)
	g.mu.Lock()
	defer g.mu.Unlock()
	for other, one := range g.underway {
		if other != name && form.Like(one.Name) {
			return nil, false
		}
	}
	if g.underway == nil {
		g.underway = make(map[string]*likeName)
	}
	one := g.underway[name]
	if one == nil {
		one = &likeName{Name: form}
		g.underway[name] = one
	}
	one.by++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if one.by--; one.by == 0 {
			delete(g.underway, name)
		}
	}, true
}

// refuseLike fails for a name that looks like the name of another client.
// Existing pairs keep working. It returns what ends the name's reservation.
func (a *accounts) refuseLike(ctx context.Context, name string) (release func(), err error) {
	release, ok := a.alike.take(name)
	if ok {
		other, err := a.catalog.NameLike(ctx, name)
		if err != nil {
			release()
			return nil, err
		}
		if other == "" {
			return release, nil
		}
		release()
	}
	return nil, broken(protocol.RuleNameTaken, protocol.StatusConflict, "the name is taken by one that looks like it: in other capitals, with its accents written otherwise, or with letters of another script")
}
