package snapshot

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"strings"
	"sync"

	"filippo.io/age"
)

// ErrBadIdentity: the text is not one age identity of a kind that snapshots
// know. It never quotes the text.
var ErrBadIdentity = errors.New("not an age identity")

// ErrBadRecipient: the text is not one age recipient of a kind that snapshots
// know.
var ErrBadRecipient = errors.New("not an age recipient")

// An Identity opens what was sealed to its recipient.
type Identity interface {
	age.Identity
	String() string // the secret, as age writes it
}

// ParseIdentity reads the one age identity in text, and returns it with its
// recipient.
func ParseIdentity(text string) (Identity, age.Recipient, error) {
	keys, err := age.ParseIdentities(strings.NewReader(strings.TrimSpace(text)))
	if err != nil || len(keys) != 1 {
		return nil, nil, ErrBadIdentity
	}
	switch key := keys[0].(type) {
	case *age.HybridIdentity:
		return key, key.Recipient(), nil
	case *age.X25519Identity:
		return key, key.Recipient(), nil
	default:
		return nil, nil, ErrBadIdentity
	}
}

// ParseRecipient reads the text of one recipient ("age1...") of a kind that
// identities of snapshots have. It fails with ErrBadRecipient.
func ParseRecipient(text string) (age.Recipient, error) {
	to, err := age.ParseRecipients(strings.NewReader(text))
	if err != nil || len(to) != 1 {
		return nil, ErrBadRecipient
	}
	switch to[0].(type) {
	case *age.HybridRecipient, *age.X25519Recipient:
		return to[0], nil
	}
	return nil, ErrBadRecipient
}

// Epoch names the recipient that packs are sealed to, as a fingerprint of its
// text ("age1..."). A new identity begins a new epoch.
func Epoch(recipient string) string {
	sum := sha256.Sum256([]byte(recipient))
	return hex.EncodeToString(sum[:8])
}

// Keys are the secrets of one key set: the owner's, or a send-only machine's.
// They are derived from an age identity, and open nothing that is sealed. Safe
// for concurrent use; they print as nothing.
type Keys struct {
	machine MachineID
	secrets [len(purposes)][keySize]byte
	hashes  [len(purposes)]sync.Pool // of *macHash
}

const keySize = 32

// What a key is for; the place in Keys.secrets.
const (
	forIDs = iota
	forCuts
	forLabels
	forManifests
	forHeads
)

var purposes = [...]string{"id", "cut", "label", "manifest", "head"}

// DeriveKeys derives a key set from the text of an age identity: the owner's
// own for the zero MachineID, otherwise the machine's. It fails with
// ErrBadIdentity.
func DeriveKeys(identity string, machine MachineID) (*Keys, error) {
	id, _, err := ParseIdentity(identity)
	if err != nil {
		return nil, err
	}
	kind, secret, err := identitySecret(id.String())
	if err != nil {
		return nil, err
	}
	k := &Keys{machine: machine}
	for i, purpose := range purposes {
		info := "coffer snapshot v1\x00" + kind + "\x00" + purpose
		if machine != (MachineID{}) {
			info += "\x00" + string(machine[:])
		}
		key, err := hkdf.Key(sha256.New, secret, nil, info, keySize)
		if err != nil {
			return nil, fmt.Errorf("derive the keys of snapshots: %w", err)
		}
		copy(k.secrets[i][:], key)
	}
	return k, nil
}

// ImportKeys reads what [Keys.Export] returned.
func ImportKeys(text string) (*Keys, error) {
	const size = len(MachineID{}) + len(purposes)*keySize
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != size {
		return nil, errors.New("not a key set of snapshots")
	}
	k := &Keys{}
	rest := raw[copy(k.machine[:], raw):]
	for i := range k.secrets {
		rest = rest[copy(k.secrets[i][:], rest):]
	}
	return k, nil
}

// Export is the key set as text, for the profile of a send-only machine. It is
// secret.
func (k *Keys) Export() string {
	raw := append([]byte(nil), k.machine[:]...)
	for i := range k.secrets {
		raw = append(raw, k.secrets[i][:]...)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// Machine is whose keys these are.
func (k *Keys) Machine() MachineID { return k.machine }

// Cut is the key that the table of a cutter is made from.
func (k *Keys) Cut() [32]byte { return k.secrets[forCuts] }

// ChunkID is the id of content of a kind.
func (k *Keys) ChunkID(kind Kind, plaintext []byte) ChunkID {
	return k.mac(forIDs, kind, plaintext)
}

// A macHash is what an HMAC needs, kept so that nothing is allocated for small
// content.
type macHash struct {
	hash.Hash
	kind [1]byte
	sum  [sha256.Size]byte
}

// noKind: the HMAC is of the content alone.
const noKind Kind = 0

// mac is HMAC-SHA-256 under one of the keys, of a kind and content.
func (k *Keys) mac(purpose int, kind Kind, content []byte) [sha256.Size]byte {
	h, _ := k.hashes[purpose].Get().(*macHash)
	if h == nil {
		h = &macHash{Hash: hmac.New(sha256.New, k.secrets[purpose][:])}
	}
	h.Reset()
	if kind != noKind {
		h.kind[0] = byte(kind)
		h.Write(h.kind[:])
	}
	h.Write(content)
	h.Sum(h.sum[:0])
	sum := h.sum
	k.hashes[purpose].Put(h)
	return sum
}

// wirePrefix begins the name of every snapshot on the wire.
const wirePrefix = "s/"

// WireName is what the server knows a label as.
func (k *Keys) WireName(label string) string {
	sum := k.mac(forLabels, noKind, []byte(label))
	return wirePrefix + hex.EncodeToString(sum[:16])
}

// IsWireName reports whether a name can be that of a snapshot on the wire.
func IsWireName(name string) bool {
	digits, found := strings.CutPrefix(name, wirePrefix)
	return found && len(digits) == 32 && strings.Trim(digits, "0123456789abcdef") == ""
}

// Format prints whose keys these are, whatever the verb.
func (k *Keys) Format(f fmt.State, _ rune) { fmt.Fprint(f, "keys:"+k.machine.String()) }

// LogValue logs whose keys these are.
func (k *Keys) LogValue() slog.Value { return slog.StringValue("keys:" + k.machine.String()) }

// The human-readable parts of age identities, and what the kinds are called in
// derivations.
const (
	x25519Prefix = "AGE-SECRET-KEY-1"
	hybridPrefix = "AGE-SECRET-KEY-PQ-1"
)

// identitySecret returns the kind of an age identity and the bytes that its
// text encodes. The text is one that age has parsed, so its checksum is right.
func identitySecret(text string) (kind string, secret []byte, err error) {
	const checksum = 6
	data, isX25519 := strings.CutPrefix(text, x25519Prefix)
	kind = "x25519"
	if !isX25519 {
		data, _ = strings.CutPrefix(text, hybridPrefix)
		kind = "mlkem768x25519"
	}
	if len(data) == len(text) || len(data) < checksum {
		return "", nil, ErrBadIdentity
	}
	secret, err = bech32Bits(data[:len(data)-checksum])
	if err != nil || len(secret) != 32 {
		return "", nil, ErrBadIdentity
	}
	return kind, secret, nil
}

// bech32Bits decodes the characters of a bech32 string, without its checksum.
func bech32Bits(data string) ([]byte, error) {
	const alphabet = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
	var out []byte
	var bits, have uint
	for _, c := range []byte(data) {
		value := strings.IndexByte(alphabet, c)
		if value < 0 {
			return nil, ErrBadIdentity
		}
		bits, have = bits<<5|uint(value), have+5
		if have >= 8 {
			have -= 8
			out = append(out, byte(bits>>have))
			bits &= 1<<have - 1
		}
	}
	if bits != 0 {
		return nil, ErrBadIdentity
	}
	return out, nil
}
