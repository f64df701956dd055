package snapshot

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"filippo.io/age"
)

// Format and version of manifests.
const (
	manifestFormat  = "coffer snapshot"
	manifestVersion = 1
)

// Bounds of a manifest.
const (
	MaxManifest   = 16 << 20 // sealed
	MaxUnreadable = 1000     // entries that a manifest names
)

// A Manifest says what one snapshot is, and where its tree begins.
type Manifest struct {
	Epoch   string    // of the recipient that everything is sealed to
	Machine MachineID // that wrote it; zero: the owner
	Label   string
	Host    string
	Source  string // where it comes from, for telling sources under one label apart
	Paths   []string
	// Root is the folder, file or stream itself; for several paths a virtual
	// folder, with all of them below it.
	Root   Entry
	Totals Totals
	// Unreadable are the first entries that could not be read; Totals counts all.
	Unreadable []Unreadable
	Excludes   []string
	Tags       []string
	Tool       string
	Start, End time.Time
	Cut        CutSizes
	Before     *Before // nil: the first of its label
	Packs      PackList
}

// Totals count what is in a snapshot.
type Totals struct {
	Files      uint64 `json:"files"`
	Dirs       uint64 `json:"dirs"`
	Bytes      uint64 `json:"bytes"`      // of all files
	Added      uint64 `json:"added"`      // of content that was new
	Stored     uint64 `json:"stored"`     // of packs that were new
	Unreadable uint64 `json:"unreadable"` // entries left out or incomplete
}

// An Unreadable is an entry that was left out.
type Unreadable struct {
	Path   string // any bytes
	Reason string
}

// CutSizes are the sizes that content was cut with.
type CutSizes struct {
	Min uint32 `json:"min"`
	Avg uint32 `json:"avg"`
	Max uint32 `json:"max"`
}

// Before names the version that was there when the snapshot was made.
type Before struct {
	Version uint32         `json:"version"`
	Digest  ManifestDigest `json:"digest"` // of its sealed manifest
}

// A ManifestDigest is the SHA-256 of a sealed manifest.
type ManifestDigest [sha256.Size]byte

func (d ManifestDigest) MarshalText() ([]byte, error) { return ids.AppendEncode(nil, d[:]), nil }

func (d *ManifestDigest) UnmarshalText(text []byte) error { return decodeID(d[:], text) }

// A PackList is what the packs of a snapshot must be.
type PackList struct {
	Count  uint64         `json:"count"`
	Digest ManifestDigest `json:"digest"` // of their ids, see [DigestPacks]
}

// DigestPacks is the SHA-256 of pack ids that come in ascending order, one
// after another.
func DigestPacks(sorted func(yield func(PackID) bool)) PackList {
	h := sha256.New()
	var list PackList
	for id := range sorted {
		h.Write(id[:])
		list.Count++
	}
	h.Sum(list.Digest[:0])
	return list
}

// manifestJSON is a Manifest as it is written.
type manifestJSON struct {
	Format     string           `json:"format"`
	Version    int              `json:"version"`
	Epoch      string           `json:"epoch"`
	Machine    *MachineID       `json:"machine,omitempty"`
	Label      string           `json:"label"`
	Host       string           `json:"host,omitempty"`
	Source     string           `json:"source"`
	Paths      []string         `json:"paths,omitempty"`
	Root       rootJSON         `json:"root"`
	Totals     Totals           `json:"totals"`
	Unreadable []unreadableJSON `json:"unreadable,omitempty"`
	Excludes   []string         `json:"excludes,omitempty"`
	Tags       []string         `json:"tags,omitempty"`
	Tool       string           `json:"tool,omitempty"`
	Start      time.Time        `json:"start"`
	End        time.Time        `json:"end"`
	Cut        CutSizes         `json:"cut"`
	Before     *Before          `json:"before,omitempty"`
	Packs      PackList         `json:"packs"`
}

// rootJSON is the root, beside the packs that its places quote.
type rootJSON struct {
	Packs json.RawMessage `json:"packs"`
	Entry json.RawMessage `json:"entry"`
}

type unreadableJSON struct {
	Path    string `json:"path,omitempty"`
	PathB64 string `json:"path_b64,omitempty"`
	Reason  string `json:"reason"`
}

// Seal is the manifest as it is stored: one line of JSON, one with its HMAC,
// as an age file. Its places must name their packs.
func (m *Manifest) Seal(keys *Keys, to age.Recipient) ([]byte, error) {
	line, err := m.encode(keys.machine)
	if err != nil {
		return nil, fmt.Errorf("write a manifest: %w", err)
	}
	sealed, err := seal(keys.sign(line), to)
	if err != nil {
		return nil, fmt.Errorf("write a manifest: %w", err)
	}
	if len(sealed) > MaxManifest {
		return nil, fmt.Errorf("write a manifest: %w", ErrTooLarge)
	}
	return sealed, nil
}

func (m *Manifest) encode(machine MachineID) ([]byte, error) {
	if err := m.Root.checkRoot(); err != nil {
		return nil, err
	}
	var quoted packTable
	root := appendEntry(nil, &m.Root, &quoted)
	j := manifestJSON{
		Format: manifestFormat, Version: manifestVersion,
		Epoch: m.Epoch, Label: m.Label, Host: m.Host, Source: m.Source, Paths: m.Paths,
		Root: rootJSON{Packs: quoted.appendIDs(nil), Entry: root}, Totals: m.Totals,
		Excludes: m.Excludes, Tags: m.Tags, Tool: m.Tool,
		Start: m.Start.UTC().Truncate(time.Millisecond), End: m.End.UTC().Truncate(time.Millisecond),
		Cut: m.Cut, Before: m.Before, Packs: m.Packs,
	}
	if machine != (MachineID{}) {
		j.Machine = &machine
	}
	for _, u := range m.Unreadable[:min(len(m.Unreadable), MaxUnreadable)] {
		if utf8.ValidString(u.Path) {
			j.Unreadable = append(j.Unreadable, unreadableJSON{Path: u.Path, Reason: u.Reason})
		} else {
			j.Unreadable = append(j.Unreadable, unreadableJSON{PathB64: ids.EncodeToString([]byte(u.Path)), Reason: u.Reason})
		}
	}
	return marshalLine(j)
}

// marshalLine is v as one line of JSON, with its line end.
func marshalLine(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// OpenManifest opens what [Manifest.Seal] returned. It calls keys for the key
// set of the machine that the manifest says wrote it (zero: the owner's), and
// fails with ErrForged if it was not written with that.
func OpenManifest(sealed []byte, id age.Identity, keys func(MachineID) (*Keys, error)) (*Manifest, error) {
	if len(sealed) > MaxManifest {
		return nil, fmt.Errorf("read a manifest: %w", ErrTooLarge)
	}
	content, err := unseal(sealed, id)
	if err != nil {
		return nil, fmt.Errorf("read a manifest: %w", err)
	}
	m, err := readManifest(content, keys)
	if err != nil {
		return nil, fmt.Errorf("read a manifest: %w", err)
	}
	return m, nil
}

func readManifest(content []byte, keys func(MachineID) (*Keys, error)) (*Manifest, error) {
	line, sum, err := splitSigned(content)
	if err != nil {
		return nil, err
	}
	var whose struct {
		Format  string    `json:"format"`
		Version int       `json:"version"`
		Machine MachineID `json:"machine"`
	}
	if err := json.Unmarshal(line, &whose); err != nil {
		return nil, malformed("a manifest that is not JSON")
	}
	if whose.Format != manifestFormat {
		return nil, malformed("not a manifest")
	}
	k, err := keys(whose.Machine)
	if err != nil {
		return nil, err
	}
	if k == nil || k.machine != whose.Machine || !k.signed(line, sum) {
		return nil, ErrForged
	}
	if whose.Version != manifestVersion {
		return nil, ErrTooNew
	}
	return decodeManifest(line)
}

func decodeManifest(line []byte) (*Manifest, error) {
	var j manifestJSON
	if err := json.Unmarshal(line, &j); err != nil {
		return nil, malformed("a manifest with members of other types")
	}
	m := &Manifest{
		Epoch: j.Epoch, Label: j.Label, Host: j.Host, Source: j.Source, Paths: j.Paths,
		Totals: j.Totals, Excludes: j.Excludes, Tags: j.Tags, Tool: j.Tool,
		Start: j.Start, End: j.End, Cut: j.Cut, Before: j.Before, Packs: j.Packs,
	}
	if j.Machine != nil {
		m.Machine = *j.Machine
	}
	if len(j.Unreadable) > MaxUnreadable {
		return nil, malformed("%d unreadable entries", len(j.Unreadable))
	}
	for _, u := range j.Unreadable {
		path := u.Path
		if u.PathB64 != "" {
			raw, err := ids.DecodeString(u.PathB64)
			if err != nil {
				return nil, malformed("a path that is not base64url")
			}
			path = string(raw)
		}
		m.Unreadable = append(m.Unreadable, Unreadable{path, u.Reason})
	}
	return m, m.decodeRoot(j.Root)
}

// decodeRoot reads the root, and the packs that it quotes.
func (m *Manifest) decodeRoot(root rootJSON) error {
	s := scanner{text: string(root.Packs)}
	packs := s.packs(nil, PackID{})
	if s.err == nil && s.at != len(s.text) {
		s.fail("more than packs")
	}
	if s.err != nil {
		return s.err
	}
	for _, id := range packs {
		if id == (PackID{}) {
			return malformed("a manifest lies in no pack")
		}
	}
	s = scanner{text: string(root.Entry)}
	s.entry(&m.Root, packs, &placeSlab{})
	if s.err == nil && s.at != len(s.text) {
		s.fail("more than a root")
	}
	if s.err != nil {
		return s.err
	}
	return m.Root.checkRoot()
}

// sign appends to content, which ends with a line end, a line with its HMAC.
func (k *Keys) sign(content []byte) []byte {
	sum := k.mac(forManifests, noKind, content)
	signed := ids.AppendEncode(append([]byte(nil), content...), sum[:])
	return append(signed, '\n')
}

// signed reports whether sum is the HMAC of content.
func (k *Keys) signed(content []byte, sum [sha256.Size]byte) bool {
	want := k.mac(forManifests, noKind, content)
	return hmac.Equal(want[:], sum[:])
}

// splitSigned splits what sign returned.
func splitSigned(signed []byte) (content []byte, sum [sha256.Size]byte, err error) {
	tail := base64.RawURLEncoding.EncodedLen(sha256.Size) + 1
	at := len(signed) - tail
	if at < 1 || signed[at-1] != '\n' || signed[len(signed)-1] != '\n' {
		return nil, sum, malformed("no HMAC at the end")
	}
	if err := decodeID(sum[:], signed[at:len(signed)-1]); err != nil {
		return nil, sum, err
	}
	return signed[:at], sum, nil
}

// seal is content as an age file.
func seal(content []byte, to age.Recipient) ([]byte, error) {
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// ErrWrongIdentity: the bytes are sealed to another identity.
var ErrWrongIdentity = errors.New("sealed to another identity")

// unseal is the content of an age file.
func unseal(sealed []byte, id age.Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), id)
	if err != nil {
		return nil, sealError(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return nil, sealError(err)
	}
	return content, nil
}

// sealError says what an error of age's means.
func sealError(err error) error {
	var noMatch *age.NoIdentityMatchError
	if errors.As(err, &noMatch) {
		return fmt.Errorf("%w: %w", ErrWrongIdentity, err)
	}
	return fmt.Errorf("%w: %w", ErrForged, err)
}
