package server

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"coffer/server/admin"
	"coffer/store"
)

// A clientFinder finds clients by their ids.
type clientFinder interface {
	Client(ctx context.Context, id store.ClientID) (store.Client, error)
}

// A journal notes activities for the operator, with the names of clients.
type journal struct {
	*seldom
	feed     *admin.Feed
	sessions *sessions
	catalog  clientFinder
}

// note remembers an activity and sends it to subscribers. It never waits.
func (j *journal) note(a store.Activity) { j.feed.Note(a) }

// noteOf notes an activity of a client.
func (j *journal) noteOf(ctx context.Context, client *store.Client, a store.Activity) {
	a.Address = peerIn(ctx).address
	a.Client, a.Name = client.ID, client.Name
	j.note(a)
}

// seldom keeps what can come in floods from being written as often: of each
// client and kind, one a second is noted. All of it is in the log.
type seldom struct {
	connections *rate.Sometimes
	strangers   *rate.Sometimes // at the gateway's listener

	mu   sync.Mutex
	last map[seldomKey]time.Time
}

type seldomKey struct {
	client store.ClientID
	kind   store.ActivityKind
}

// maxSeldom is how many clients it is known of when something was noted last.
const maxSeldom = 1024

func newSeldom() *seldom {
	return &seldom{connections: &rate.Sometimes{Interval: 10 * time.Second}, strangers: &rate.Sometimes{Interval: time.Second}, last: make(map[seldomKey]time.Time)}
}

// due reports whether an activity is to be noted, and counts it as such.
func (s *seldom) due(client store.ClientID, kind store.ActivityKind) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, now := seldomKey{client, kind}, time.Now()
	if now.Sub(s.last[key]) < time.Second {
		return false
	}
	if len(s.last) >= maxSeldom {
		maps.DeleteFunc(s.last, func(_ seldomKey, at time.Time) bool { return now.Sub(at) >= time.Second })
	}
	if len(s.last) >= maxSeldom {
		return false
	}
	s.last[key] = now
	return true
}

// noteError notes that a request failed through no fault of its client's. It
// may be the catalog that failed, so that is not asked who it is.
func (j *journal) noteError(address string, id store.ClientID, detail string) {
	a := store.Activity{Kind: store.ActivityError, Outcome: store.OutcomeFailed, Detail: detail, Address: address}
	if name, live := j.sessions.name(id); live {
		a.Client, a.Name = id, name
	}
	if j.due(a.Client, a.Kind) {
		j.note(a)
	}
}

// noteDenied notes a refused attempt to use an existing client.
func (j *journal) noteDenied(ctx context.Context, client *store.Client, detail string) {
	if j.due(client.ID, store.ActivitySignIn) {
		j.noteOf(ctx, client, store.Activity{Kind: store.ActivitySignIn, Outcome: store.OutcomeFailed, Detail: detail})
	}
}

// nameOf is what a client is called, empty if that cannot be found out.
func (j *journal) nameOf(ctx context.Context, id store.ClientID) string {
	if name, live := j.sessions.name(id); live {
		return name
	}
	client, err := j.catalog.Client(ctx, id)
	if err != nil {
		return ""
	}
	return client.Name
}

// plural is a count of things, in words.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
