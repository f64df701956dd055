package files

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"path"
	"strconv"
	"strings"

	"coffer/store"
)

// A place is where a reference leads: a record in a pack, or a file.
type place struct {
	pack   int   // from 1; 0 for a file
	offset int64 // of the record in the pack
	id     string
	sealed string // the path of a snapshot's pack; empty for all others
}

func (p place) isPacked() bool { return p.pack != 0 }
func (p place) isSealed() bool { return p.sealed != "" }

// dir and content are paths of a large blob.
func (p place) dir() string     { return p.id[:2] }
func (p place) content() string { return path.Join(p.dir(), p.id) }
func (p place) sidecar() string { return p.content() + sidecarSuffix }
func (p place) marker() string  { return path.Join(pendingDir, p.id) }

func (p place) ref() store.BlobRef {
	if p.isPacked() {
		return store.BlobRef(packName(p.pack) + "@" + strconv.FormatInt(p.offset, 10))
	}
	if p.isSealed() {
		return store.BlobRef(p.sealed)
	}
	return store.BlobRef(p.content())
}

// newPlace makes up a name for a large blob.
func newPlace() place {
	var id [16]byte
	rand.Read(id[:])
	return place{id: hex.EncodeToString(id[:])}
}

// parseRef takes exactly what ref gives, so that no reference, wherever it
// comes from, names anything but a blob.
func parseRef(ref store.BlobRef) (place, error) {
	var p place
	if name, offset, ok := strings.Cut(string(ref), "@"); ok {
		p.pack = packNumber(path.Base(name))
		p.offset, _ = strconv.ParseInt(offset, 10, 64)
		if p.pack == 0 || p.offset < packHeadSize || p.offset%align != 0 {
			return place{}, store.ErrNoBlob
		}
	} else if strings.HasPrefix(string(ref), sealedDir+"/") {
		if _, ok := parseSealed(string(ref)); !ok {
			return place{}, store.ErrNoBlob
		}
		p.sealed = string(ref)
	} else {
		p.id = path.Base(string(ref))
		if !isID(p.id) {
			return place{}, store.ErrNoBlob
		}
	}
	if p.ref() != ref {
		return place{}, store.ErrNoBlob
	}
	return p, nil
}

// isID reports whether s is 16 bytes in lower-case hexadecimal.
func isID(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 16 && s == strings.ToLower(s)
}

func packName(number int) string { return fmt.Sprintf("%s/%08d.pack", packsDir, number) }

// packNumber is the inverse of packName's last element, 0 for other names.
func packNumber(base string) int {
	digits, ok := strings.CutSuffix(base, ".pack")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || path.Base(packName(n)) != base {
		return 0
	}
	return n
}
