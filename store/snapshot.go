package store

import (
	"context"
	"fmt"
)

// SnapshotMetadata is what the metadata of a manifest, or of a mend record, has
// beside what every blob's has. Metadata that comes from Files is without it.
//
// A manifest's blob is stored before its version is committed, so that Pending
// visits one if a crash comes between. No client confirms it later: the core
// removes it when it finds it, unless Refers knows it.
type SnapshotMetadata struct {
	Run       RunID  `json:"run"`                  // that made it
	Head      []byte `json:"head,omitempty"`       // what a list shows, sealed; at most MaxHead bytes
	Packs     []byte `json:"packs"`                // which packs it needs, as package packset encodes it
	PackBytes int64  `json:"pack_bytes,omitempty"` // of these
	Mend      bool   `json:"mend,omitempty"`       // a mend record; Confirmation.Number is the version that it mends
}

// MaxHead is how large the head of a snapshot may be, in bytes.
const MaxHead = 4 << 10

// A SnapshotCommit asks for a new version. Version.Metadata.Snapshot has the
// run, the head and the packs, which must all be pinned by the run:
//
//	base, bytes, err := catalog.RunBase(ctx, client, run)
//	set, err := packset.Decode(base)
//	set.Bytes = bytes
//	for a few thousand ids at a time {
//		found, err := catalog.AskPacks(ctx, client, run, added)
//		set.Add(found...) // where none is missing
//		gone, err := catalog.PacksByID(ctx, client, dropped)
//		set.Remove(gone...)
//	}
type SnapshotCommit struct {
	Version Version // Number is ignored
	Before  uint32  // the newest version that the client knows of, 0 if none
}

// MissingPacks is the error of a commit that needs packs which are not there,
// or are damaged.
type MissingPacks struct {
	IDs []PackID // some of them, at most 2,000
}

// Error implements error.
func (m *MissingPacks) Error() string {
	return fmt.Sprintf("%d packs or more are missing", len(m.IDs))
}

// A Snapshot is a version that is one, with what a list shows of it.
type Snapshot struct {
	Version
	Run       RunID
	Head      []byte
	Packs     int64 // how many it needs, those of its mends not included
	PackBytes int64
	Damaged   int64 // how many of them are damaged or lost; a mend does not change that
	Mends     int   // mend records
}

// A SnapshotQuery asks for a page of snapshots.
type SnapshotQuery struct {
	After Cursor
	Limit int
	All   bool   // every version, not only the newest of each name
	Only  string // of this name; empty: of all
}

// A Mend says where chunks lie now whose packs were lost or damaged. Its record
// is a blob, whose metadata has Snapshot with Mend set.
type Mend struct {
	Metadata Metadata
	Number   uint32 // the version that it mends
	Blob     BlobRef
}

// Snapshots is the part of the catalog that knows what the versions need that
// are snapshots. They are versions of files like all others: Files lists and
// removes them, and what is noted here goes with them.
type Snapshots interface {
	// CommitSnapshot adds a version and ends its run, in one transaction with
	// dropping old versions beyond those to keep. It returns the new number and
	// the blobs that nothing refers to any more. *MissingPacks if a pack is
	// missing; ErrConflict if Before is not the newest version; ErrNoRun if the
	// run has ended, or is one of another name; ErrNoClient if the client is
	// gone.
	//
	// A run that has committed answers with the number that it got, for as long
	// as that version is there; Version.Blob is then among the dropped, unless
	// it is the one that was committed.
	CommitSnapshot(ctx context.Context, c SnapshotCommit, keep Retention) (number uint32, dropped []BlobRef, err error)
	// Committed returns the snapshot that a run has become, or ErrNoFile.
	Committed(ctx context.Context, client ClientID, run RunID) (Snapshot, error)
	// Snapshot finds a snapshot, the newest if number is 0, or ErrNoFile.
	Snapshot(ctx context.Context, client ClientID, name string, number uint32) (Snapshot, error)
	// ListSnapshots returns a page of snapshots, ordered by name (bytewise),
	// then newest first. What it costs does not grow with the catalog.
	ListSnapshots(ctx context.Context, client ClientID, q SnapshotQuery) ([]Snapshot, error)
	// SnapshotPacks returns up to limit of the packs that a snapshot needs, its
	// mends included, with a higher ordinal, in their order; ErrNoFile if there
	// is no such snapshot. One that the catalog has lost has an ordinal only.
	SnapshotPacks(ctx context.Context, client ClientID, name string, number uint32, after uint32, limit int) ([]Pack, error)
	// NeededBy visits the snapshots that need a pack, in the order of
	// ListSnapshots. They bear name, number and head alone.
	NeededBy(ctx context.Context, client ClientID, ordinal uint32, visit func(Snapshot) error) error

	// AddMend adds a mend record to a snapshot, which from then on needs the
	// packs of the record. The packs must be pinned by the run that the
	// metadata names; the run continues. ErrNoFile if there is no such
	// snapshot, ErrNoRun if the run has ended, *MissingPacks if a pack is
	// missing. A record with the SHA-256 of one that is there already changes
	// nothing: unused is then m.Blob.
	AddMend(ctx context.Context, m Mend) (unused BlobRef, err error)
	// Mends returns the mend records of a snapshot, the oldest first.
	Mends(ctx context.Context, client ClientID, name string, number uint32) ([]Mend, error)
	// RestoreMend is AddMend for rebuilding a catalog: no run is asked for, nor
	// that the packs are there.
	RestoreMend(ctx context.Context, m Mend) error
}
