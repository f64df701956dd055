// Package admin is what an operator sees of a running core and does to it: its
// figures, clients, uploads, activities, settings, integrity checks and copies
// of the catalog. The console and other programs of an operator ask it; clients
// never do.
//
// It knows neither the wire nor the console. What only the core can do, it asks
// of the core by the small interfaces of Deps. Client ids are secrets of the
// clients', so here clients are named by their names.
package admin

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"coffer/maintain"
	"coffer/server/metrics"
	"coffer/server/settings"
	"coffer/store"
)

// Deps are what a Service works on. All must be set, but for BackupDir.
type Deps struct {
	Catalog   Catalog
	Blobs     Blobs
	Core      Core
	Sessions  Sessions
	Uploads   Uploads
	Accounts  Accounts
	Tokens    Tokens
	Space     Space
	Settings  *settings.Settings
	Metrics   *metrics.Metrics
	Feed      *Feed
	Log       *slog.Logger
	Version   string // of this build
	BackupDir string // where copies of the catalog are kept; empty: none are made
}

// A Catalog is what an operator asks of the catalog. One that is a
// store.Backuper can be copied, and of a store.GroupCommitter there are figures.
type Catalog interface {
	maintain.Catalog
	store.Activities
	store.Settings
	ListClients(ctx context.Context, q store.ClientQuery) (page []store.ClientUsage, total int64, err error)
	ClientByName(ctx context.Context, name string) (store.Client, error)
	Lookalike(ctx context.Context, name string) (string, error)
	TouchClients(ctx context.Context, last []store.LastRequest) error
	Usage(ctx context.Context, id store.ClientID) (store.Usage, error)
	Ping(ctx context.Context) error
	Check(ctx context.Context) error
}

// Blobs are what an operator asks of the blobs.
type Blobs interface {
	maintain.ScrubBlobs
	store.Disk
}

// A Core serves clients.
type Core interface {
	// Present returns who is connected.
	Present() Presence
	// Guesses counts the files that revealed something to their sender, and the
	// sessions that ended because of them.
	Guesses() (guesses []metrics.Guesses, sessionsEnded uint64)
}

// Presence is who is connected.
type Presence struct {
	Closing  bool // the core is shutting down
	Clients  int  // that have a connection, a session or an upload under way, themselves or by a gateway
	Internal int  // connections on the internal listener
	Gateways int  // that have proven to know the core's secret
}

// Sessions are the clients' live session keys.
type Sessions interface {
	// Count is how many clients have one.
	Count() int
	// Used is when a client was seen last, the zero time if it was not, and
	// whether it has a session.
	Used(id store.ClientID) (at time.Time, live bool)
	// End ends a client's sessions.
	End(id store.ClientID)
}

// Uploads are the unfinished uploads.
type Uploads interface {
	Count() int
	// CountOf counts those of a client.
	CountOf(id store.ClientID) int
	// Transfers are all, in no particular order.
	Transfers() []Transfer
	// Cancel drops one, or returns ErrNoTransfer.
	Cancel(ctx context.Context, id store.UploadID) error
}

// Accounts are the clients as the core admits them. What is done here counts at
// once, is noted, and says that the operator did it.
type Accounts interface {
	// Suspended counts the clients whose requests are refused.
	Suspended() int
	// Suspend has a client's requests refused, or served again.
	Suspend(ctx context.Context, client store.Client, suspend bool) error
	// SetBaseAccess opens or closes an account to base requests.
	SetBaseAccess(ctx context.Context, client store.Client, open bool) error
	// Remove removes a client with all that the core has of it.
	Remove(ctx context.Context, client store.Client) error
}

// Tokens stores tokens that were revoked before they expired.
type Tokens interface {
	Revoke(ctx context.Context, id [16]byte, expires time.Time) error
	Revoked(id [16]byte) bool
}

// Space is the room for content.
type Space interface {
	// Low reports whether new content is refused for lack of room.
	Low() bool
}

// A Service serves operators. Run does what it does by itself.
type Service struct {
	deps      Deps
	started   time.Time
	scrubs    *scrubs
	backingUp atomic.Bool // a copy of the catalog is being made
}

// New makes a service, with the last scrub's report.
func New(ctx context.Context, deps Deps) (*Service, error) {
	s := &Service{deps: deps, started: time.Now()}
	s.scrubs = newScrubs(s)
	if err := s.scrubs.load(ctx); err != nil {
		return nil, err
	}
	s.scrubs.follow()
	return s, nil
}

// Run scrubs when that is due until ctx is done, and records the history and
// publishes figures until work is done, which is when the core has drained.
func (s *Service) Run(ctx, work context.Context) {
	var running sync.WaitGroup
	running.Go(func() { s.deps.Metrics.Record(work) })
	running.Go(func() { s.publish(work) })
	running.Go(func() { s.scrubs.run(ctx) })
	running.Wait()
}

// EndConsoleSession records, beyond a restart, that a session of the console
// has ended before it expires.
func (s *Service) EndConsoleSession(ctx context.Context, id [16]byte, expires time.Time) error {
	return s.deps.Tokens.Revoke(ctx, id, expires)
}

// ConsoleSessionEnded reports whether a session of the console has ended before
// it expires.
func (s *Service) ConsoleSessionEnded(id [16]byte) bool { return s.deps.Tokens.Revoked(id) }
