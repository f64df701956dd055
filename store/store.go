// Package store says what the core asks of storage: a catalog of clients and
// file versions, with the packs that snapshots need, and the blobs that hold
// their ciphertext. It holds the
// contracts and the types they speak of; it stores nothing itself, reads no
// ciphertext, and knows neither the wire nor any backend.
package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
)

// The errors that implementations return, wrapped, for callers to branch on.
var (
	// ErrNameTaken: a client of that name exists.
	ErrNameTaken = errors.New("the name is taken")
	// ErrNoClient: no client has that id or name.
	ErrNoClient = errors.New("no such client")
	// ErrNoFile: the client has no file of that name, or not that version of it.
	ErrNoFile = errors.New("no such file")
	// ErrNoBlob: nothing is stored under that reference.
	ErrNoBlob = errors.New("no such blob")
	// ErrNoPack: the client has no pack of that id.
	ErrNoPack = errors.New("no such pack")
	// ErrNoRun: the client has no run of that id; it has ended, or never began.
	ErrNoRun = errors.New("no such run")
	// ErrNoMachine: there is no machine of that id, or it was removed.
	ErrNoMachine = errors.New("no such machine")
	// ErrConflict: another version of the file came first.
	ErrConflict = errors.New("another version came first")
	// ErrDamaged: what is stored is not what was written.
	ErrDamaged = errors.New("stored data is damaged")
	// ErrFull: the medium has no room left.
	ErrFull = errors.New("no space left in storage")
	// ErrBusy: another program holds what is asked for; it may be free soon.
	ErrBusy = errors.New("the storage is busy")
)

// A ClientID names a client on the wire, where it is sent unencrypted. It still
// prints as a fingerprint: anyone who knows it can ask for a session key, and
// only the id distinguishes base clients.
type ClientID [16]byte

// Fingerprint is a short, stable name for the id that does not reveal it.
func (id ClientID) Fingerprint() string {
	sum := sha256.Sum256(id[:])
	return hex.EncodeToString(sum[:4])
}

// Format prints the fingerprint, whatever the verb.
func (id ClientID) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "client:%s", id.Fingerprint()) }

// LogValue logs the fingerprint.
func (id ClientID) LogValue() slog.Value { return slog.StringValue("client:" + id.Fingerprint()) }

// An APIID names a client over HTTP, where knowing it can be all that proves an
// identity: it never travels on the wire that a ClientID stands on in the
// clear. The zero APIID is none. It prints as a fingerprint.
type APIID [16]byte

// IsZero reports whether there is none.
func (id APIID) IsZero() bool { return id == APIID{} }

// Format prints the fingerprint, whatever the verb.
func (id APIID) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "api:%s", ClientID(id).Fingerprint())
}

// LogValue logs the fingerprint.
func (id APIID) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(id)) }

// An UploadID names an upload.
type UploadID [16]byte

// String is the id in hexadecimal.
func (id UploadID) String() string { return hex.EncodeToString(id[:]) }
