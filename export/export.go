// Package export is the folder into which one client's files are exported, so
// that they can be opened without any server: the ciphertext as it was stored,
// and a manifest that says what it is and holds the wrapped keys.
//
//	manifest.json   a Manifest; written last, so that it is there only once all
//	                of what it lists is
//	content/ab12…   a ciphertext, named by its SHA-256 in hexadecimal
//	packs/ab/ab12…  a pack that snapshots need, named by its id, which is its
//	                SHA-256; there only if there are snapshots
//
// A version with "snapshot" in the manifest is one: its content is the sealed
// manifest of the snapshot, which names trees, which name packs.
//
// It knows the layout and nothing else: no storage, no wire, no keys. Nothing in
// an export is secret that was not secret on the server: without the client's
// private key it opens nothing. See docs/operations.md.
package export

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Names in an export's folder.
const (
	ManifestName = "manifest.json"
	ContentName  = "content"
	PacksName    = "packs"
)

// What every manifest says it is. Version is 1 if there are no snapshots, so
// that earlier programs can read it, and WithSnapshots if there are some.
const (
	Format        = "coffer-export"
	Version       = 1
	WithSnapshots = 2
)

var (
	// ErrManifest: the manifest is none, or breaks its own rules.
	ErrManifest = errors.New("not the manifest of an export")
	// ErrContent: what should be content is not what the manifest says.
	ErrContent = errors.New("does not match the manifest")
	// ErrNoFile: the export has no such file, or not that version of it.
	ErrNoFile = errors.New("no such file in the export")
)

// A Manifest lists everything of one client.
type Manifest struct {
	Format    string    `json:"format"`  // "coffer-export"
	Version   int       `json:"version"` // 1, or 2 with snapshots
	Client    string    `json:"client"`  // its name
	PublicKey []byte    `json:"public_key,omitempty"`
	Created   time.Time `json:"created"`
	Files     []File    `json:"files"` // by name, the newest version first
}

// A File is one version of one file.
type File struct {
	Name           string    `json:"name"`
	Version        uint32    `json:"version"`
	Size           int64     `json:"size"`          // of the ciphertext
	OriginalSize   int64     `json:"original_size"` // of the plaintext
	Cksum          uint32    `json:"cksum"`         // POSIX cksum of the plaintext
	SHA256         Hash      `json:"sha256"`        // of the ciphertext; names its file in content
	Format         uint8     `json:"format"`        // see docs/protocol.md: 0 unknown, 1 file, 2 sealed file, 3 folder, 4 sealed folder
	Verified       bool      `json:"verified"`
	Created        time.Time `json:"created"`
	OAEPHash       string    `json:"oaep_hash"`       // "sha256" or "sha1"
	KeyFingerprint Hash      `json:"key_fingerprint"` // SHA-256 of the public key that the session key is wrapped for, DER
	WrappedKey     []byte    `json:"wrapped_key"`     // the session key, RSA-OAEP
	Snapshot       *Snapshot `json:"snapshot,omitempty"`
}

// A Snapshot is what a version has that is one. It has no wrapped key: its
// content is sealed to its owner and nothing else.
type Snapshot struct {
	Head  []byte `json:"head"`            // what lists show, sealed
	Run   Hex    `json:"run"`             // that made it, 16 bytes
	Packs int64  `json:"packs"`           // how many it needs
	Lost  []Hash `json:"lost,omitempty"`  // those of them that could not be exported
	Mends []Hash `json:"mends,omitempty"` // mend records in content, the oldest first
}

// Hex are bytes, as text in hexadecimal.
type Hex []byte

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.AppendDecode(nil, text)
	return err
}

// A Hash is a SHA-256, as text in hexadecimal.
type Hash [32]byte

// String is the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(h) {
		return errors.New("not 64 hexadecimal digits")
	}
	*h = Hash(b)
	return nil
}

// Parse reads a manifest and checks what can be checked without its contents.
func Parse(text []byte) (*Manifest, error) {
	m := new(Manifest)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if m.Format != Format {
		return nil, ErrManifest
	}
	if m.Version < Version || m.Version > WithSnapshots {
		return nil, fmt.Errorf("%w: its layout is %d, but this program reads up to %d", ErrManifest, m.Version, WithSnapshots)
	}
	type version struct {
		name   string
		number uint32
	}
	seen := make(map[version]bool, len(m.Files))
	for i := range m.Files {
		f := &m.Files[i]
		switch v := (version{f.Name, f.Version}); {
		case f.Name == "" || f.Version == 0 || seen[v]:
			return nil, fmt.Errorf("%w: file %d has no name, no version, or a duplicate of both", ErrManifest, i)
		case f.Snapshot != nil:
			if f.Size < 0 || m.Version < WithSnapshots {
				return nil, fmt.Errorf("%w: %q must not be a snapshot", ErrManifest, f.Name)
			}
			seen[v] = true
		case f.OriginalSize < 0 || f.Size != f.OriginalSize-f.OriginalSize%16+16 || f.Size < 0:
			return nil, fmt.Errorf("%w: the sizes of %q do not match", ErrManifest, f.Name)
		case f.OAEPHash != "sha256" && f.OAEPHash != "sha1":
			return nil, fmt.Errorf("%w: %q has an unknown OAEP hash", ErrManifest, f.Name)
		default:
			seen[v] = true
		}
	}
	return m, nil
}

// A Folder is an export that is there to be read.
type Folder struct {
	Manifest
	path string
}

// Open reads the manifest of an export.
func Open(folder string) (*Folder, error) {
	text, err := readManifest(filepath.Join(folder, ManifestName))
	if err != nil {
		return nil, fmt.Errorf("opening the export: %w", err)
	}
	m, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("opening the export %s: %w", folder, err)
	}
	return &Folder{*m, folder}, nil
}

// Find finds a version of a file, the newest if version is 0.
func (f *Folder) Find(name string, version uint32) (*File, error) {
	var found *File
	for i := range f.Files {
		file := &f.Files[i]
		if file.Name == name && (file.Version == version || version == 0 && (found == nil || file.Version > found.Version)) {
			found = file
		}
	}
	if found == nil {
		return nil, ErrNoFile
	}
	return found, nil
}

// Content opens a file's ciphertext, which has the size that the manifest says.
// Whoever reads it has to compare its SHA-256.
func (f *Folder) Content(file *File) (io.ReadCloser, error) {
	content, size, err := openRegular(ContentPath(f.path, file.SHA256))
	if err != nil {
		return nil, err
	}
	if size != file.Size {
		content.Close()
		return nil, fmt.Errorf("%w: %s has %d bytes, but %d are listed", ErrContent, ContentPath(f.path, file.SHA256), size, file.Size)
	}
	return content, nil
}

// Pack opens a pack. Whoever reads it has to compare its SHA-256.
func (f *Folder) Pack(id Hash) (content *os.File, size int64, err error) {
	return openRegular(PackPath(f.path, id))
}

// Mend opens a mend record of a snapshot, by its SHA-256, which the reader has
// to compare.
func (f *Folder) Mend(sum Hash) (content *os.File, size int64, err error) {
	return openRegular(ContentPath(f.path, sum))
}

// maxManifest bounds what is read as a manifest, in bytes: some million
// versions.
const maxManifest = 1 << 30

func readManifest(path string) ([]byte, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxManifest {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrManifest, size)
	}
	return io.ReadAll(io.LimitReader(f, size))
}

// openRegular opens a file of an untrusted export, and refuses files that would
// block its reader: pipes and devices.
func openRegular(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: %s is not a file", ErrContent, path)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// ContentPath is where in an export a ciphertext is.
func ContentPath(folder string, sum Hash) string {
	return filepath.Join(folder, ContentName, sum.String())
}

// PackPath is where in an export a pack is.
func PackPath(folder string, id Hash) string {
	return filepath.Join(folder, PacksName, id.String()[:2], id.String())
}
