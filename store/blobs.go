package store

import (
	"context"
	"io"
	"time"
)

// SmallBlob is the size in bytes up to which a whole ciphertext is handed to
// Blobs.Put at once. Larger ones gather in a Part.
const SmallBlob = 64 << 10

// A BlobRef says where a blob is. Only the Blobs that made it can read it; no
// part of it comes from the wire.
type BlobRef string

// Metadata is stored with each blob, so that its owner can open the ciphertext,
// and a lost catalog can be rebuilt, from the blobs alone.
type Metadata struct {
	Upload         UploadID  `json:"upload"`
	ByID           bool      `json:"by_id,omitempty"` // the upload is named by its id, not by client and file name
	Client         ClientID  `json:"client"`
	Name           string    `json:"name"`            // file name, UTF-8
	WireName       []byte    `json:"wire_name"`       // file name as the client sent it
	WrappedKey     []byte    `json:"wrapped_key"`     // session key, RSA-OAEP for the client's public key
	KeyFingerprint [32]byte  `json:"key_fingerprint"` // SHA-256 of that public key's DER
	OAEPHash       string    `json:"oaep_hash"`
	Format         uint8     `json:"format"`        // what the client says the content is, opaque to storage
	Size           int64     `json:"size"`          // ciphertext bytes
	OriginalSize   int64     `json:"original_size"` // plaintext bytes
	Cksum          uint32    `json:"cksum"`         // POSIX cksum of the plaintext
	SHA256         [32]byte  `json:"sha256"`        // of the ciphertext, made as it came in
	Received       time.Time `json:"received"`      // when it was complete, by the server's clock

	Snapshot *SnapshotMetadata `json:"snapshot,omitempty"` // of a manifest or a mend record; else nil
}

// A Confirmation is the mark that a blob has become a version of its file.
type Confirmation struct {
	Number   uint32
	Verified bool
	Created  time.Time
}

// A StoredBlob is one found by walking over the blobs. Confirmed is nil while
// the client has not confirmed the checksum.
type StoredBlob struct {
	Ref       BlobRef
	Metadata  Metadata
	Confirmed *Confirmation
}

// An AccountRecord is the copy of an account that lies beside its blobs, so
// that a lost catalog can be rebuilt.
type AccountRecord struct {
	Client Client // without session key and LastSeen
	Bundle []byte // nil if it has none
	Former []FormerKey

	// Early marks a record of a version that knew neither BaseClosed nor APIID.
	// Both then follow from the rest of the record.
	Early bool
}

// A Blob is an open blob: exactly the ciphertext as the client sent it.
type Blob interface {
	io.ReaderAt
	io.Closer
	// Size is the number of ciphertext bytes.
	Size() int64
}

// Contents holds ciphertext, as blobs. What Put and Part.Commit return is on
// stable storage.
type Contents interface {
	// Put stores a small blob, of at most SmallBlob and exactly meta.Size
	// bytes, whole. Concurrent calls share one sync. It does not keep content.
	Put(ctx context.Context, meta Metadata, content []byte) (BlobRef, error)
	// Confirm marks a blob as a committed version. The mark is for rebuilding
	// a lost catalog; it is written, not synced.
	Confirm(ctx context.Context, ref BlobRef, mark Confirmation) error
	// Open opens a blob for reading, or returns ErrNoBlob.
	Open(ctx context.Context, ref BlobRef) (Blob, error)
	// Remove removes a blob; one that is not there is no error. A blob that
	// is open elsewhere can be read to its end.
	Remove(ctx context.Context, ref BlobRef) error

	// Pending visits the blobs that are sealed and not confirmed, and were
	// received after since.
	Pending(ctx context.Context, since time.Time, visit func(StoredBlob) error) error
	// Walk visits every blob, confirmed or not. Like Pending and AccountRecords
	// it continues past damaged ones, and returns ErrDamaged at the end.
	Walk(ctx context.Context, visit func(StoredBlob) error) error
}

// Parts holds what gathers until it is a blob.
type Parts interface {
	// NewPart begins a part for an upload; header is opaque and is given back
	// by Parts.
	NewPart(ctx context.Context, id UploadID, header []byte) (Part, error)
	// Parts visits the parts that an earlier run left, with their headers and
	// the records logged so far. Keeping the part is up to visit: it must
	// Discard, Commit or Close it, now or later. Parts of this run, and those
	// visited before, are passed over.
	Parts(ctx context.Context, visit func(p Part, header []byte, records [][]byte) error) error
}

// AccountRecords keeps an account record for each client, beside its blobs.
type AccountRecords interface {
	// PutAccountRecord writes a client's record; RemoveAccountRecord removes it.
	PutAccountRecord(ctx context.Context, c AccountRecord) error
	RemoveAccountRecord(ctx context.Context, id ClientID) error
	// AccountRecords visits every record.
	AccountRecords(ctx context.Context, visit func(AccountRecord) error) error
}

// A Disk has room, or has not.
type Disk interface {
	// Space returns the bytes that are free for blobs and in all.
	Space() (free, total uint64, err error)
	// Check reports whether the blobs can be read and written.
	Check(ctx context.Context) error
}

// Blobs is all of what lies beside the catalog. Whoever needs a part of it asks
// for that part alone.
type Blobs interface {
	Contents
	Parts
	Packs
	AccountRecords
	Disk
	// Close syncs and closes.
	Close() error
}

// A Part is where the packets of one unfinished upload gather. It survives a
// killed process, though not necessarily a power cut. Its methods may be
// called from several goroutines, Commit and Discard once and last.
type Part interface {
	// ID returns the id of the upload.
	ID() UploadID
	// Content is the ciphertext so far, in order, from its first byte.
	Content() File
	// Waiting is room for packets whose turn has not come.
	Waiting() File
	// Log appends a record of at most 255 bytes, which Parts returns.
	Log(record []byte) error
	// Commit makes the first meta.Size bytes of Content a blob, on stable
	// storage, and removes the rest of the part. If it fails, the part stays.
	Commit(ctx context.Context, meta Metadata) (BlobRef, error)
	// Discard removes the part.
	Discard() error
	// Close releases the part's open files; it can be used again.
	Close() error
}

// A File is random access to bytes that grow as they are written.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
}
