package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"coffer/store"
)

// An Event is something that a subscriber is told of. One of its fields is
// set, and Missed beside it.
type Event struct {
	Stats    *Stats          // each second
	Activity *store.Activity // at once
	Missed   int             // events that did not reach the subscriber before this one, since it was slow or they were too many
}

const (
	// feedRoom is how many events a subscriber may be behind.
	feedRoom = 256
	// feedFlood is how many activities a second are told. Nobody reads
	// thousands as they happen, and telling them would take from what they are.
	feedFlood = 100
)

// feed tells subscribers of events. Whoever has something to tell never waits,
// and does nothing while nobody listens.
type feed struct {
	listening atomic.Int32

	mu     sync.Mutex
	subs   map[*subscriber]struct{}
	closed bool
	second time.Time // when the activities of the latest second began
	told   int       // in it
}

type subscriber struct {
	events chan Event
	missed int
}

func newFeed() *feed { return &feed{subs: make(map[*subscriber]struct{})} }

func (f *feed) activity(a store.Activity) {
	if f.listening.Load() == 0 {
		return
	}
	if f.flooded(time.Now()) {
		f.miss()
		return
	}
	f.tell(Event{Activity: &a})
}

// flooded reports whether there were enough activities in a second.
func (f *feed) flooded(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.second) >= time.Second {
		f.second, f.told = now, 0
	}
	f.told++
	return f.told > feedFlood
}

// miss has every subscriber miss an event.
func (f *feed) miss() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for sub := range f.subs {
		sub.missed++
	}
}

func (f *feed) tell(e Event) {
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
func (f *feed) subscribe() (sub *subscriber, leave func()) {
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
func (f *feed) close() {
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
func (s *Server) Subscribe(ctx context.Context) <-chan Event {
	sub, leave := s.feed.subscribe()
	context.AfterFunc(ctx, leave)
	return sub.events
}

// publish tells the statistics each second while anybody listens.
func (s *Server) publish(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	defer s.feed.close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if s.feed.listening.Load() > 0 {
				stats := s.Stats(ctx)
				s.feed.tell(Event{Stats: &stats})
			}
		}
	}
}
