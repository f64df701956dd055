package server

import (
	"context"
	"fmt"
	"time"

	"coffer/store"
)

// note remembers an activity and tells it to whoever listens. It never waits.
func (s *Server) note(a store.Activity) {
	if a.At.IsZero() {
		a.At = time.Now()
	}
	s.feed.activity(s.cfg.Catalog.NoteActivity(a))
}

// Activities are what happened, the newest first.
func (s *Server) Activities(ctx context.Context, f store.ActivityFilter) ([]store.Activity, error) {
	return s.cfg.Catalog.Activities(ctx, f)
}

// LastActivity is the ID of the newest activity, 0 if there is none.
func (s *Server) LastActivity(ctx context.Context) (int64, error) {
	last, err := s.cfg.Catalog.Activities(ctx, store.ActivityFilter{Limit: 1})
	if err != nil || len(last) == 0 {
		return 0, err
	}
	return last[0].ID, nil
}

// nameOf is what a client is called, empty if that cannot be found out.
func (s *Server) nameOf(ctx context.Context, id store.ClientID) string {
	if sess, live := s.sessions.peek(id); live {
		return sess.name
	}
	client, err := s.cfg.Catalog.Client(ctx, id)
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
