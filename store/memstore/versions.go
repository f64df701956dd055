package memstore

import (
	"context"
	"maps"
	"slices"

	"coffer/store"
)

// usage adds up what a client has stored.
func (c *client) usage() store.Usage {
	u := store.Usage{Files: int64(len(c.files))}
	for _, versions := range c.files {
		for _, v := range versions {
			u.Versions++
			u.Bytes += v.Size
			if v.Verified {
				u.Verified++
			}
		}
	}
	for _, p := range c.packs.rows {
		u.Bytes += p.Size
	}
	return u
}

// release forgets versions of a client's that refer to blobs, which it returns.
func (d *catalogData) release(c *client, versions []store.Version) (blobs []store.BlobRef) {
	for _, v := range versions {
		blobs = append(blobs, v.Blob)
		blobs = append(blobs, c.packs.drop(v.Name, v.Number)...)
	}
	for _, ref := range blobs {
		delete(d.blobs, ref)
	}
	return blobs
}

// drop removes the versions of a file that are meant, and returns their blobs.
func (d *catalogData) drop(c *client, name string, meant func(store.Version) bool) []store.BlobRef {
	var gone, left []store.Version
	for _, v := range c.files[name] {
		if meant(v) {
			gone = append(gone, v)
		} else {
			left = append(left, v)
		}
	}
	if c.files[name] = left; len(left) == 0 {
		delete(c.files, name)
	}
	return d.release(c, gone)
}

// put adds a version to a file.
func (d *catalogData) put(c *client, v store.Version) {
	list := append(slices.Clone(c.files[v.Name]), cloneVersion(v))
	slices.SortFunc(list, func(a, b store.Version) int { return int(int64(b.Number) - int64(a.Number)) })
	c.files[v.Name] = list
	d.blobs[v.Blob] = true
	if v.Snapshot != nil {
		c.packs.keep(v)
	}
}

// newest is the number of a file's newest version, 0 if there is none.
func (c *client) newest(name string) uint32 {
	if list := c.files[name]; len(list) > 0 {
		return list[0].Number
	}
	return 0
}

// Commit adds v as the newest version of its file.
func (c *Catalog) Commit(ctx context.Context, v store.Version, keep store.Retention) (number uint32, dropped []store.BlobRef, err error) {
	err = c.write(ctx, func(d *catalogData) error {
		one, err := d.of(v.Client)
		if err != nil {
			return err
		}
		v.Number = one.newest(v.Name) + 1
		d.put(one, v)
		number = v.Number
		dropped = d.prune(one, v, keep)
		return nil
	})
	return number, dropped, err
}

// prune drops the versions of v's file that need not be kept beside it: old
// enough versions with so many newer ones that are old enough, too.
func (d *catalogData) prune(c *client, v store.Version, keep store.Retention) []store.BlobRef {
	if keep.Versions == 0 {
		return nil
	}
	moment := stamp(v.Created).Add(-keep.MinAge)
	due := make(map[uint32]bool)
	list := c.files[v.Name] // the newest first
	for i := keep.Versions; i < len(list); i++ {
		if !list[i].Created.After(moment) && !list[i-keep.Versions].Created.After(moment) {
			due[list[i].Number] = true
		}
	}
	return d.drop(c, v.Name, func(old store.Version) bool { return due[old.Number] })
}

// AddVersion adds v under the number it bears.
func (c *Catalog) AddVersion(ctx context.Context, v store.Version) error {
	return c.write(ctx, func(d *catalogData) error {
		one, err := d.of(v.Client)
		if err != nil {
			return err
		}
		d.drop(one, v.Name, func(old store.Version) bool { return old.Number == v.Number })
		d.put(one, v)
		return nil
	})
}

// Version finds a version of a file, the newest if number is 0.
func (c *Catalog) Version(ctx context.Context, id store.ClientID, name string, number uint32) (store.Version, error) {
	versions, err := c.Versions(ctx, id, name)
	if err != nil {
		return store.Version{}, err
	}
	for _, v := range versions {
		if number == 0 || v.Number == number {
			return v, nil
		}
	}
	return store.Version{}, store.ErrNoFile
}

// Versions returns all versions of a file, the newest first.
func (c *Catalog) Versions(ctx context.Context, id store.ClientID, name string) (versions []store.Version, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		one := d.clients[id]
		if one == nil || len(one.files[name]) == 0 {
			return store.ErrNoFile
		}
		for _, v := range one.files[name] {
			versions = append(versions, cloneVersion(v))
		}
		return nil
	})
	return versions, err
}

// List returns up to limit versions that follow after.
func (c *Catalog) List(ctx context.Context, id store.ClientID, after store.Cursor, limit int, all bool) (page []store.Version, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		one := d.clients[id]
		if one == nil {
			return nil
		}
		for _, name := range slices.Sorted(maps.Keys(one.files)) {
			for i, v := range one.files[name] {
				follows := name > after.Name || all && name == after.Name && v.Number < after.Number
				if follows && (all || i == 0) && len(page) < limit {
					page = append(page, cloneVersion(v))
				}
			}
		}
		return nil
	})
	return page, err
}

// Remove removes one version of a file, or all if number is 0.
func (c *Catalog) Remove(ctx context.Context, id store.ClientID, name string, number uint32) (dropped []store.BlobRef, err error) {
	err = c.write(ctx, func(d *catalogData) error {
		one := d.clients[id]
		if one == nil {
			return store.ErrNoFile
		}
		dropped = d.drop(one, name, func(v store.Version) bool { return number == 0 || v.Number == number })
		if len(dropped) == 0 {
			return store.ErrNoFile
		}
		return nil
	})
	return dropped, err
}

// Refers reports whether any version refers to the blob.
func (c *Catalog) Refers(ctx context.Context, ref store.BlobRef) (refers bool, err error) {
	err = c.read(ctx, func(d *catalogData) error { refers = d.blobs[ref]; return nil })
	return refers, err
}

// Usage returns what one client has stored.
func (c *Catalog) Usage(ctx context.Context, id store.ClientID) (u store.Usage, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		one, err := d.of(id)
		if err == nil {
			u = one.usage()
		}
		return err
	})
	return u, err
}

// Totals returns the figures of the whole catalog.
func (c *Catalog) Totals(ctx context.Context) (t store.Totals, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		for _, one := range d.clients {
			u := one.usage()
			t.Clients++
			t.Files += u.Files
			t.Versions += u.Versions
			t.Verified += u.Verified
			t.Bytes += u.Bytes
		}
		return nil
	})
	return t, err
}
