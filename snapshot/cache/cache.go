// Package cache is what a machine remembers of the snapshots that it made, so
// that the next one reads and sends only what changed: which pack each chunk is
// in, and what the folders held.
//
// Nothing in it is needed for restoring, and nothing in it is believed more than
// the packs that the server says it has. A cache that is damaged, or another
// account's, is emptied.
package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"coffer/snapshot"
)

// ErrBusy: another process uses the cache.
var ErrBusy = errors.New("another backup of this account is running on this machine")

// layout is the version of what is in the file.
const layout = 1

var (
	aboutBucket     = []byte("about")
	packsBucket     = []byte("packs")
	chunksBucket    = []byte("chunks")
	listsBucket     = []byte("lists")
	snapshotsBucket = []byte("snapshots")
	dirsBucket      = []byte("dirs")
	treesBucket     = []byte("trees")

	ownerKey = []byte("owner")
)

// A Number stands for a pack in the cache. It is never given twice.
type Number uint32

// A Cache is one file. Safe for concurrent use.
type Cache struct {
	// static after construction
	db *bolt.DB
	// Fresh: nothing is remembered, because there was no cache that could be read.
	Fresh bool

	mu      sync.Mutex
	packs   map[Number]snapshot.PackID // guarded by mu; the packs that are there
	numbers map[snapshot.PackID]Number // guarded by mu
	next    Number                     // guarded by mu
}

// Open opens the cache in a file, for the keys of one account and epoch, which
// owner names. It fails with [ErrBusy] while another process has it open for
// longer than wait.
func Open(path string, owner []byte, wait time.Duration) (*Cache, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open the cache: %w", err)
	}
	c, err := open(path, owner, wait)
	if err == nil || errors.Is(err, ErrBusy) || errors.Is(err, fs.ErrPermission) {
		return c, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("empty the cache: %w", err)
	}
	return open(path, owner, wait)
}

var errOther = errors.New("the cache is damaged or another account's")

func open(path string, owner []byte, wait time.Duration) (c *Cache, err error) {
	defer func() {
		if p := recover(); p != nil { // of bbolt, about a damaged file
			err = fmt.Errorf("%w: %v", errOther, p)
		}
		if err != nil && c != nil {
			c.db.Close()
		}
		if err != nil {
			c, err = nil, fmt.Errorf("open the cache: %w", err)
		}
	}()
	if err := checkSize(path); err != nil {
		return nil, err
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: max(wait, time.Millisecond), FreelistType: bolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, ErrBusy
	}
	if err != nil {
		return nil, err
	}
	c = &Cache{db: db, packs: map[Number]snapshot.PackID{}, numbers: map[snapshot.PackID]Number{}, next: 1}
	digest := sha256.Sum256(append([]byte{layout}, owner...))
	err = db.Update(func(tx *bolt.Tx) error {
		about := tx.Bucket(aboutBucket)
		if about == nil {
			c.Fresh = true
			return begin(tx, digest[:])
		}
		if !bytes.Equal(about.Get(ownerKey), digest[:]) {
			return errOther
		}
		return c.load(tx)
	})
	return c, err
}

// checkSize fails if a file is shorter than its own first pages say. bbolt maps
// the file into memory, and would be killed where it ends.
func checkSize(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	// Two pages begin with a header of 16 bytes and say, from there on: magic,
	// version, page size, flags, root and its sequence, free list, pages in use.
	const header, magic, pageSize, pages = 16, 0, 8, 40
	size := int64(os.Getpagesize())
	for i := range int64(2) {
		var page [80]byte
		if _, err := f.ReadAt(page[:], i*size); err != nil {
			return errOther
		}
		meta := page[header:]
		if binary.NativeEndian.Uint32(meta[magic:]) != 0xED0CDAED {
			return errOther
		}
		size = int64(binary.NativeEndian.Uint32(meta[pageSize:]))
		if used := binary.NativeEndian.Uint64(meta[pages:]); used > uint64(info.Size()/max(size, 1)) {
			return errOther
		}
	}
	return nil
}

func begin(tx *bolt.Tx, owner []byte) error {
	for _, name := range [][]byte{aboutBucket, packsBucket, chunksBucket, listsBucket, snapshotsBucket, dirsBucket, treesBucket, lostBucket} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return tx.Bucket(aboutBucket).Put(ownerKey, owner)
}

// load reads which packs there are.
func (c *Cache) load(tx *bolt.Tx) error {
	for _, name := range [][]byte{chunksBucket, listsBucket, snapshotsBucket, dirsBucket, treesBucket, packsBucket} {
		if tx.Bucket(name) == nil {
			return errOther
		}
	}
	c.next = Number(tx.Bucket(packsBucket).Sequence()) + 1
	return tx.Bucket(packsBucket).ForEach(func(k, v []byte) error {
		if len(k) != 4 || len(v) != len(snapshot.PackID{}) {
			return errOther
		}
		n := Number(binary.BigEndian.Uint32(k))
		c.packs[n], c.numbers[snapshot.PackID(v)] = snapshot.PackID(v), n
		c.next = max(c.next, n+1)
		return nil
	})
}

// Close closes the file.
func (c *Cache) Close() error { return c.db.Close() }

// Packs are the packs that are remembered, sorted.
func (c *Cache) Packs() []snapshot.PackID {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := make([]snapshot.PackID, 0, len(c.numbers))
	for id := range c.numbers {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b snapshot.PackID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// Forget drops packs that the server does not have. Chunks in them are unknown
// from then on, and so is what folders held whose trees quote them. That there
// is something to mend is remembered until [Cache.Mended].
func (c *Cache) Forget(ids []snapshot.PackID) error {
	c.mu.Lock()
	gone := map[Number]bool{}
	for _, id := range ids {
		if n, ok := c.numbers[id]; ok {
			gone[n] = true
			delete(c.numbers, id)
			delete(c.packs, n)
		}
	}
	c.mu.Unlock()
	if len(gone) == 0 {
		return nil
	}
	return c.update(func(tx *bolt.Tx) error {
		if err := keepLost(tx, gone); err != nil {
			return err
		}
		packs := tx.Bucket(packsBucket)
		for n := range gone {
			if err := packs.Delete(numberKey(n)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Reserve gives a number to a pack that has no id yet.
func (c *Cache) Reserve() Number {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.next
	c.next++
	return n
}

// NumberOf is the number of a pack that is remembered.
func (c *Cache) NumberOf(id snapshot.PackID) (Number, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.numbers[id]
	return n, ok
}

// PackOf is the pack that a number stands for, if it is there.
func (c *Cache) PackOf(n Number) (snapshot.PackID, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, ok := c.packs[n]
	return id, ok
}

// There reports whether all packs are there.
func (c *Cache) There(packs []Number) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range packs {
		if _, ok := c.packs[n]; !ok {
			return false
		}
	}
	return true
}

// Chunk is where a chunk lies, if that is remembered and its pack is there.
func (c *Cache) Chunk(id snapshot.ChunkID) (place snapshot.Place, ok bool) {
	c.view(func(tx *bolt.Tx) {
		v := tx.Bucket(chunksBucket).Get(id[:])
		if len(v) != chunkSize {
			return
		}
		place = snapshot.Place{
			Offset: binary.BigEndian.Uint32(v[4:]), Length: binary.BigEndian.Uint32(v[8:]), Size: binary.BigEndian.Uint32(v[12:]), ID: id,
		}
		place.Pack, ok = c.PackOf(Number(binary.BigEndian.Uint32(v)))
	})
	return place, ok
}

const chunkSize = 16

// AddPack remembers a pack that the server has, under the number reserved for
// it, and where the chunks in it lie.
func (c *Cache) AddPack(n Number, id snapshot.PackID, places []snapshot.Place) error {
	slices.SortFunc(places, func(a, b snapshot.Place) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	err := c.update(func(tx *bolt.Tx) error {
		packs := tx.Bucket(packsBucket)
		if uint64(n) > packs.Sequence() {
			if err := packs.SetSequence(uint64(n)); err != nil {
				return err
			}
		}
		if err := packs.Put(numberKey(n), id[:]); err != nil {
			return err
		}
		chunks := tx.Bucket(chunksBucket)
		for i := range places {
			p := &places[i]
			v := make([]byte, 0, chunkSize)
			v = binary.BigEndian.AppendUint32(v, uint32(n))
			v = binary.BigEndian.AppendUint32(v, p.Offset)
			v = binary.BigEndian.AppendUint32(v, p.Length)
			v = binary.BigEndian.AppendUint32(v, p.Size)
			if err := chunks.Put(p.ID[:], v); err != nil {
				return err
			}
		}
		return nil
	})
	c.mu.Lock()
	c.packs[n], c.numbers[id] = id, n
	c.mu.Unlock()
	return err
}

// AddList remembers which packs a list piece leads to.
func (c *Cache) AddList(id snapshot.ChunkID, packs []Number) error {
	return c.update(func(tx *bolt.Tx) error { return tx.Bucket(listsBucket).Put(id[:], appendNumbers(nil, packs)) })
}

// List is which packs a list piece leads to, if that is remembered.
func (c *Cache) List(id snapshot.ChunkID) (packs []Number, ok bool) {
	c.view(func(tx *bolt.Tx) {
		if v := tx.Bucket(listsBucket).Get(id[:]); v != nil {
			d := decoder{rest: v}
			packs = d.numbers()
			ok = d.ended()
		}
	})
	return packs, ok
}

// A Snapshot is the last one of a label that was made here.
type Snapshot struct {
	Version uint32
	Digest  snapshot.ManifestDigest
	Packs   []Number // ascending
	Source  string
	Dirs    int // how many folders it has
}

// Snapshot is the last one of a label, by its name on the wire.
func (c *Cache) Snapshot(wireName string) (s Snapshot, ok bool) {
	c.view(func(tx *bolt.Tx) {
		d := decoder{rest: tx.Bucket(snapshotsBucket).Get([]byte(wireName))}
		if d.rest == nil {
			return
		}
		s.Version = uint32(d.uint())
		copy(s.Digest[:], d.bytes())
		s.Source = string(d.bytes())
		s.Dirs = int(d.uint())
		s.Packs = d.numbers()
		ok = d.ended()
	})
	return s, ok
}

// SetSnapshot remembers the last one of a label.
func (c *Cache) SetSnapshot(wireName string, s Snapshot) error {
	v := binary.AppendUvarint(nil, uint64(s.Version))
	v = appendBytes(v, s.Digest[:])
	v = appendBytes(v, []byte(s.Source))
	v = binary.AppendUvarint(v, uint64(s.Dirs))
	v = appendNumbers(v, s.Packs)
	return c.update(func(tx *bolt.Tx) error { return tx.Bucket(snapshotsBucket).Put([]byte(wireName), v) })
}

// DropSnapshot forgets a label with what its folders held.
func (c *Cache) DropSnapshot(wireName string) error {
	return c.update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{dirsBucket, treesBucket} {
			if err := tx.Bucket(name).DeleteBucket([]byte(wireName)); err != nil && !errors.Is(err, bolterrors.ErrBucketNotFound) {
				return err
			}
		}
		return tx.Bucket(snapshotsBucket).Delete([]byte(wireName))
	})
}

func numberKey(n Number) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// update and view turn what bbolt says about a damaged file into an error, or
// into nothing.
func (c *Cache) update(f func(*bolt.Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errOther, p)
		}
		if err != nil {
			err = fmt.Errorf("write the cache: %w", err)
		}
	}()
	return c.db.Update(f)
}

func (c *Cache) view(f func(*bolt.Tx)) {
	defer func() { _ = recover() }()
	_ = c.db.View(func(tx *bolt.Tx) error { f(tx); return nil })
}
