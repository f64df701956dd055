// Package memstore is a catalog and blobs in memory: for tests that need no
// disk, and as the proof that the storage contracts ask for nothing that only a
// database and files can do.
//
// Data is what outlives a server, as a disk does. A catalog and blobs are opened
// on it, and can be closed and opened again. Nothing is kept beyond the process.
package memstore

import (
	"bytes"
	"errors"
	"time"

	"coffer/store"
)

// errClosed is returned by whatever is used after Close.
var errClosed = errors.New("the storage is closed")

// Data is what catalogs and blobs keep.
type Data struct {
	catalog catalogData
	blobs   blobData
}

// New makes data of which there is none yet.
func New() *Data {
	return &Data{catalog: newCatalogData(), blobs: newBlobData()}
}

// Times are kept as a database would: to the nanosecond, without a zone or the
// reading of a monotonic clock.
func stamp(t time.Time) time.Time { return t.Round(0).UTC() }

// What comes in and what goes out shares no memory with what is kept.

func cloneClient(c store.Client) store.Client {
	c.PublicKey, c.SessionKey = bytes.Clone(c.PublicKey), bytes.Clone(c.SessionKey)
	c.Created, c.LastSeen = stamp(c.Created), stamp(c.LastSeen)
	return c
}

func cloneMetadata(l store.Metadata) store.Metadata {
	l.WireName, l.WrappedKey, l.Received = bytes.Clone(l.WireName), bytes.Clone(l.WrappedKey), stamp(l.Received)
	if l.Snapshot != nil {
		snap := *l.Snapshot
		snap.Head, snap.Packs = bytes.Clone(snap.Head), bytes.Clone(snap.Packs)
		l.Snapshot = &snap
	}
	return l
}

func cloneVersion(v store.Version) store.Version {
	v.Snapshot = nil // Snapshots returns what the catalog knows of it
	v.Metadata, v.Created = cloneMetadata(v.Metadata), stamp(v.Created)
	return v
}

func cloneFormer(keys []store.FormerKey) []store.FormerKey {
	var all []store.FormerKey
	for _, k := range keys {
		k.Value, k.Since, k.Until = bytes.Clone(k.Value), stamp(k.Since), stamp(k.Until)
		all = append(all, k)
	}
	return all
}
