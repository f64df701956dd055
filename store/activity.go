package store

import (
	"context"
	"time"
)

// An ActivityKind says what sort of thing happened.
type ActivityKind string

// The kinds.
const (
	ActivityRegistration  ActivityKind = "registration"   // a client registered
	ActivitySignIn        ActivityKind = "sign_in"        // it signed in or reconnected, or failed to
	ActivityKeyExchange   ActivityKind = "key_exchange"   // it sent its public key
	ActivityPassword      ActivityKind = "password"       // its owner set a password
	ActivityAccess        ActivityKind = "access"         // base requests were allowed or refused, or an API id was made
	ActivityUpload        ActivityKind = "upload"         // a file version was committed, or an upload refused for good
	ActivityMismatch      ActivityKind = "mismatch"       // client and server disagree about a checksum
	ActivityRestore       ActivityKind = "restore"        // a file was read to its end
	ActivityRemoval       ActivityKind = "removal"        // file versions, or a client with all of them, were removed
	ActivityError         ActivityKind = "error"          // the server could not do what it was asked
	ActivitySessionEnded  ActivityKind = "session_ended"  // by the operator
	ActivitySuspended     ActivityKind = "suspended"      // a client, by the operator
	ActivityResumed       ActivityKind = "resumed"        // a client, by the operator
	ActivitySettings      ActivityKind = "settings"       // the operator changed how the server runs
	ActivityScrub         ActivityKind = "scrub"          // what is stored was read back, or a blob found damaged
	ActivityBackup        ActivityKind = "backup"         // the catalog was copied
	ActivityUploadDropped ActivityKind = "upload_dropped" // an upload was cancelled, or nobody finished it
	ActivityServer        ActivityKind = "server"         // it started or stopped
)

// ActivityKinds are all kinds.
func ActivityKinds() []ActivityKind {
	return []ActivityKind{ActivityRegistration, ActivitySignIn, ActivityKeyExchange, ActivityPassword, ActivityAccess, ActivityUpload, ActivityMismatch,
		ActivityRestore, ActivityRemoval, ActivityError, ActivitySessionEnded, ActivitySuspended, ActivityResumed,
		ActivitySettings, ActivityScrub, ActivityBackup, ActivityUploadDropped, ActivityServer}
}

// An Outcome says how something ended.
type Outcome string

// The outcomes.
const (
	OutcomeOK      Outcome = "ok"
	OutcomeWarning Outcome = "warning" // it continued, and somebody should know
	OutcomeFailed  Outcome = "failed"
)

// An Activity is an event that the operator sees in the activity list.
type Activity struct {
	ID      int64 // ascending; given by the catalog, never twice
	At      time.Time
	Kind    ActivityKind
	Outcome Outcome
	Client  ClientID      // zero if it concerns none, or one that is not known
	Name    string        // the client's, as it was then
	File    string        // the file's name
	Version uint32        // of the file, 0 if none
	Bytes   int64         // how many it was about
	Took    time.Duration // how long it took, 0 if that says nothing
	Detail  string        // a sentence for a person, without secrets
	Address string        // where the request came from; empty if from nowhere
}

// An ActivityFilter says which activities are asked for. The zero filter asks
// for all.
type ActivityFilter struct {
	Client  ClientID // zero: any
	Kinds   []ActivityKind
	Outcome Outcome
	Before  int64 // with a lower ID; 0: from the newest on
	After   int64 // with a higher ID
	Limit   int   // the newest so many of these; 0: none
}

// Matches reports whether the filter asks for an activity, the limit aside.
func (f ActivityFilter) Matches(a Activity) bool {
	switch {
	case f.Client != (ClientID{}) && f.Client != a.Client:
		return false
	case f.Outcome != "" && f.Outcome != a.Outcome:
		return false
	case f.Before != 0 && a.ID >= f.Before:
		return false
	case a.ID <= f.After:
		return false
	}
	for _, kind := range f.Kinds {
		if kind == a.Kind {
			return true
		}
	}
	return len(f.Kinds) == 0
}

// Activities is the part of the catalog that remembers what happened, as far
// back as its bounded history goes. When it has to shorten that, the oldest of
// what there is most of goes, by client, kind and outcome: a flood of one sort
// shortens no other. What clients do that are new, or that never stored
// anything, counts by network, and goes before what others did.
type Activities interface {
	// NoteActivity remembers an activity and returns it with its ID. It never
	// waits and never fails: the activity is queued, shares a transaction with
	// other changes within a second or so, and is lost if the process dies
	// before. No change fails because an activity cannot be written.
	NoteActivity(a Activity) Activity
	// Activities returns the activities that match a filter, the newest first,
	// including queued ones.
	Activities(ctx context.Context, f ActivityFilter) ([]Activity, error)
}
