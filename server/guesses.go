package server

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"coffer/protocol"
	"coffer/server/upload"
	"coffer/store"
)

// Whoever sends ciphertext without having the key learns from the answers
// whether its padding is valid and what the checksum of its plaintext is, and
// one block in 256 even becomes a version. So few such files are answered: a
// guess is an upload that was named by its file and had wrong padding, or was
// summed and neither confirmed nor sent again as it was. They are counted for a client
// and an address, so that an owner elsewhere is not slowed by a stranger.

const (
	// maxGuesses is how many end the session.
	maxGuesses = 3
	// forgetGuess is how long it takes to forget one.
	forgetGuess = 10 * time.Minute
	// firstWait is how long the next session waits then. Each further guess
	// doubles it, up to longestWait.
	firstWait, longestWait = time.Second, 64 * time.Second
	// patientWait is how long a request is kept waiting before it is served;
	// one that would have to wait longer is refused at once.
	patientWait = 5 * time.Second
	// maxGuessers bounds how many clients and addresses are remembered.
	maxGuessers = 1 << 14
)

var errGuessed = broken(protocol.RuleGuesses, protocol.StatusTooMany, "too many files of this client from this address had wrong padding or were never confirmed; wait, then reconnect")

// A guessKind is the kind of file that revealed something to its sender.
type guessKind int

const (
	wrongPadding guessKind = iota
	neverConfirmed
	guessKinds
)

func (k guessKind) String() string {
	return [guessKinds]string{"wrong_padding", "never_confirmed"}[k]
}

// A guesser is a possible attacker: an address, and the client whose name it
// uses. The gateway has no address.
type guesser struct {
	client store.ClientID
	from   network
}

// A tally counts the guesses of one guesser.
type tally struct {
	n    int       // at the time since
	from time.Time // when the oldest of them began to be forgotten
	next time.Time // before which no session begins
	cut  time.Time // sessions from before have ended
}

// age forgets old guesses.
func (t *tally) age(now time.Time) {
	past := int(now.Sub(t.from) / forgetGuess)
	if past <= 0 {
		return
	}
	t.n = max(0, t.n-past)
	t.from = t.from.Add(time.Duration(past) * forgetGuess)
}

// spacing is how far apart sessions begin.
func (t *tally) spacing() time.Duration {
	if t.n < maxGuesses {
		return 0
	}
	return min(longestWait, firstWait<<min(t.n-maxGuesses, 16))
}

// guesses counts them all.
type guesses struct {
	seen  [guessKinds]atomic.Uint64
	ended atomic.Uint64 // sessions, for guesses

	mu sync.Mutex
	of map[guesser]*tally
}

func newGuesses() *guesses { return &guesses{of: make(map[guesser]*tally)} }

// add counts a guess, and reports whether it is one too many.
func (g *guesses) add(who guesser, kind guessKind, now time.Time) (over bool) {
	g.seen[kind].Add(1)
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.of[who]
	if t == nil {
		g.makeRoomLocked(now)
		t = &tally{from: now}
		g.of[who] = t
	}
	t.age(now)
	if t.n == 0 {
		t.from = now
	}
	t.n++
	if d := t.spacing(); d > 0 {
		t.next = later(t.next, now.Add(d))
		t.cut = now
		return true
	}
	return false
}

// ends reports whether the guesser's session that began at a time has ended with
// the guesses since: they are counted over all sessions, because a guesser could
// open many in advance and have a guess in each.
func (g *guesses) ends(who guesser, began time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.of[who]
	return t != nil && t.cut.After(began)
}

// makeRoomLocked forgets, of a few it looks at, who is forgiven, and if that is
// nobody, one of them.
func (g *guesses) makeRoomLocked(now time.Time) {
	if len(g.of) < maxGuessers {
		return
	}
	looked := 0
	for who, t := range g.of {
		if t.age(now); t.n == 0 || looked == 8 {
			delete(g.of, who)
		}
		if looked++; looked > 8 {
			return
		}
	}
}

// over reports whether who has guessed too often.
func (g *guesses) over(who guesser, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.of[who]
	if t == nil {
		return false
	}
	t.age(now)
	return t.n >= maxGuesses
}

// pause returns how long to delay an answer that reveals something about a file
// to who.
func (g *guesses) pause(who guesser, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.of[who]
	if t == nil {
		return 0
	}
	t.age(now)
	return min(t.spacing(), patientWait)
}

// turn is how long who has to wait until the next session begins, and takes
// that place, unless it is too long to be waited for.
func (g *guesses) turn(who guesser, now time.Time) (wait time.Duration, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.of[who]
	if t == nil {
		return 0, true
	}
	if t.age(now); t.n < maxGuesses {
		return 0, true
	}
	at := later(t.next, now)
	if wait = at.Sub(now); wait > patientWait {
		return 0, false
	}
	t.next = at.Add(t.spacing())
	return wait, true
}

// guessed notes that an upload revealed something to its sender. If that is one
// too many, it ends the session of the upload and reports it.
func (s *Server) guessed(u upload.Info, kind guessKind) (over bool) {
	if u.ByID || s.closing.Load() {
		return false // under a key of its own; or the server's doing
	}
	from := network{u.From}
	if !s.guesses.add(guesser{u.Key.Client, from}, kind, time.Now()) {
		return false
	}
	s.guesses.ended.Add(1)
	s.sessions.release(u.Key.Client, u.Key.Owner)
	detail := fmt.Sprintf("after %d files whose padding was wrong or that were never confirmed", maxGuesses)
	if from.IsValid() {
		detail += ", from " + from.String() + "; further sessions from there wait"
	}
	s.log.Warn("session ended: too many files had wrong padding or were never confirmed", "client", u.Key.Client, "from", from.String())
	s.journal.note(store.Activity{Kind: store.ActivitySessionEnded, Outcome: store.OutcomeWarning, Client: u.Key.Client, Name: u.ClientName, File: u.Key.Name, Detail: detail})
	return true
}

// awaitTurn keeps a connection waiting whose client has guessed too often from
// the same address.
func (c *conn) awaitTurn(ctx context.Context, id store.ClientID) error {
	wait, ok := c.s.guesses.turn(guesser{id, c.origin()}, time.Now())
	if !ok {
		return errGuessed
	}
	return c.wait(ctx, wait)
}

// pauseAnswer keeps the answer to a file waiting, for the same reason.
func (c *conn) pauseAnswer(ctx context.Context, id store.ClientID) error {
	return c.wait(ctx, c.s.guesses.pause(guesser{id, c.origin()}, time.Now()))
}

// wait waits, but not for longer than the server serves.
func (c *conn) wait(ctx context.Context, wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.s.stopping:
	case <-ctx.Done():
	}
	return context.Canceled
}
