package memstore

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"coffer/internal/alike"
	"coffer/store"
)

// catalogData is what a catalog remembers.
type catalogData struct {
	mu         sync.RWMutex
	clients    map[store.ClientID]*client
	blobs      map[store.BlobRef]bool // that a version refers to
	tokens     map[[16]byte]time.Time
	accounts   map[string]store.Revocation
	removals   map[store.ClientID]bool
	settings   map[string][]byte
	activities []store.Activity // the oldest first
}

func newCatalogData() catalogData {
	return catalogData{clients: make(map[store.ClientID]*client), blobs: make(map[store.BlobRef]bool),
		tokens: make(map[[16]byte]time.Time), accounts: make(map[string]store.Revocation),
		removals: make(map[store.ClientID]bool), settings: make(map[string][]byte)}
}

// A client is a client and all that hangs on it.
type client struct {
	store.Client
	bundle []byte
	former []store.FormerKey          // the newest first
	files  map[string][]store.Version // by name, the newest first
	packs  packIndex

	machines map[store.MachineID]*store.Machine
	labels   map[string]store.MachineID // which one began each
}

func newClient(c store.Client) *client {
	return &client{Client: cloneClient(c), files: make(map[string][]store.Version), packs: newPackIndex(),
		machines: make(map[store.MachineID]*store.Machine), labels: make(map[string]store.MachineID)}
}

// A Catalog is a catalog in memory.
type Catalog struct {
	data   *catalogData
	closed atomic.Bool
}

// Catalog opens the catalog.
func (d *Data) Catalog() *Catalog { return &Catalog{data: &d.catalog} }

func (c *Catalog) usable(ctx context.Context) error {
	if c.closed.Load() {
		return errClosed
	}
	return ctx.Err()
}

// read calls f while nothing changes.
func (c *Catalog) read(ctx context.Context, f func(*catalogData) error) error {
	c.data.mu.RLock()
	defer c.data.mu.RUnlock()
	if err := c.usable(ctx); err != nil {
		return err
	}
	return f(c.data)
}

// write calls f, which either does all that it is to or fails before it has
// changed anything.
func (c *Catalog) write(ctx context.Context, f func(*catalogData) error) error {
	c.data.mu.Lock()
	defer c.data.mu.Unlock()
	if err := c.usable(ctx); err != nil {
		return err
	}
	return f(c.data)
}

// of finds a client.
func (d *catalogData) of(id store.ClientID) (*client, error) {
	if one := d.clients[id]; one != nil {
		return one, nil
	}
	return nil, store.ErrNoClient
}

// taken reports whether another client has a name or an API id.
func (d *catalogData) taken(c *store.Client) bool {
	for id, other := range d.clients {
		if id != c.ID && (other.Name == c.Name || !c.APIID.IsZero() && other.APIID == c.APIID) {
			return true
		}
	}
	return false
}

// AddClient adds a new client.
func (c *Catalog) AddClient(ctx context.Context, added store.Client) error {
	return c.write(ctx, func(d *catalogData) error {
		if d.clients[added.ID] != nil || d.taken(&added) {
			return store.ErrNameTaken
		}
		d.clients[added.ID] = newClient(added)
		return nil
	})
}

// find finds the client that is meant.
func (c *Catalog) find(ctx context.Context, is func(*client) bool) (found store.Client, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		for _, one := range d.clients {
			if is(one) {
				found = cloneClient(one.Client)
				return nil
			}
		}
		return store.ErrNoClient
	})
	return found, err
}

// Client finds a client by its id.
func (c *Catalog) Client(ctx context.Context, id store.ClientID) (found store.Client, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		one, err := d.of(id)
		if err == nil {
			found = cloneClient(one.Client)
		}
		return err
	})
	return found, err
}

// ClientByName finds a client by its name.
func (c *Catalog) ClientByName(ctx context.Context, name string) (store.Client, error) {
	return c.find(ctx, func(one *client) bool { return one.Name == name })
}

// ClientByAPIID finds a client by its id over HTTP.
func (c *Catalog) ClientByAPIID(ctx context.Context, id store.APIID) (store.Client, error) {
	return c.find(ctx, func(one *client) bool { return !id.IsZero() && one.APIID == id })
}

// NameLike returns a client's name that people take for the given one.
func (c *Catalog) NameLike(ctx context.Context, name string) (string, error) {
	form := alike.NameOf(name)
	return c.like(ctx, name, func(other string) bool { return form.Like(alike.NameOf(other)) })
}

// Lookalike returns a client's name that looks like the given one.
func (c *Catalog) Lookalike(ctx context.Context, name string) (string, error) {
	form := alike.NameOf(name)
	return c.like(ctx, name, func(other string) bool { return form.Resembles(alike.NameOf(other)) })
}

func (c *Catalog) like(ctx context.Context, name string, alike func(other string) bool) (like string, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		for _, one := range d.clients {
			if like == "" && one.Name != name && alike(one.Name) {
				like = one.Name
			}
		}
		return nil
	})
	return like, err
}

// UpdateClient lets change alter a client.
func (c *Catalog) UpdateClient(ctx context.Context, id store.ClientID, change func(*store.Client) error) (store.Client, error) {
	return c.update(ctx, id, change, nil)
}

// UpdateSignIn is UpdateClient, and replaces the client's key bundle.
func (c *Catalog) UpdateSignIn(ctx context.Context, id store.ClientID, bundle []byte, change func(*store.Client) error) (store.Client, error) {
	return c.update(ctx, id, change, append([]byte{}, bundle...))
}

// update also replaces the key bundle, unless that is nil.
func (c *Catalog) update(ctx context.Context, id store.ClientID, change func(*store.Client) error, bundle []byte) (changed store.Client, err error) {
	err = c.write(ctx, func(d *catalogData) error {
		one, err := d.of(id)
		if err != nil {
			return err
		}
		before, after := one.Client, cloneClient(one.Client)
		if err := change(&after); err != nil {
			return err
		}
		after.ID, after.Name, after.Created = before.ID, before.Name, before.Created
		if d.taken(&after) {
			return store.ErrNameTaken // another account's API id
		}
		if before.PublicKey != nil && !bytes.Equal(before.PublicKey, after.PublicKey) {
			one.retire(store.FormerKey{Kind: store.FormerPublicKey, Value: before.PublicKey, OAEPHash: before.OAEPHash})
		}
		if bundle != nil {
			one.setBundle(bundle)
		}
		one.Client = cloneClient(after)
		changed = cloneClient(after)
		return nil
	})
	return changed, err
}

// RemoveClient removes a client and everything of its.
func (c *Catalog) RemoveClient(ctx context.Context, id store.ClientID) (blobs []store.BlobRef, err error) {
	err = c.write(ctx, func(d *catalogData) error {
		one, err := d.of(id)
		if err != nil {
			return err
		}
		for _, versions := range one.files {
			blobs = append(blobs, d.release(one, versions)...)
		}
		delete(d.clients, id)
		return nil
	})
	return blobs, err
}

// EachClient visits every client. Nothing is locked meanwhile.
func (c *Catalog) EachClient(ctx context.Context, visit func(store.Client) error) error {
	all, err := c.all(ctx, func(*client) bool { return true })
	for _, one := range all {
		if err := visit(one); err != nil {
			return err
		}
	}
	return err
}

// all are the clients that are meant, in the order of their ids.
func (c *Catalog) all(ctx context.Context, are func(*client) bool) (all []store.Client, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		for _, one := range d.clients {
			if are(one) {
				all = append(all, cloneClient(one.Client))
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b store.Client) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return all, err
}

// Suspended returns the clients whose requests the operator refuses.
func (c *Catalog) Suspended(ctx context.Context) (ids []store.ClientID, err error) {
	all, err := c.all(ctx, func(one *client) bool { return one.Suspended })
	for _, one := range all {
		ids = append(ids, one.ID)
	}
	return ids, err
}

// Sessions returns the clients with a live session key.
func (c *Catalog) Sessions(ctx context.Context) ([]store.Client, error) {
	return c.all(ctx, func(one *client) bool { return one.SessionKey != nil })
}

// TouchClients records when clients made their last requests, and whose session
// ended.
func (c *Catalog) TouchClients(ctx context.Context, last []store.LastRequest) error {
	return c.write(ctx, func(d *catalogData) error {
		for _, s := range last {
			one := d.clients[s.ID]
			if one == nil {
				continue
			}
			one.LastSeen = stamp(s.At)
			if s.Ended {
				one.SessionKey = nil
			}
		}
		return nil
	})
}

// Revoke keeps revocations.
func (c *Catalog) Revoke(ctx context.Context, all ...store.Revocation) error {
	return c.write(ctx, func(d *catalogData) error {
		for _, one := range all {
			one.Until, one.Expires = stamp(one.Until), stamp(one.Expires)
			if one.Account == "" {
				d.tokens[one.Token] = latest(d.tokens[one.Token], one.Expires)
				continue
			}
			before := d.accounts[one.Account]
			one.Until, one.Expires = latest(before.Until, one.Until), latest(before.Expires, one.Expires)
			d.accounts[one.Account] = one
		}
		return nil
	})
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Revocations visits all that are kept.
func (c *Catalog) Revocations(ctx context.Context, visit func(store.Revocation) error) error {
	var all []store.Revocation
	err := c.read(ctx, func(d *catalogData) error {
		for token, expires := range d.tokens {
			all = append(all, store.Revocation{Token: token, Expires: expires})
		}
		all = append(all, slices.Collect(maps.Values(d.accounts))...)
		return nil
	})
	for _, one := range all {
		if err := visit(one); err != nil {
			return err
		}
	}
	return err
}

// ForgetRevocations removes revocations that expired before a moment.
func (c *Catalog) ForgetRevocations(ctx context.Context, before time.Time) error {
	return c.write(ctx, func(d *catalogData) error {
		maps.DeleteFunc(d.tokens, func(_ [16]byte, expires time.Time) bool { return expires.Before(before) })
		maps.DeleteFunc(d.accounts, func(_ string, one store.Revocation) bool { return one.Expires.Before(before) })
		return nil
	})
}

// BeginRemoval notes that a client is being removed.
func (c *Catalog) BeginRemoval(ctx context.Context, id store.ClientID) error {
	return c.write(ctx, func(d *catalogData) error { d.removals[id] = true; return nil })
}

// EndRemoval forgets that a client was being removed.
func (c *Catalog) EndRemoval(ctx context.Context, id store.ClientID) error {
	return c.write(ctx, func(d *catalogData) error { delete(d.removals, id); return nil })
}

// Removals returns the clients that are being removed.
func (c *Catalog) Removals(ctx context.Context) (ids []store.ClientID, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		ids = slices.Collect(maps.Keys(d.removals))
		return nil
	})
	return ids, err
}

// Setting returns the value kept under a key, nil if there is none.
func (c *Catalog) Setting(ctx context.Context, key string) (value []byte, err error) {
	err = c.read(ctx, func(d *catalogData) error { value = bytes.Clone(d.settings[key]); return nil })
	return value, err
}

// SetSetting keeps a value under a key.
func (c *Catalog) SetSetting(ctx context.Context, key string, value []byte) error {
	return c.write(ctx, func(d *catalogData) error { d.settings[key] = append([]byte{}, value...); return nil })
}

// maxActivities is how many activities are remembered.
const maxActivities = 100_000

// NoteActivity remembers an activity.
func (c *Catalog) NoteActivity(a store.Activity) store.Activity {
	d := c.data
	d.mu.Lock()
	defer d.mu.Unlock()
	a.ID = time.Now().UnixMicro()
	if n := len(d.activities); n > 0 {
		a.ID = max(a.ID, d.activities[n-1].ID+1)
	}
	kept := a
	kept.At = stamp(a.At)
	if d.activities = append(d.activities, kept); len(d.activities) > maxActivities {
		d.shorten()
	}
	return a
}

// shorten forgets the oldest activity of the sort that there is most of.
func (d *catalogData) shorten() {
	type sort struct {
		client  store.ClientID
		kind    store.ActivityKind
		outcome store.Outcome
	}
	of := func(a store.Activity) sort { return sort{a.Client, a.Kind, a.Outcome} }
	counts, most := make(map[sort]int), sort{}
	for _, a := range d.activities {
		s := of(a)
		if counts[s]++; counts[s] > counts[most] {
			most = s
		}
	}
	oldest := slices.IndexFunc(d.activities, func(a store.Activity) bool { return of(a) == most })
	d.activities = slices.Delete(d.activities, oldest, oldest+1)
}

// Activities returns the activities that match a filter, the newest first.
func (c *Catalog) Activities(ctx context.Context, f store.ActivityFilter) (found []store.Activity, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		for _, a := range slices.Backward(d.activities) {
			if len(found) < f.Limit && f.Matches(a) {
				found = append(found, a)
			}
		}
		return nil
	})
	return found, err
}

// Ping reports whether the catalog can be read.
func (c *Catalog) Ping(ctx context.Context) error { return c.usable(ctx) }

// Check reports whether the catalog can be read and written.
func (c *Catalog) Check(ctx context.Context) error { return c.usable(ctx) }

// Close closes the catalog; its data stays.
func (c *Catalog) Close() error {
	c.data.mu.Lock() // a change under way ends first
	defer c.data.mu.Unlock()
	c.closed.Store(true)
	return nil
}

// ListClients returns a page of the clients that a query finds.
func (c *Catalog) ListClients(ctx context.Context, q store.ClientQuery) (page []store.ClientUsage, total int64, err error) {
	compare, known := orders()[q.Sort]
	if !known {
		return nil, 0, fmt.Errorf("list clients: no order %q", q.Sort)
	}
	var found []store.ClientUsage
	err = c.read(ctx, func(d *catalogData) error {
		for _, one := range d.clients {
			if sought(one, q.Search) {
				public := cloneClient(one.Client)
				public.SessionKey, public.PasswordHash, public.APIID = nil, "", store.APIID{}
				found = append(found, store.ClientUsage{Client: public, Usage: one.usage()})
			}
		}
		return nil
	})
	slices.SortFunc(found, compare)
	if q.Descending {
		slices.Reverse(found)
	}
	from := min(max(q.Offset, 0), len(found))
	return found[from:min(from+max(q.Limit, 0), len(found))], int64(len(found)), err
}
