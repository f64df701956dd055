package backup

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"coffer/client"
	"coffer/export"
	"coffer/protocol"
	"coffer/protocol/crypt"
)

// What a server is caught at, and what a person may accept all the same.
var (
	// ErrUnsealed: content that anybody could have made, where only what was
	// sealed is taken.
	ErrUnsealed = errors.New("not sealed: the server, or anyone who can change its traffic, could have forged it")
	// ErrOlder: the server's newest version is older than one that was seen.
	ErrOlder = errors.New("older than the version that this machine last saw")
	// ErrReplaced: a version is no longer what it was when it was seen.
	ErrReplaced = errors.New("not the version that this machine last saw")
	// ErrMissing: a file that was seen is no longer there.
	ErrMissing = errors.New("no longer on the server, although this machine has seen it")
	// ErrOtherFile: the server sent a different file than requested.
	ErrOtherFile = errors.New("the server sent a different file than requested")
	// ErrOtherSource: a name is already that of another file or folder.
	ErrOtherSource = errors.New("the name is used by a different source")
)

// A Memory keeps what one machine knows of its account's backups from run to
// run, so that a server that goes back, or mixes names up, is noticed.
type Memory interface {
	// Load returns what is remembered, by name.
	Load() (map[string]Memento, error)
	// Update changes what is remembered of a name, in one step, and lasts. A
	// Memento without anything is forgotten.
	Update(name string, change func(*Memento) error) error
	// Complete reports whether every name that this machine made is remembered:
	// it is not where an earlier version of the program made some.
	Complete() (bool, error)
}

// A Memento is what is remembered of a name.
type Memento struct {
	Source   string          `json:"source,omitempty"` // what is backed up under it
	Versions map[uint32]Seen `json:"versions,omitempty"`
}

// A Seen is a version that was sent, or read back and found right.
type Seen struct {
	SHA256 export.Hash     `json:"sha256"` // of the ciphertext
	Format protocol.Format `json:"format"`
	Size   uint64          `json:"size"`           // bytes before sealing and compression
	Stored uint64          `json:"stored_size"`    // bytes of ciphertext
	Sent   bool            `json:"sent,omitempty"` // by this machine
}

// is reports whether a version is the one that was seen.
func (s Seen) is(e protocol.FileEntry) bool {
	return s.SHA256 == export.Hash(e.SHA256) && s.Format == e.Format && (s.Stored == e.Size || s.Format == protocol.FormatSnapshot)
}

// mostSeen is how many versions of a name are remembered, the newest ones.
const mostSeen = 100

// Newest is the newest version that was seen, 0 if none was.
func (m Memento) Newest() uint32 {
	var newest uint32
	for v := range m.Versions {
		newest = max(newest, v)
	}
	return newest
}

// see notes a version.
func (m *Memento) see(version uint32, s Seen) {
	if m.Versions == nil {
		m.Versions = make(map[uint32]Seen)
	}
	if old, ok := m.Versions[version]; ok && old.SHA256 == s.SHA256 {
		s.Sent = s.Sent || old.Sent
		s.Size = cmp.Or(s.Size, old.Size)
	}
	m.Versions[version] = s
	for len(m.Versions) > mostSeen {
		delete(m.Versions, slices.Min(slices.Collect(maps.Keys(m.Versions))))
	}
}

// SeeSnapshot notes a version of a snapshot: what is remembered is its label, and
// its manifest. Versions above it are no longer there.
func (m *Memento) SeeSnapshot(label string, version uint32, manifest [32]byte) {
	m.Source = label
	m.goBack(version)
	m.see(version, Seen{SHA256: manifest, Format: protocol.FormatSnapshot})
}

// goBack forgets the versions above one.
func (m *Memento) goBack(to uint32) {
	maps.DeleteFunc(m.Versions, func(v uint32, _ Seen) bool { return v > to })
}

// Trust says what a server's answers are held against. The zero Trust
// remembers nothing.
type Trust struct {
	Memory         Memory
	AcceptUnsealed bool // takes content that is not sealed
	AcceptOlder    bool // accepts an older or other version than was seen, and continues from there
}

// recall returns what is remembered of a name.
func (t Trust) recall(name string) (Memento, error) {
	if t.Memory == nil {
		return Memento{}, nil
	}
	all, err := t.Memory.Load()
	return all[name], err
}

// check holds what a server says of a version against what was asked for and
// what was seen, before anything of it is read. Version is what was asked for,
// 0 for the newest.
func (t Trust) check(name string, version uint32, info *protocol.FileInfo) (seen Seen, known bool, err error) {
	if info.Name != name || version != 0 && info.Version != version {
		return Seen{}, false, fmt.Errorf("%w: %q, version %d", ErrOtherFile, info.Name, info.Version)
	}
	if info.Size != crypt.CiphertextLen(info.OriginalSize) {
		return Seen{}, false, fmt.Errorf("%w: the sizes of %q do not match", client.ErrProtocol, name)
	}
	m, err := t.recall(name)
	if err != nil {
		return Seen{}, false, err
	}
	seen, known = m.Versions[info.Version]
	same := known && seen.is(info.FileEntry)
	switch newest := m.Newest(); {
	case t.AcceptOlder:
	case version == 0 && info.Version < newest:
		return seen, false, olderError(info.Version, newest)
	case known && !same:
		return seen, false, fmt.Errorf("version %d: %w", info.Version, ErrReplaced)
	}
	return seen, same, nil
}

func olderError(version, newest uint32) error {
	return fmt.Errorf("the newest version on the server is %d, but this machine has seen version %d: %w", version, newest, ErrOlder)
}

// remember notes a version that was read back and found right. Version is what
// was asked for.
func (t Trust) remember(version uint32, info *protocol.FileInfo, size uint64) error {
	if t.Memory == nil {
		return nil
	}
	return t.Memory.Update(info.Name, func(m *Memento) error {
		if t.AcceptOlder && version == 0 {
			m.goBack(info.Version)
		}
		m.see(info.Version, Seen{SHA256: info.SHA256, Format: info.Format, Size: size, Stored: info.Size})
		return nil
	})
}

// CheckSnapshot holds a snapshot that was opened against what was seen of its
// name. Asked is the version that was asked for, 0 for the newest.
func (t Trust) CheckSnapshot(name string, asked, version uint32, manifest [32]byte) (seen bool, err error) {
	m, err := t.recall(name)
	if err != nil {
		return false, err
	}
	s, known := m.Versions[version]
	same := known && s.SHA256 == export.Hash(manifest)
	switch newest := m.Newest(); {
	case t.AcceptOlder:
	case asked == 0 && version < newest:
		return false, olderError(version, newest)
	case known && !same:
		return false, fmt.Errorf("version %d: %w", version, ErrReplaced)
	}
	return same, nil
}

// RememberSnapshot notes a snapshot that was checked.
func (t Trust) RememberSnapshot(name, label string, asked, version uint32, manifest [32]byte) error {
	if t.Memory == nil {
		return nil
	}
	return t.Memory.Update(name, func(m *Memento) error {
		m.Source = label
		if t.AcceptOlder && asked == 0 {
			m.goBack(version)
		}
		m.see(version, Seen{SHA256: export.Hash(manifest), Format: protocol.FormatSnapshot})
		return nil
	})
}

// CheckMissing fails if a snapshot was seen that the server says it does not
// have.
func (t Trust) CheckMissing(name string) error {
	m, err := t.recall(name)
	if err != nil || t.AcceptOlder {
		return err
	}
	if newest := m.Newest(); newest > 0 {
		return fmt.Errorf("%w (version %d was the newest)", ErrMissing, newest)
	}
	return nil
}

// missing says more of a file that the server says it does not have, if it was
// seen.
func (t Trust) missing(name string, version uint32, err error) error {
	if !client.IsStatus(err, protocol.StatusNotFound) {
		return err
	}
	m, loadErr := t.recall(name)
	if loadErr != nil {
		return err
	}
	newest := m.Newest()
	if newest == 0 || version != 0 && version != newest {
		return err // an older version goes when there are too many
	}
	return fmt.Errorf("%w (version %d was the newest): %w", ErrMissing, newest, err)
}

// Forget drops what is remembered of a version that was removed, 0 for all of
// the name.
func (t Trust) Forget(name string, version uint32) error {
	if t.Memory == nil {
		return nil
	}
	return t.Memory.Update(name, func(m *Memento) error {
		if version == 0 {
			*m = Memento{}
		}
		delete(m.Versions, version)
		return nil
	})
}

// An Audit holds a list of everything against what was seen.
type Audit struct {
	trust  Trust
	known  map[string]Memento
	listed map[string]bool // of the known
	last   string
	found  []Surprise
	failed error
}

// A Surprise is a name that is not what this machine has seen.
type Surprise struct {
	Name string
	Err  error
}

func (s Surprise) Error() string { return fmt.Sprintf("%q: %v", s.Name, s.Err) }
func (s Surprise) Unwrap() error { return s.Err }

// Audit begins to compare a list.
func (t Trust) Audit() (*Audit, error) {
	a := &Audit{trust: t, listed: make(map[string]bool)}
	if t.Memory == nil {
		return a, nil
	}
	var err error
	a.known, err = t.Memory.Load()
	return a, err
}

// Entry is given the entries of the list, in its order: the newest version of
// a name comes first. It returns what was seen of the version, if it is the
// same.
func (a *Audit) Entry(e protocol.FileEntry) (Seen, bool) {
	m := a.known[e.Name]
	seen, known := m.Versions[e.Version]
	same := known && seen.is(e)
	if e.Name != a.last {
		if newest := m.Newest(); e.Version < newest {
			a.add(e.Name, olderError(e.Version, newest), func(m *Memento) { m.goBack(e.Version) })
		}
	}
	if known && !same {
		a.add(e.Name, fmt.Errorf("version %d: %w", e.Version, ErrReplaced), func(m *Memento) { delete(m.Versions, e.Version) })
	}
	a.last = e.Name
	if m.Versions != nil {
		a.listed[e.Name] = true
	}
	return seen, same
}

// Seen returns what was seen of a version, if it is the same.
func (a *Audit) Seen(e protocol.FileEntry) (Seen, bool) {
	seen, known := a.known[e.Name].Versions[e.Version]
	return seen, known && seen.is(e)
}

// Label is what the owner calls a name on the wire: of a snapshot, its label.
func (a *Audit) Label(name string) string {
	if protocol.IsSnapshotName(name) {
		return cmp.Or(a.known[name].Source, name)
	}
	return name
}

// add notes a surprise, one for each name: what follows from it is no other. If
// the server's word is taken, the memory changes instead.
func (a *Audit) add(name string, err error, accept func(*Memento)) {
	if a.trust.AcceptOlder {
		a.failed = errors.Join(a.failed, a.trust.Memory.Update(name, func(m *Memento) error { accept(m); return nil }))
		return
	}
	if n := len(a.found); n == 0 || a.found[n-1].Name != name {
		a.found = append(a.found, Surprise{name, err})
	}
}

// Finish returns what is not as it was seen: what the list had, and what it
// lacked. It fails if the memory could not be changed.
func (a *Audit) Finish() ([]Surprise, error) {
	for _, name := range slices.Sorted(maps.Keys(a.known)) {
		m := a.known[name]
		if a.listed[name] || m.Newest() == 0 {
			continue
		}
		a.add(name, fmt.Errorf("version %d: %w", m.Newest(), ErrMissing), func(m *Memento) { *m = Memento{} })
	}
	return a.found, a.failed
}
