package server

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"coffer/store"
)

// note remembers an activity and tells it to whoever listens. It never waits.
func (s *Server) note(a store.Activity) {
	if a.At.IsZero() {
		a.At = time.Now()
	}
	s.noting.Lock() // so that who listens hears of them in the order of their IDs
	defer s.noting.Unlock()
	s.feed.activity(s.cfg.Catalog.NoteActivity(a))
}

// seldom keeps what can come in floods from washing the rest of the history,
// or of the log, away: of each kind, one in a while is noted.
type seldom struct{ errors, denials, strangers, connections *rate.Sometimes }

func newSeldom() seldom {
	one := func(interval time.Duration) *rate.Sometimes { return &rate.Sometimes{Interval: interval} }
	return seldom{errors: one(time.Second), denials: one(time.Second), strangers: one(time.Second), connections: one(10 * time.Second)}
}

// noteError notes that a request failed through no fault of its client's. It
// may be the catalog that failed, so that is not asked who it is.
func (s *Server) noteError(id store.ClientID, detail string) {
	s.seldom.errors.Do(func() {
		a := store.Activity{Kind: store.ActivityError, Outcome: store.OutcomeFailed, Detail: detail}
		if name, live := s.sessions.name(id); live {
			a.Client, a.Name = id, name
		}
		s.note(a)
	})
}

// noteDenied notes that somebody was not let in as a client that there is.
func (s *Server) noteDenied(client *store.Client, detail string) {
	s.seldom.denials.Do(func() {
		s.noteOf(client, store.Activity{Kind: store.ActivitySignIn, Outcome: store.OutcomeFailed, Detail: detail})
	})
}

// noteMismatch notes that the checksums of client and server differ. left is
// how many more times the client may send the file.
func (s *Server) noteMismatch(u *upload, left int) {
	s.meters.mismatched.Add(1)
	a := store.Activity{Kind: store.ActivityMismatch, Outcome: store.OutcomeWarning, Client: u.client, Name: u.session.name,
		File: u.name, Detail: fmt.Sprintf("the checksums of client and server differ; the client may send the file again, %s", plural(left, "time", "times"))}
	if left == 0 {
		a.Outcome, a.Detail = store.OutcomeFailed, "the checksums of client and server stayed different; the upload was dropped"
	}
	s.note(a)
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
	if name, live := s.sessions.name(id); live {
		return name
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
