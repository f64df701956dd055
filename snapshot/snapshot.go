// Package snapshot is what a snapshot is, in bytes: keys and chunk ids, places,
// the pieces of trees and lists, manifests, heads and mend records. It knows no
// file, no socket and no server.
//
// All that it decodes may come from a server that lies: decoders take any bytes,
// never panic, hold memory in proportion to what they were given, and refuse
// what is not exactly in the format. docs/snapshots.md is the format.
package snapshot

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
)

// Bounds that writers keep and readers refuse beyond.
const (
	MaxChunk       = 8 << 20         // plaintext of a chunk
	MaxFrame       = MaxChunk + 4096 // a chunk as a zstd frame
	MaxPackContent = 32 << 20        // plaintext of a pack
	MaxPack        = 32 << 20        // a sealed pack
)

// The errors that callers branch on. They come wrapped.
var (
	// ErrMalformed: the bytes are not in the format.
	ErrMalformed = errors.New("not in the snapshot format")
	// ErrForged: the bytes were not written with these keys, or were changed.
	ErrForged = errors.New("not written with the keys of this account, or changed")
	// ErrTooNew: the bytes are in a version of the format that is not known here.
	ErrTooNew = errors.New("written by a newer version")
	// ErrTooLarge: the content does not fit into what the format allows.
	ErrTooLarge = errors.New("too large for the snapshot format")
)

// malformed is an ErrMalformed with its reason.
func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// A ChunkID names content: HMAC-SHA-256 of its kind and plaintext under the id
// key. It is the truth; a place is a hint.
type ChunkID [32]byte

// A PackID is the SHA-256 of a pack's sealed bytes. The zero PackID in a place
// stands for the pack that quotes it.
type PackID [32]byte

// A RunID names one run of a backup.
type RunID [16]byte

// A MachineID names a send-only machine. The zero MachineID stands for the owner.
type MachineID [16]byte

// A Kind says what a chunk is, so that no chunk passes as one of another kind.
type Kind byte

// The kinds of chunks. List chunks lie in tree packs.
const (
	Data Kind = 1
	Tree Kind = 2
	List Kind = 3
)

// ids are written in base64url without padding, and in one way only.
var ids = base64.RawURLEncoding.Strict()

func (id ChunkID) String() string   { return ids.EncodeToString(id[:]) }
func (id PackID) String() string    { return ids.EncodeToString(id[:]) }
func (id RunID) String() string     { return ids.EncodeToString(id[:]) }
func (id MachineID) String() string { return ids.EncodeToString(id[:]) }

// Hex is the pack id as file names and sha256sum have it.
func (id PackID) Hex() string { return hex.EncodeToString(id[:]) }

func (id ChunkID) MarshalText() ([]byte, error)   { return ids.AppendEncode(nil, id[:]), nil }
func (id PackID) MarshalText() ([]byte, error)    { return ids.AppendEncode(nil, id[:]), nil }
func (id MachineID) MarshalText() ([]byte, error) { return ids.AppendEncode(nil, id[:]), nil }

func (id *ChunkID) UnmarshalText(text []byte) error   { return decodeID(id[:], text) }
func (id *PackID) UnmarshalText(text []byte) error    { return decodeID(id[:], text) }
func (id *MachineID) UnmarshalText(text []byte) error { return decodeID(id[:], text) }

// decodeID fills id from its text.
func decodeID[T string | []byte](id []byte, text T) error {
	if len(text) != ids.EncodedLen(len(id)) {
		return malformed("an id of %d characters", len(text))
	}
	var buf [48]byte
	n, err := ids.Decode(id, append(buf[:0], text...))
	if err != nil || n != len(id) {
		return malformed("an id that is not base64url")
	}
	return nil
}
