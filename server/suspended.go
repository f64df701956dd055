package server

import (
	"maps"
	"sync"
	"sync/atomic"

	"coffer/protocol"
	"coffer/store"
)

// errSuspended answers every request of a client that the operator suspended.
var errSuspended = refuse(protocol.StatusForbidden, "the account is suspended")

// suspended knows the clients whose requests are refused, so that each request
// can be looked at without asking the catalog. Looking takes no lock.
type suspended struct {
	mu  sync.Mutex // held to change ids
	ids atomic.Pointer[map[store.ClientID]bool]
}

func newSuspended() *suspended {
	l := new(suspended)
	l.ids.Store(&map[store.ClientID]bool{})
	return l
}

func (l *suspended) has(id store.ClientID) bool { return (*l.ids.Load())[id] }

func (l *suspended) len() int { return len(*l.ids.Load()) }

// load takes clients that are suspended as the server starts.
func (l *suspended) load(ids []store.ClientID) {
	all := make(map[store.ClientID]bool, len(ids))
	for _, id := range ids {
		all[id] = true
	}
	l.ids.Store(&all)
}

func (l *suspended) set(id store.ClientID, is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.has(id) == is {
		return
	}
	changed := maps.Clone(*l.ids.Load())
	if is {
		changed[id] = true
	} else {
		delete(changed, id)
	}
	l.ids.Store(&changed)
}
