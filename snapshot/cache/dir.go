package cache

import (
	"encoding/binary"
	"strings"

	bolt "go.etcd.io/bbolt"

	"coffer/snapshot"
)

// A Dir is what a folder held when it was read, and where its tree lies.
type Dir struct {
	Listing []byte // what is compared, see [Listing]
	Pieces  []Piece
	Packs   []Number // that its tree quotes and lies in, those of folders in it apart
}

// A Piece is one of the pieces of a folder's tree.
type Piece struct {
	Pack  Number
	Place snapshot.Place // without its pack
	Frame []byte         // as it lies in the pack
}

// Places are those of the pieces; ok is false if a pack is not there.
func (c *Cache) Places(d *Dir) (places []snapshot.Place, ok bool) {
	for _, p := range d.Pieces {
		place := p.Place
		if place.Pack, ok = c.PackOf(p.Pack); !ok {
			return nil, false
		}
		places = append(places, place)
	}
	return places, true
}

// Dir is what is remembered of a folder of a label, by its path, without the
// frames of its pieces.
func (c *Cache) Dir(wireName, path string) *Dir {
	var found *Dir
	c.view(func(tx *bolt.Tx) {
		b := tx.Bucket(dirsBucket).Bucket([]byte(wireName))
		if b == nil {
			return
		}
		v := b.Get(dirKey(path))
		if v == nil {
			return
		}
		found, _ = decodeDir(v)
	})
	return found
}

// decodeDir reads a folder as it is remembered; nil if it cannot be read.
func decodeDir(record []byte) (dir *Dir, ok bool) {
	d := decoder{rest: record}
	dir = &Dir{Packs: d.numbers()}
	dir.Pieces = make([]Piece, d.count())
	for i := range dir.Pieces {
		p := &dir.Pieces[i]
		p.Pack = Number(d.uint())
		p.Place.Offset, p.Place.Length, p.Place.Size = uint32(d.uint()), uint32(d.uint()), uint32(d.uint())
		copy(p.Place.ID[:], d.bytes())
	}
	dir.Listing = append([]byte(nil), d.bytes()...)
	if !d.ended() {
		return nil, false
	}
	return dir, true
}

// Frames reads the frames of a folder's pieces.
func (c *Cache) Frames(wireName, path string, dir *Dir) (ok bool) {
	c.view(func(tx *bolt.Tx) {
		b := tx.Bucket(treesBucket).Bucket([]byte(wireName))
		if b == nil {
			return
		}
		d := decoder{rest: b.Get(dirKey(path))}
		for i := range dir.Pieces {
			dir.Pieces[i].Frame = append([]byte(nil), d.bytes()...)
		}
		ok = d.ended()
	})
	return ok
}

// A Batch is what is remembered of folders in one step.
type Batch struct {
	wireName string
	dirs     map[string]*Dir
	size     int
}

// NewBatch begins a batch for a label.
func NewBatch(wireName string) *Batch { return &Batch{wireName: wireName, dirs: map[string]*Dir{}} }

// Add adds a folder.
func (b *Batch) Add(path string, d *Dir) {
	b.dirs[path] = d
	b.size += len(path) + len(d.Listing) + 200
	for _, p := range d.Pieces {
		b.size += len(p.Frame) + 60
	}
}

// Size is about how much memory the batch takes.
func (b *Batch) Size() int { return b.size }

// Write remembers the folders of a batch, and empties it.
func (c *Cache) Write(b *Batch) error {
	if len(b.dirs) == 0 {
		return nil
	}
	paths := sortedKeys(b.dirs)
	err := c.update(func(tx *bolt.Tx) error {
		dirs, err := tx.Bucket(dirsBucket).CreateBucketIfNotExists([]byte(b.wireName))
		if err != nil {
			return err
		}
		trees, err := tx.Bucket(treesBucket).CreateBucketIfNotExists([]byte(b.wireName))
		if err != nil {
			return err
		}
		for _, path := range paths {
			d := b.dirs[path]
			if err := dirs.Put(dirKey(path), d.record()); err != nil {
				return err
			}
			var frames []byte
			for _, p := range d.Pieces {
				frames = appendBytes(frames, p.Frame)
			}
			if err := trees.Put(dirKey(path), frames); err != nil {
				return err
			}
		}
		return nil
	})
	b.dirs, b.size = map[string]*Dir{}, 0
	return err
}

func (d *Dir) record() []byte {
	v := appendNumbers(make([]byte, 0, len(d.Listing)+60*len(d.Pieces)+64), d.Packs)
	v = binary.AppendUvarint(v, uint64(len(d.Pieces)))
	for _, p := range d.Pieces {
		for _, n := range []uint64{uint64(p.Pack), uint64(p.Place.Offset), uint64(p.Place.Length), uint64(p.Place.Size)} {
			v = binary.AppendUvarint(v, n)
		}
		v = appendBytes(v, p.Place.ID[:])
	}
	return appendBytes(v, d.Listing)
}

// Keep forgets the folders of a label that is does not report.
func (c *Cache) Keep(wireName string, is func(path string) bool) error {
	return c.update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{dirsBucket, treesBucket} {
			b := tx.Bucket(name).Bucket([]byte(wireName))
			if b == nil {
				continue
			}
			var gone [][]byte
			cursor := b.Cursor()
			for k, _ := cursor.First(); k != nil; k, _ = cursor.Next() {
				if !is(string(k)) {
					gone = append(gone, append([]byte(nil), k...))
				}
			}
			for _, k := range gone {
				if err := b.Delete(k); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// dirKey is the key of a path; one that is too long for a key is not kept apart
// from others that begin alike, which its listing shows.
func dirKey(path string) []byte {
	if len(path) > bolt.MaxKeySize {
		path = path[:bolt.MaxKeySize]
	}
	return []byte(strings.Clone(path))
}
