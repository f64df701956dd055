package store

import (
	"context"
	"encoding/hex"
	"io"
	"time"
)

// A PackID names a pack: the SHA-256 of its sealed bytes.
type PackID [32]byte

// String is the id in hexadecimal.
func (id PackID) String() string { return hex.EncodeToString(id[:]) }

// MaxPack is how large a pack may be, in sealed bytes.
const MaxPack = 32 << 20

// A PackState says whether a pack can be relied on.
type PackState uint8

// The states. A dead pack never comes back: if the same bytes
// are stored again, they are another pack, with an ordinal of its own.
const (
	PackWhole   PackState = 0
	PackDamaged PackState = 1 // it was read back, and is not what was stored, or not there
	PackDead    PackState = 2 // nothing needs it; it can be read until its blob is removed
)

// A Pack is one that the catalog knows.
type Pack struct {
	Client  ClientID
	ID      PackID
	Ordinal uint32 // numbers the client's packs from 1, never used twice
	Size    int64  // sealed bytes
	State   PackState
	Blob    BlobRef
}

// PackMetadata is stored with a pack, so that a lost catalog can be rebuilt. A
// client's versions say which packs they need by ordinals.
type PackMetadata struct {
	Client  ClientID
	ID      PackID
	Ordinal uint32
	Size    int64
}

// A StoredPack is one found by walking over the packs' blobs.
type StoredPack struct {
	Ref      BlobRef
	Metadata PackMetadata
	Stored   time.Time // when, by the clock of the storage
}

// Packs holds the packs of snapshots, each one a blob of its own whose key is
// random, so that removing one never takes another with it, whatever its id.
// Contents.Open and Contents.Remove read and remove them.
type Packs interface {
	// CreatePack begins to store a pack. Nothing is there until Commit.
	CreatePack(ctx context.Context, meta PackMetadata) (PackWriter, error)
	// WalkPacks visits every pack, in no particular order. It continues past
	// damaged ones, and returns ErrDamaged at the end.
	WalkPacks(ctx context.Context, visit func(StoredPack) error) error
	// RemovePacks removes all packs of a client.
	RemovePacks(ctx context.Context, client ClientID) error

	// Generation returns the mark that SetGeneration left last, "" if none did.
	// A catalog that bears another one is not the one that was used with these
	// blobs last; see maintain.Reconcile.
	Generation(ctx context.Context) (string, error)
	// SetGeneration leaves a mark beside the blobs, on stable storage.
	SetGeneration(ctx context.Context, mark string) error
}

// A PackWriter takes the bytes of a pack, in order. Exactly one of Commit and
// Discard is called, last.
type PackWriter interface {
	io.Writer
	// Commit brings the pack to stable storage. It fails if not exactly as many
	// bytes were written as the metadata says. That they have the right SHA-256
	// is for the caller to check before. If it fails, nothing is left.
	Commit(ctx context.Context) (BlobRef, error)
	// Discard leaves nothing behind.
	Discard() error
}

// PackUsage is how much of a client's storage is packs.
type PackUsage struct {
	Packs int64 // without dead ones
	Bytes int64 // of these
	Dead  int64 // waiting to be removed
	Freed int64 // bytes that this will free
}

// PackIndex is the part of the catalog that knows which packs there are. Their
// bytes count in a client's Usage from AddPack until ForgetPacks.
type PackIndex interface {
	// Pack finds a pack by its id, or returns ErrNoPack. A dead one is found if
	// there is no other: what reads may end.
	Pack(ctx context.Context, client ClientID, id PackID) (Pack, error)
	// PacksByID finds packs that are not dead; the answer has one element for
	// each id, zero for a pack that is not there.
	PacksByID(ctx context.Context, client ClientID, ids []PackID) ([]Pack, error)
	// PacksByOrdinal finds packs, dead ones too; the answer has one element for
	// each ordinal, zero for a pack that is not there.
	PacksByOrdinal(ctx context.Context, client ClientID, ordinals []uint32) ([]Pack, error)
	// ListPacks returns up to limit packs of a client with a higher ordinal,
	// in their order, dead ones too.
	ListPacks(ctx context.Context, client ClientID, after uint32, limit int) ([]Pack, error)
	// MarkDamaged notes that packs are damaged, or, with whole, that they are
	// not. Dead and missing packs are skipped.
	MarkDamaged(ctx context.Context, client ClientID, ordinals []uint32, whole bool) error
	// PackUsage returns how much of a client's storage is packs; zero for a
	// client that has none.
	PackUsage(ctx context.Context, client ClientID) (PackUsage, error)
	// PackOwners visits the clients that have packs, or had some.
	PackOwners(ctx context.Context, visit func(ClientID) error) error
	// AddPacks adds packs under their own ordinals: for rebuilding a catalog,
	// and for reconciling one with its blobs. It leaves out a pack whose
	// ordinal was used, or whose id belongs to another pack of the client that
	// is not dead; added is the number of the others. ErrNoClient if the client
	// is gone.
	AddPacks(ctx context.Context, client ClientID, packs []Pack) (added int, err error)
	// SettlePacks ends what AddPacks began, while no run is under way: packs
	// that snapshots need and that were not added are lost from then on. No
	// later snapshot can need them.
	SettlePacks(ctx context.Context, client ClientID) error
}
