package snapshot

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// MaxHead is how long a sealed head may be.
const MaxHead = 4096

// A Head is what a list shows of a snapshot, so that listing opens no manifest.
type Head struct {
	Label      string     `json:"label"`
	Source     string     `json:"source"`
	Host       string     `json:"host,omitempty"`
	Machine    *MachineID `json:"machine,omitempty"` // nil: the owner
	Files      uint64     `json:"files"`
	Bytes      uint64     `json:"bytes"`
	Added      uint64     `json:"added"`
	Unreadable uint64     `json:"unreadable,omitempty"`
	Start      time.Time  `json:"start"`
	End        time.Time  `json:"end"`
	Tags       []string   `json:"tags,omitempty"`
}

// Seal encrypts the head for the snapshot that has this name on the wire and
// was made by this run: it opens as no other's. It fails with ErrTooLarge.
func (h *Head) Seal(keys *Keys, wireName string, run RunID) ([]byte, error) {
	line, err := marshalLine(h)
	if err != nil {
		return nil, fmt.Errorf("write a head: %w", err)
	}
	const overhead = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
	if len(line)+overhead > MaxHead {
		return nil, fmt.Errorf("write a head: label, source and tags: %w", ErrTooLarge)
	}
	nonce := make([]byte, chacha20poly1305.NonceSizeX, MaxHead)
	rand.Read(nonce)
	return h.seal(keys, nonce, line, wireName, run)
}

func (h *Head) seal(keys *Keys, nonce, line []byte, wireName string, run RunID) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(keys.secrets[forHeads][:])
	if err != nil {
		return nil, fmt.Errorf("write a head: %w", err)
	}
	return aead.Seal(nonce, nonce, line, headContext(wireName, run)), nil
}

// headContext binds a head to its snapshot.
func headContext(wireName string, run RunID) []byte {
	return append([]byte(wireName), run[:]...)
}

// OpenHead opens what [Head.Seal] returned. It fails with ErrForged if the head
// is another snapshot's, was written with other keys, or was changed.
func OpenHead(sealed []byte, keys *Keys, wireName string, run RunID) (*Head, error) {
	if len(sealed) > MaxHead || len(sealed) < chacha20poly1305.NonceSizeX {
		return nil, fmt.Errorf("read a head: %w", malformed("%d bytes", len(sealed)))
	}
	aead, err := chacha20poly1305.NewX(keys.secrets[forHeads][:])
	if err != nil {
		return nil, fmt.Errorf("read a head: %w", err)
	}
	nonce, box := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	line, err := aead.Open(nil, nonce, box, headContext(wireName, run))
	if err != nil {
		return nil, fmt.Errorf("read a head: %w", ErrForged)
	}
	h := &Head{}
	if err := json.Unmarshal(line, h); err != nil {
		return nil, fmt.Errorf("read a head: %w", malformed("no JSON of a head"))
	}
	return h, nil
}
