package files

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"coffer/store"
)

const sidecarSuffix = ".json"

// A sidecar ends in a line of fixed length, which confirming a blob overwrites
// in place, so that what was synced before it is not touched again.
const (
	confirmedKey  = `  "confirmed": `
	confirmedSize = 96
	sidecarEnd    = "\n}\n"
)

// maxSidecar bounds what is read of one: what a snapshot needs may take some
// megabytes.
const maxSidecar = 16 << 20

// A sidecar is the metadata of a large blob as a person can read it.
type sidecar struct {
	Upload         hexBytes      `json:"upload"`
	ByID           bool          `json:"by_id"`
	Client         hexBytes      `json:"client"`
	Name           string        `json:"name"`
	WireName       []byte        `json:"wire_name_base64"`
	WrappedKey     []byte        `json:"wrapped_key_base64"`
	KeyFingerprint hexBytes      `json:"key_fingerprint"`
	OAEPHash       string        `json:"oaep_hash"`
	Format         uint8         `json:"format"`
	Size           int64         `json:"size"`
	OriginalSize   int64         `json:"original_size"`
	Cksum          uint32        `json:"cksum"`
	SHA256         hexBytes      `json:"sha256"`
	Received       time.Time     `json:"received"`
	Snapshot       *snapshot     `json:"snapshot,omitempty"`
	Confirmed      *confirmation `json:"confirmed,omitempty"`
}

// A snapshot is what a manifest or a mend record has beside the rest.
type snapshot struct {
	Run       hexBytes `json:"run"`
	Mend      bool     `json:"mend"`
	Head      []byte   `json:"head_base64"`
	Packs     []byte   `json:"packs_roaring_base64"`
	PackBytes int64    `json:"pack_bytes"`
}

type confirmation struct {
	Version  uint32    `json:"version"`
	Verified bool      `json:"verified"`
	Created  time.Time `json:"created"`
}

// hexBytes are bytes that read as hexadecimal.
type hexBytes []byte

// MarshalText implements encoding.TextMarshaler.
func (h hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.AppendDecode(nil, text)
	return err
}

// encodeSidecar is the sidecar of a blob that is not confirmed.
func encodeSidecar(l *store.Metadata) ([]byte, error) {
	var snap *snapshot
	if s := l.Snapshot; s != nil {
		snap = &snapshot{Run: s.Run[:], Mend: s.Mend, Head: s.Head, Packs: s.Packs, PackBytes: s.PackBytes}
	}
	b, err := json.MarshalIndent(sidecar{
		Upload:         l.Upload[:],
		ByID:           l.ByID,
		Client:         l.Client[:],
		Name:           l.Name,
		WireName:       l.WireName,
		WrappedKey:     l.WrappedKey,
		KeyFingerprint: l.KeyFingerprint[:],
		OAEPHash:       l.OAEPHash,
		Format:         l.Format,
		Size:           l.Size,
		OriginalSize:   l.OriginalSize,
		Cksum:          l.Cksum,
		SHA256:         l.SHA256[:],
		Received:       l.Received.UTC(),
		Snapshot:       snap,
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	b = append(bytes.TrimSuffix(b, []byte("\n}")), ",\n"+confirmedKey...)
	b = append(b, padConfirmation([]byte("null"))...)
	return append(b, sidecarEnd...), nil
}

func padConfirmation(value []byte) []byte { return fmt.Appendf(nil, "%-*s", confirmedSize, value) }

// confirmationOffset is where the confirmation lies in a sidecar of so many
// bytes.
func confirmationOffset(size int64) int64 {
	return size - int64(len(sidecarEnd)) - confirmedSize
}

// encodeConfirmation is what overwrites the end of a sidecar.
func encodeConfirmation(c store.Confirmation) ([]byte, error) {
	b, err := json.Marshal(confirmation{Version: c.Number, Verified: c.Verified, Created: c.Created.UTC()})
	if err != nil {
		return nil, err
	}
	if len(b) > confirmedSize {
		return nil, fmt.Errorf("a confirmation of %d bytes is too long", len(b))
	}
	return padConfirmation(b), nil
}

// decodeSidecar reads a sidecar. One with a broken confirmation is one without.
func decodeSidecar(b []byte) (store.Metadata, *store.Confirmation, error) {
	var s sidecar
	if err := json.Unmarshal(b, &s); err != nil {
		at := confirmationOffset(int64(len(b)))
		if at < 0 {
			return store.Metadata{}, nil, errMetadata
		}
		b = append(append(bytes.Clone(b[:at]), "null"...), sidecarEnd...)
		s = sidecar{}
		if err := json.Unmarshal(b, &s); err != nil {
			return store.Metadata{}, nil, errMetadata
		}
	}
	l := store.Metadata{
		ByID:         s.ByID,
		Name:         s.Name,
		WireName:     clone(s.WireName),
		WrappedKey:   clone(s.WrappedKey),
		OAEPHash:     s.OAEPHash,
		Format:       s.Format,
		Size:         s.Size,
		OriginalSize: s.OriginalSize,
		Cksum:        s.Cksum,
		Received:     s.Received.UTC(),
	}
	if s.Snapshot != nil {
		l.Snapshot = &store.SnapshotMetadata{Mend: s.Snapshot.Mend, Head: clone(s.Snapshot.Head),
			Packs: clone(s.Snapshot.Packs), PackBytes: s.Snapshot.PackBytes}
		if copy(l.Snapshot.Run[:], s.Snapshot.Run) != len(s.Snapshot.Run) || len(s.Snapshot.Run) != len(l.Snapshot.Run) {
			return store.Metadata{}, nil, errMetadata
		}
	}
	for _, field := range []struct {
		to   []byte
		from hexBytes
	}{
		{l.Upload[:], s.Upload},
		{l.Client[:], s.Client},
		{l.KeyFingerprint[:], s.KeyFingerprint},
		{l.SHA256[:], s.SHA256},
	} {
		if copy(field.to, field.from) != len(field.to) || len(field.from) != len(field.to) {
			return store.Metadata{}, nil, errMetadata
		}
	}
	if s.Confirmed == nil {
		return l, nil, nil
	}
	return l, &store.Confirmation{
		Number:   s.Confirmed.Version,
		Verified: s.Confirmed.Verified,
		Created:  s.Confirmed.Created.UTC(),
	}, nil
}

// readSidecar reads the sidecar of a large blob.
func readSidecar(root *os.Root, at place) (store.Metadata, *store.Confirmation, error) {
	f, err := root.Open(at.sidecar())
	if err != nil {
		return store.Metadata{}, nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSidecar))
	if err != nil {
		return store.Metadata{}, nil, err
	}
	return decodeSidecar(b)
}
