package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"coffer/protocol"
	"coffer/store"
)

// newcomerTime is how long a new client may come back from the address that it
// registered from, to send its first public key.
const newcomerTime = 10 * time.Minute

var errFirstKey = broken(protocol.RuleFirstKey, protocol.StatusForbidden, "the first public key comes from the connection that registered, or soon after from the same address")

// newcomers remembers who registered over the wire and has sent no public key
// yet. The id is sent unencrypted, so it alone must not be enough to set the
// key. It is only in memory: after a restart, clients without a key register
// again.
type newcomers struct {
	mu     sync.Mutex
	of     map[store.ClientID]*newcomer
	ofConn map[owner][]store.ClientID
}

// A newcomer is where and when a client registered.
type newcomer struct {
	conn owner
	gone bool // the connection is closed
	from network
	at   time.Time
}

func newNewcomers() *newcomers {
	return &newcomers{of: make(map[store.ClientID]*newcomer), ofConn: make(map[owner][]store.ClientID)}
}

func (n *newcomers) add(id store.ClientID, c *conn, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.of[id] = &newcomer{conn: c.number, from: c.peer.network, at: now}
	n.ofConn[c.number] = append(n.ofConn[c.number], id)
}

// forget forgets who has a key now, or is no more.
func (n *newcomers) forget(id store.ClientID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.forgetLocked(id)
}

func (n *newcomers) forgetLocked(id store.ClientID) {
	one := n.of[id]
	if one == nil {
		return
	}
	delete(n.of, id)
	left := slices.DeleteFunc(n.ofConn[one.conn], func(other store.ClientID) bool { return other == id })
	if n.ofConn[one.conn] = left; len(left) == 0 {
		delete(n.ofConn, one.conn)
	}
}

// left notes that a connection has closed.
func (n *newcomers) left(o owner) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range n.ofConn[o] {
		n.of[id].gone = true
	}
	delete(n.ofConn, o)
}

// expire forgets who did not come back in time.
func (n *newcomers) expire(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, one := range n.of {
		if one.gone && now.Sub(one.at) >= newcomerTime {
			delete(n.of, id)
		}
	}
}

// mayKey reports whether the first key of a client may come from a connection.
func (n *newcomers) mayKey(id store.ClientID, o owner, from network, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	one := n.of[id]
	return one != nil && (one.conn == o || one.from == from && now.Sub(one.at) < newcomerTime)
}

// free reports whether an address may register the name of a client without a
// key: its connection is closed, and the address is the same or the time to
// come back is over.
func (n *newcomers) free(client *store.Client, from network, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	one := n.of[client.ID]
	if one == nil {
		return now.Sub(client.Created) >= newcomerTime
	}
	return one.gone && (one.from == from || now.Sub(one.at) >= newcomerTime)
}

// clearName removes a client that registered under a name over the wire and
// never came back with a key, so that a registration that was cut off does not
// burn the name. It reports whether it did.
func (r *removals) clearName(ctx context.Context, name string, from network) (bool, error) {
	client, err := r.catalog.ClientByName(ctx, name)
	if errors.Is(err, store.ErrNoClient) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if empty, err := r.neverUsed(ctx, &client); err != nil || !empty || !r.newcomers.free(&client, from, time.Now()) {
		return false, err
	}
	r.newcomers.forget(client.ID) // no key is taken any more
	r.accounts.mu.Lock()          // and none is being taken
	now, err := r.catalog.Client(ctx, client.ID)
	r.accounts.mu.Unlock()
	switch {
	case errors.Is(err, store.ErrNoClient):
		return true, nil
	case err != nil:
		return false, err
	case now.PublicKey != nil || now.PasswordHash != "":
		return false, nil
	}
	if err := r.remove(ctx, client.ID); err != nil {
		return false, fmt.Errorf("clearing a name that was never used: %w", err)
	}
	r.accounts.log.Info("cleared away a registration that never sent a key", "client", client.ID)
	return true, nil
}

// neverUsed reports whether a client registered over the wire, and nothing
// more came of it.
func (r *removals) neverUsed(ctx context.Context, client *store.Client) (bool, error) {
	if client.Kind != "" || client.PublicKey != nil || client.PasswordHash != "" || client.Suspended || client.APIID != (store.APIID{}) {
		return false, nil
	}
	bundle, err := r.catalog.KeyBundle(ctx, client.ID)
	if err != nil || bundle != nil {
		return false, err
	}
	usage, err := r.catalog.Usage(ctx, client.ID)
	return err == nil && usage.Versions == 0, err
}
