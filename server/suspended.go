package server

import (
	"sync"

	"coffer/protocol"
	"coffer/store"
)

// errSuspended answers every request of a client that the operator suspended.
var errSuspended = failure(protocol.StatusForbidden, "the account is suspended")

// suspended knows the clients whose requests are refused, so that each request
// can be looked at without asking the catalog.
type suspended struct {
	mu  sync.RWMutex
	ids map[store.ClientID]struct{}
}

func newSuspended() *suspended { return &suspended{ids: make(map[store.ClientID]struct{})} }

func (l *suspended) has(id store.ClientID) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	_, there := l.ids[id]
	return there
}

func (l *suspended) set(id store.ClientID, there bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if there {
		l.ids[id] = struct{}{}
	} else {
		delete(l.ids, id)
	}
}

func (l *suspended) len() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.ids)
}
