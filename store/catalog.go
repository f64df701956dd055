package store

import (
	"context"
	"time"
)

// A Client is a registered account.
type Client struct {
	ID           ClientID
	Name         string // unique, UTF-8
	Kind         string // how it registered: cpp_client, web_client, api_client; may be empty
	PublicKey    []byte // DER SubjectPublicKeyInfo; nil until the client sent one
	OAEPHash     string // "sha256" or "sha1": how session keys are wrapped for it
	PasswordHash string // argon2id, PHC string format; empty if the account has no password
	SessionKey   []byte // the live session key, sealed with the master key; nil when no session lives
	Suspended    bool   // the operator refuses its requests
	BaseClosed   bool   // base requests, which the id alone authorizes, are refused
	APIID        APIID  // names it over HTTP; zero until it may be used there
	Created      time.Time
	LastSeen     time.Time
}

// Usage is what a client, or all of them, have stored.
type Usage struct {
	Files    int64 // distinct file names
	Versions int64 // file versions
	Verified int64 // those of them whose checksum the client confirmed
	Bytes    int64 // ciphertext bytes over all versions
}

// Totals are the figures of the whole catalog.
type Totals struct {
	Clients int64
	Usage
}

// A ClientSort is an order of clients.
type ClientSort string

// The orders. Clients that are equal in one are ordered by name; descending
// reverses all of it.
const (
	SortByName     ClientSort = "name" // bytewise
	SortByLastSeen ClientSort = "last_seen"
	SortByFiles    ClientSort = "files"
	SortByBytes    ClientSort = "bytes"
	SortByCreated  ClientSort = "created"
)

// A ClientQuery asks for a page of clients.
type ClientQuery struct {
	Search     string     // in the name, ignoring case, or at the start of the fingerprint; empty: all
	Sort       ClientSort // empty: by name
	Descending bool
	Offset     int
	Limit      int
}

// ClientUsage is a client and what it has stored.
type ClientUsage struct {
	Client
	Usage
}

// A Version is one committed version of one file of one client.
type Version struct {
	Metadata
	Number   uint32    // from 1, one above the newest at commit
	Verified bool      // the client confirmed the checksum
	Created  time.Time // when it was committed, by the server's clock
	Blob     BlobRef
}

// A Retention says which versions of a file are kept when one is added: all
// versions younger than MinAge, and of the others the newest Versions. So new
// versions, however many and fast, do not displace an old one until they have
// reached MinAge themselves.
type Retention struct {
	Versions int           // 0 keeps all
	MinAge   time.Duration // by Created of the version that is added
}

// A Cursor is a place in a listing: the file version that was seen last. The
// zero Cursor stands before the first.
type Cursor struct {
	Name   string
	Number uint32
}

// Clients is the part of the catalog that knows accounts. Every method that
// changes something returns once the change is on stable storage.
type Clients interface {
	// AddClient adds a new client; ErrNameTaken if its name or one of its ids
	// is in use.
	AddClient(ctx context.Context, c Client) error
	// Client finds a client by its id, or returns ErrNoClient.
	Client(ctx context.Context, id ClientID) (Client, error)
	// ClientByName finds a client by its name, or returns ErrNoClient.
	ClientByName(ctx context.Context, name string) (Client, error)

	// NameLike returns the name of another client that people would mistake for
	// the given one, "" if there is none.
	NameLike(ctx context.Context, name string) (string, error)
	// Lookalike returns the name of another client that looks like the given
	// one on a screen, "" if there is none. It also finds what NameLike does.
	Lookalike(ctx context.Context, name string) (string, error)
	// ClientByAPIID finds a client by its id over HTTP, or returns ErrNoClient.
	ClientByAPIID(ctx context.Context, id APIID) (Client, error)
	// UpdateClient reads a client, lets change alter it, and writes it back,
	// all in one transaction. ID, Name and Created cannot change. An error of
	// change is returned as it is and nothing is written. change runs again if
	// the transaction has to, and must not use the catalog. A public key that is
	// replaced becomes a former one.
	UpdateClient(ctx context.Context, id ClientID, change func(*Client) error) (Client, error)
	// UpdateSignIn is UpdateClient, and replaces the client's key bundle in the
	// same transaction: what a person signs in with, and what that opens,
	// never differ. The bundle that is replaced becomes a former one.
	UpdateSignIn(ctx context.Context, id ClientID, bundle []byte, change func(*Client) error) (Client, error)
	// RemoveClient removes a client with all its file versions and returns the
	// blobs that nothing refers to any more, or ErrNoClient.
	RemoveClient(ctx context.Context, id ClientID) ([]BlobRef, error)
	// EachClient calls visit for every client, in no particular order, until
	// visit fails; it returns visit's error.
	EachClient(ctx context.Context, visit func(Client) error) error

	// ListClients returns a page of the clients that a query finds, without
	// their secrets (session keys, password hashes, API ids), and how many it finds in all.
	ListClients(ctx context.Context, q ClientQuery) (page []ClientUsage, total int64, err error)
	// Suspended returns the clients whose requests the operator refuses.
	Suspended(ctx context.Context) ([]ClientID, error)

	// Sessions returns the clients with a live session key.
	Sessions(ctx context.Context) ([]Client, error)
	// TouchClients sets LastSeen of each of these clients, and, where Ended is
	// true, removes the session key. Unknown clients are skipped.
	TouchClients(ctx context.Context, last []LastRequest) error

	// KeyBundle returns the client's key bundle, nil if it has none, or
	// ErrNoClient.
	KeyBundle(ctx context.Context, id ClientID) ([]byte, error)
	// SetKeyBundle replaces the client's key bundle, which becomes a former
	// one; ErrNoClient if the client is gone.
	SetKeyBundle(ctx context.Context, id ClientID, bundle []byte) error

	// FormerKeys returns the keys and bundles of a client that others have
	// replaced, the newest first: at most MaxFormerKeys of each kind. Beyond
	// that, the one that was in force for the shortest time goes, but never the
	// newest, so that no number of replacements pushes out what had lasted.
	FormerKeys(ctx context.Context, id ClientID) ([]FormerKey, error)
	// AddFormerKey adds one: for rebuilding a catalog. One that is there
	// already is replaced. ErrNoClient if the client is gone.
	AddFormerKey(ctx context.Context, id ClientID, k FormerKey) error
	// ForgetFormerKeys removes keys that were replaced before a moment, and
	// returns their clients.
	ForgetFormerKeys(ctx context.Context, before time.Time) ([]ClientID, error)
}

// MaxFormerKeys is how many former keys of a kind are kept for a client.
const MaxFormerKeys = 5

// A FormerKeyKind says what a former key was.
type FormerKeyKind string

// The kinds.
const (
	FormerPublicKey FormerKeyKind = "public_key"
	FormerBundle    FormerKeyKind = "bundle"
)

// A FormerKey is a client's public key or key bundle that another replaced.
type FormerKey struct {
	Kind         FormerKeyKind
	Since, Until time.Time // when it was in force
	Value        []byte    // the key's DER, or the bundle
	OAEPHash     string    // of a public key
	PasswordHash string    // that signed in to a bundle; empty if none did
}

// A Revocation revokes session tokens before they expire: one, or all of an
// account.
type Revocation struct {
	Token   [16]byte  // the token's id, if it is one
	Account string    // or else the account's name
	Until   time.Time // of an account: tokens issued later are good
	Expires time.Time // when the tokens have expired by themselves
}

// Tokens is the part of the catalog that knows which session tokens died
// early. What it costs to add one does not depend on how many there are.
type Tokens interface {
	// Revoke keeps revocations. Of an account's, the one with the latest Until
	// counts.
	Revoke(ctx context.Context, all ...Revocation) error
	// Revocations visits all that are kept.
	Revocations(ctx context.Context, visit func(Revocation) error) error
	// ForgetRevocations removes revocations that expired before a moment.
	ForgetRevocations(ctx context.Context, before time.Time) error
}

// A LastRequest says when a client made its last request, and whether its
// session has ended.
type LastRequest struct {
	ID    ClientID
	At    time.Time
	Ended bool
}

// Files is the part of the catalog that knows file versions. Every method that
// changes something returns once the change is on stable storage.
type Files interface {
	// Commit adds v as the newest version of its file, numbered one above the
	// highest that exists, in one transaction with dropping old versions beyond
	// those to keep. v.Number is ignored. It returns the new number and the
	// blobs that nothing refers to any more. ErrNoClient if the client is gone.
	// No two versions share a blob.
	Commit(ctx context.Context, v Version, keep Retention) (number uint32, dropped []BlobRef, err error)
	// AddVersion adds v under the number it bears: for rebuilding a catalog.
	// A version that is there already is replaced.
	AddVersion(ctx context.Context, v Version) error
	// Version finds a version, the newest if number is 0, or ErrNoFile.
	Version(ctx context.Context, id ClientID, name string, number uint32) (Version, error)
	// Versions returns all versions of a file, the newest first, or ErrNoFile.
	Versions(ctx context.Context, id ClientID, name string) ([]Version, error)
	// List returns up to limit versions that follow after, ordered by name
	// (bytewise), then newest first: only the newest of each file, or with
	// all, every version. The cost does not grow with the catalog.
	List(ctx context.Context, id ClientID, after Cursor, limit int, all bool) ([]Version, error)
	// Remove removes one version, or all if number is 0, and returns the blobs
	// that nothing refers to any more; ErrNoFile if there is none.
	Remove(ctx context.Context, id ClientID, name string, number uint32) ([]BlobRef, error)
	// Refers reports whether any version refers to the blob.
	Refers(ctx context.Context, ref BlobRef) (bool, error)
	// Usage returns what one client has stored, in constant time, or
	// ErrNoClient.
	Usage(ctx context.Context, id ClientID) (Usage, error)
	// Totals returns the figures of the whole catalog, in constant time.
	Totals(ctx context.Context) (Totals, error)
}

// Removals is the part of the catalog that knows which clients are being
// removed. That takes longer than leaving the catalog, and what a crash
// interrupts must be ended later. They need not be clients any more.
type Removals interface {
	// BeginRemoval notes that a client is being removed; once is enough.
	BeginRemoval(ctx context.Context, id ClientID) error
	// EndRemoval forgets that it was; one that is not noted is no error.
	EndRemoval(ctx context.Context, id ClientID) error
	// Removals returns the unfinished removals, in no particular order.
	Removals(ctx context.Context) ([]ClientID, error)
}

// Settings is the part of the catalog that keeps a few values of the server.
// Lists, and values that grow, have their own parts.
type Settings interface {
	// Setting returns the value kept under a key, nil if there is none.
	Setting(ctx context.Context, key string) ([]byte, error)
	// SetSetting keeps a value under a key.
	SetSetting(ctx context.Context, key string, value []byte) error
}

// A Catalog is all of what the server remembers. Whoever needs a part of it asks
// for that part alone, or for a few methods by an interface of their own.
type Catalog interface {
	Clients
	Files
	Runs
	PackIndex
	Snapshots
	Sweeps
	Machines
	Activities
	Tokens
	Removals
	Settings
	// Ping reports whether the catalog can be read.
	Ping(ctx context.Context) error
	// Check reports whether the catalog can be read and written.
	Check(ctx context.Context) error
	// Close finishes what is queued and closes the catalog.
	Close() error
}

// A Backuper is a catalog that can be copied while it is used.
type Backuper interface {
	// Backup copies the catalog, as it is at one moment, into a new file that
	// only its owner can read, and leaves no file behind if it fails. progress
	// receives the parts done and their total.
	Backup(ctx context.Context, path string, progress func(done, total int64)) error
}

// A GroupCommitter is a catalog in which changes share transactions.
type GroupCommitter interface {
	// GroupCommits returns figures on shared transactions since the catalog was
	// opened.
	GroupCommits() GroupCommits
}

// GroupCommits are figures on changes that shared transactions.
type GroupCommits struct {
	Queued  int       // changes that wait for a transaction now
	Changes Histogram // changes in one transaction
	Sync    Histogram // seconds that one commit took, with its sync
}

// A Histogram counts values by the first bound that is not below them.
type Histogram struct {
	Bounds []float64 // ascending
	Counts []uint64  // one for each bound, and one for what lies above
	Sum    float64   // of all values
}
