package admin

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"coffer/store"
)

// An Event is sent to subscribers. One of its fields is set, and Missed beside
// it.
type Event struct {
	Stats    *Stats          // each second
	Activity *store.Activity // at once
	Missed   int             // events that did not reach the subscriber before this one, since it was slow or they were too many
}

const (
	// feedRoom is how many events a subscriber may be behind.
	feedRoom = 256
	// feedFlood is the maximum number of activities sent in a second. Nobody
	// reads thousands as they happen, and sending them would slow the cause.
	feedFlood = 100
)

// A Feed remembers activities and sends them, and figures, to subscribers. A
// caller that reports something never waits; without subscribers the Feed only
// remembers it.
type Feed struct {
	activities store.Activities
	noting     sync.Mutex // held while an activity gets its ID and is sent
	listening  atomic.Int32

	mu     sync.Mutex
	subs   map[*subscriber]struct{}
	closed bool
	second time.Time // when the activities of the latest second began
	sent   int       // in it
}

type subscriber struct {
	events chan Event
	missed int
}

// NewFeed makes a feed of the activities kept there.
func NewFeed(activities store.Activities) *Feed {
	return &Feed{activities: activities, subs: make(map[*subscriber]struct{})}
}

// Note records an activity and sends it to all subscribers. It never waits.
func (f *Feed) Note(a store.Activity) {
	if a.At.IsZero() {
		a.At = time.Now()
	}
	f.noting.Lock() // so that subscribers receive them in the order of their IDs
	defer f.noting.Unlock()
	f.activity(f.activities.NoteActivity(a))
}

func (f *Feed) activity(a store.Activity) {
	if f.listening.Load() == 0 {
		return
	}
	if f.flooded(time.Now()) {
		f.miss()
		return
	}
	f.send(Event{Activity: &a})
}

// flooded reports whether there were enough activities in a second.
func (f *Feed) flooded(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.second) >= time.Second {
		f.second, f.sent = now, 0
	}
	f.sent++
	return f.sent > feedFlood
}

// miss has every subscriber miss an event.
func (f *Feed) miss() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for sub := range f.subs {
		sub.missed++
	}
}

func (f *Feed) send(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for sub := range f.subs {
		e.Missed = sub.missed
		select {
		case sub.events <- e:
			sub.missed = 0
		default:
			sub.missed++
		}
	}
}

// subscribe adds a subscriber until leave is called.
func (f *Feed) subscribe() (sub *subscriber, leave func()) {
	sub = &subscriber{events: make(chan Event, feedRoom)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		close(sub.events)
		return sub, func() {}
	}
	f.subs[sub] = struct{}{}
	f.listening.Add(1)
	return sub, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if _, there := f.subs[sub]; there {
			delete(f.subs, sub)
			f.listening.Add(-1)
			close(sub.events)
		}
	}
}

// close ends all subscriptions.
func (f *Feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for sub := range f.subs {
		delete(f.subs, sub)
		f.listening.Add(-1)
		close(sub.events)
	}
}

// Subscribe returns a channel on which events come until ctx is done or the
// server stops, which closes it. A subscriber that does not keep up misses
// events, and of a flood of activities everyone misses what is beyond 100 a
// second; the next event says how many.
func (s *Service) Subscribe(ctx context.Context) <-chan Event {
	sub, leave := s.deps.Feed.subscribe()
	context.AfterFunc(ctx, leave)
	return sub.events
}

// publish sends the statistics each second while anybody listens.
func (s *Service) publish(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	defer s.deps.Feed.close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if s.deps.Feed.listening.Load() > 0 {
				stats := s.Stats(ctx)
				s.deps.Feed.send(Event{Stats: &stats})
			}
		}
	}
}
