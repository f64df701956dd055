package cache

import (
	bolt "go.etcd.io/bbolt"

	"coffer/snapshot"
)

// lostBucket is there while snapshots are to be mended. It has the pieces of
// trees that lay in lost packs: sealing cannot be repeated, but what was sealed
// is remembered.
var lostBucket = []byte("lost")

// Lost reports whether packs were lost since [Cache.Mended].
func (c *Cache) Lost() (lost bool) {
	c.view(func(tx *bolt.Tx) { lost = tx.Bucket(lostBucket) != nil })
	return lost
}

// LostFrame is the frame of a piece of a tree that lay in a lost pack, nil if it
// is not remembered.
func (c *Cache) LostFrame(id snapshot.ChunkID) (frame []byte) {
	c.view(func(tx *bolt.Tx) {
		if b := tx.Bucket(lostBucket); b != nil {
			frame = append(frame, b.Get(id[:])...)
		}
	})
	return frame
}

// Mended forgets what was lost.
func (c *Cache) Mended() error {
	return c.update(func(tx *bolt.Tx) error {
		if tx.Bucket(lostBucket) == nil {
			return nil
		}
		return tx.DeleteBucket(lostBucket)
	})
}

// keepLost keeps the pieces of trees that lay in packs.
func keepLost(tx *bolt.Tx, gone map[Number]bool) error {
	lost, err := tx.CreateBucketIfNotExists(lostBucket)
	if err != nil {
		return err
	}
	return tx.Bucket(dirsBucket).ForEachBucket(func(label []byte) error {
		trees := tx.Bucket(treesBucket).Bucket(label)
		if trees == nil {
			return nil
		}
		return tx.Bucket(dirsBucket).Bucket(label).ForEach(func(path, v []byte) error {
			dir, ok := decodeDir(v)
			if !ok {
				return nil // it is not believed for anything else either
			}
			d := decoder{rest: trees.Get(path)}
			for _, p := range dir.Pieces {
				frame := d.bytes()
				if !gone[p.Pack] || len(frame) == 0 {
					continue
				}
				if err := lost.Put(p.Place.ID[:], frame); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
