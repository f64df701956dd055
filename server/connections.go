package server

import (
	"slices"
	"sync"
	"time"

	"coffer/protocol"
	"coffer/store"
)

// A standing is what a connection of the public listener has shown, and so how
// soon it has to go when there are too many.
type standing int

const (
	stranger standing = iota // nothing
	keyed                    // it took a session key, which an id and a name are enough for
	proven                   // it holds one
)

// connections are the connections of the public listener. They are limited in
// total, by address and by account. When there is no more room, a new
// connection replaces the oldest unproven one of the address with the most
// connections.
type connections struct {
	s *Server

	mu       sync.Mutex
	open     map[network]*group
	total    int
	unproven int
	accounts map[store.ClientID]int // proven ones
}

// A group is the connections of one network.
type group struct {
	conns    []*conn // the oldest first
	unproven int
}

func newConnections(s *Server) *connections {
	return &connections{s: s, open: make(map[network]*group), accounts: make(map[store.ClientID]int)}
}

// admit lets a connection in, and reports whether it could. Those that had to
// go for it are closed.
func (cs *connections) admit(c *conn) bool {
	evicted, ok := cs.make(c)
	for _, old := range evicted {
		old.nc.Close()
	}
	cs.s.metrics.ConnectionsEvicted.Add(uint64(len(evicted)))
	if !ok {
		cs.s.metrics.ConnectionsRefused.Add(1)
		cs.s.journal.connections.Do(func() {
			cs.s.log.Warn("connection refused: too many", "limit", cs.s.Settings().MaxConnections, "per_address", cs.s.cfg.MaxPerAddress, "peer", c.peer.address)
		})
	} else if len(evicted) > 0 {
		cs.s.journal.connections.Do(func() {
			cs.s.log.Warn("connections that proved nothing were closed to make room", "limit", cs.s.Settings().MaxConnections, "per_address", cs.s.cfg.MaxPerAddress, "peer", c.peer.address)
		})
	}
	return ok
}

// make makes room for a connection and puts it there.
func (cs *connections) make(c *conn) (evicted []*conn, ok bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	g := cs.open[c.peer.network]
	if g == nil {
		g = new(group)
		cs.open[c.peer.network] = g
	}
	defer func() {
		cs.tidyLocked(c.peer.network)
		cs.s.metrics.Connections.Store(int64(cs.total))
	}()
	known := c.peer.network != network{}
	if most := cs.s.cfg.MaxPerAddress; known && most > 0 && len(g.conns) >= most {
		old := g.dispensable()
		if old == nil {
			return evicted, false
		}
		cs.removeLocked(old)
		evicted = append(evicted, old)
	}
	all := cs.s.Settings().MaxConnections
	for cs.total >= all || cs.unproven >= all-all/4 { // a quarter is for proven connections
		old := cs.heaviestLocked(g).dispensable()
		if old == nil {
			return evicted, false
		}
		cs.removeLocked(old)
		evicted = append(evicted, old)
	}
	g.conns = append(g.conns, c)
	g.unproven++
	cs.open[c.peer.network] = g
	cs.unproven++
	cs.total++
	return evicted, true
}

// heaviestLocked is the group with the most unproven connections; one that is
// about to get another counts with it.
func (cs *connections) heaviestLocked(growing *group) *group {
	heaviest := growing
	for _, g := range cs.open {
		if g.unproven > heaviest.unproven {
			heaviest = g
		}
	}
	if growing.unproven > 0 && growing.unproven+1 >= heaviest.unproven {
		return growing
	}
	return heaviest
}

// dispensable is the oldest of the connections with the lowest standing, nil
// if all have proven something.
func (g *group) dispensable() *conn {
	for _, rank := range []standing{stranger, keyed} {
		for _, c := range g.conns {
			if c.standing == rank {
				return c
			}
		}
	}
	return nil
}

// remove forgets a connection that has ended.
func (cs *connections) remove(c *conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.removeLocked(c)
	cs.s.metrics.Connections.Store(int64(cs.total))
}

func (cs *connections) removeLocked(c *conn) {
	g := cs.open[c.peer.network]
	if g == nil {
		return
	}
	i := slices.Index(g.conns, c)
	if i < 0 {
		return // it was closed to make room
	}
	g.conns = slices.Delete(g.conns, i, i+1)
	cs.total--
	if c.standing == proven {
		cs.lessLocked(c.account)
	} else {
		g.unproven--
		cs.unproven--
	}
	cs.tidyLocked(c.peer.network)
}

func (cs *connections) tidyLocked(n network) {
	if g := cs.open[n]; g != nil && len(g.conns) == 0 {
		delete(cs.open, n)
	}
}

func (cs *connections) lessLocked(id store.ClientID) {
	if cs.accounts[id]--; cs.accounts[id] <= 0 {
		delete(cs.accounts, id)
	}
}

// keyed notes that a connection took a session key.
func (cs *connections) keyed(c *conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c.standing = max(c.standing, keyed)
}

// prove notes that a connection has proven to be a client's, and fails if the
// client has too many.
func (cs *connections) prove(c *conn, id store.ClientID) error {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	g := cs.open[c.peer.network]
	switch {
	case g == nil || !slices.Contains(g.conns, c):
		return nil // the gateway's, or closed by now
	case c.standing == proven && c.account == id:
		return nil
	case cs.s.cfg.MaxPerAccount > 0 && cs.accounts[id] >= cs.s.cfg.MaxPerAccount:
		return refuse(protocol.StatusTooMany, "too many connections of this account: close one first")
	}
	if c.standing == proven {
		cs.lessLocked(c.account)
	} else {
		g.unproven--
		cs.unproven--
	}
	c.standing, c.account = proven, id
	cs.accounts[id]++
	return nil
}

// patience is how long a connection that has proven nothing may still wait for
// its next request: a while from its beginning, and as long again as what it
// had stored took at the least rate. A file that its client confirmed counts
// as a new beginning.
func (c *conn) patience(now time.Time) time.Duration {
	if c.unproven() {
		return min(c.s.cfg.IdleTimeout, c.began.Add(proofTime).Sub(now))
	}
	if c.internal || c.proven != nil || c.machine != nil && c.machine.proven || c.s.cfg.UnprovenTimeout <= 0 {
		return c.s.cfg.IdleTimeout
	}
	earned := time.Duration(c.stored) * time.Second / time.Duration(c.s.cfg.MinRate)
	return min(c.s.cfg.IdleTimeout, c.began.Add(c.s.cfg.UnprovenTimeout+earned).Sub(now))
}

// worked counts what a request that was served had stored.
func (c *conn) worked(r *request) {
	switch r.code {
	case protocol.CodeSendFile:
		c.stored += r.payload.received
	case protocol.CodeChecksumOK:
		c.began, c.stored = time.Now(), 0
	}
}
