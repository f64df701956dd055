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

// The orders that there are. Clients that are alike stand in the order of
// their names; descending turns all of it round.
const (
	SortByName     ClientSort = "name" // bytewise
	SortByLastSeen ClientSort = "last_seen"
	SortByFiles    ClientSort = "files"
	SortByBytes    ClientSort = "bytes"
	SortByCreated  ClientSort = "created"
)

// A ClientQuery asks for a page of clients.
type ClientQuery struct {
	Search     string     // in the name, whatever the case, or how the fingerprint begins; empty: all
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
	Label
	Number   uint32    // from 1, one above the newest at commit
	Verified bool      // the client confirmed the checksum
	Created  time.Time // when it was committed, by the server's clock
	Blob     BlobRef
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
	// AddClient adds a new client; ErrNameTaken if its name or id is in use.
	AddClient(ctx context.Context, c Client) error
	// Client finds a client by its id, or returns ErrNoClient.
	Client(ctx context.Context, id ClientID) (Client, error)
	// ClientByName finds a client by its name, or returns ErrNoClient.
	ClientByName(ctx context.Context, name string) (Client, error)
	// UpdateClient reads a client, lets change alter it, and writes it back,
	// all in one transaction. ID, Name and Created cannot change. An error of
	// change is returned as it is and nothing is written. change runs again if
	// the transaction has to, and must not use the catalog.
	UpdateClient(ctx context.Context, id ClientID, change func(*Client) error) (Client, error)
	// UpdateSignIn is UpdateClient, and replaces the client's key bundle in the
	// same transaction: what a person signs in with, and what that opens,
	// never differ.
	UpdateSignIn(ctx context.Context, id ClientID, bundle []byte, change func(*Client) error) (Client, error)
	// RemoveClient removes a client with all its file versions and returns the
	// blobs that nothing refers to any more, or ErrNoClient.
	RemoveClient(ctx context.Context, id ClientID) ([]BlobRef, error)
	// EachClient calls visit for every client, in no particular order, until
	// visit fails; it returns visit's error.
	EachClient(ctx context.Context, visit func(Client) error) error

	// ListClients returns a page of the clients that a query finds, without
	// their session keys and password hashes, and how many it finds in all.
	ListClients(ctx context.Context, q ClientQuery) (page []ClientUsage, total int64, err error)
	// Suspended returns the clients whose requests the operator refuses.
	Suspended(ctx context.Context) ([]ClientID, error)

	// Sessions returns the clients with a live session key.
	Sessions(ctx context.Context) ([]Client, error)
	// SawClients sets LastSeen of each of these clients, and, where ended is
	// true, removes the session key. Unknown clients are passed over.
	SawClients(ctx context.Context, seen []Seen) error

	// KeyBundle returns the client's key bundle, nil if it has none, or
	// ErrNoClient.
	KeyBundle(ctx context.Context, id ClientID) ([]byte, error)
	// SetKeyBundle replaces the client's key bundle; ErrNoClient if the client
	// is gone.
	SetKeyBundle(ctx context.Context, id ClientID, bundle []byte) error
}

// Seen says when a client made its last request and whether its session ended.
type Seen struct {
	ID    ClientID
	At    time.Time
	Ended bool
}

// Files is the part of the catalog that knows file versions. Every method that
// changes something returns once the change is on stable storage.
type Files interface {
	// Commit adds v as the newest version of its file, numbered one above the
	// highest that exists, in one transaction with dropping the oldest
	// versions beyond the newest keep (0 keeps all). v.Number is ignored. It
	// returns the new number and the blobs that nothing refers to any more.
	// ErrNoClient if the client is gone. No two versions share a blob.
	Commit(ctx context.Context, v Version, keep int) (number uint32, dropped []BlobRef, err error)
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

// A Catalog remembers clients, their files and a few settings of the server's.
type Catalog interface {
	Clients
	Files
	Activities
	// Setting returns the value kept under a key, nil if there is none.
	Setting(ctx context.Context, key string) ([]byte, error)
	// SetSetting keeps a value under a key.
	SetSetting(ctx context.Context, key string, value []byte) error
	// Check reports whether the catalog can be read and written.
	Check(ctx context.Context) error
	// Close finishes what is queued and closes the catalog.
	Close() error
}

// A Backuper is a catalog that can be copied while it is used.
type Backuper interface {
	// Backup copies the catalog, as it is at one moment, into a new file that
	// only its owner can read, and leaves no file behind if it fails. progress
	// is told how far it is, in parts of total.
	Backup(ctx context.Context, path string, progress func(done, total int64)) error
}

// A GroupCommitter is a catalog in which changes share transactions.
type GroupCommitter interface {
	// GroupCommits tells how that went, since the catalog was opened.
	GroupCommits() GroupCommits
}

// GroupCommits tells how changes shared transactions.
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
