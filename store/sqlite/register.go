package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"coffer/internal/alike"
	"coffer/store"
)

// A register has in memory what lists of clients are ordered by and searched
// for, some 300 bytes a client, and the totals. An index in the file for each
// order would cost every commit a write, and still leave a search and the
// middle of a long list slow. The writer alone changes it, after each commit.
type register struct {
	mu     sync.RWMutex
	byID   map[store.ClientID]*entry
	byName []*entry            // in the order of their names
	alike  map[string][]*entry // by alike.Key, and by alike.Look where that differs
	totals store.Totals
}

// An entry is a client of the register.
type entry struct {
	// Static.
	id          store.ClientID
	name        string
	folded      string // without the difference of case
	form        alike.Name
	fingerprint string
	created     int64

	// Guarded by the register's mu.
	seen  int64
	usage store.Usage
}

// A clientChange is one of a transaction that the register has to follow.
type clientChange struct {
	id      store.ClientID
	added   *store.Client
	removed bool
	seen    int64
}

func loadRegister(ctx context.Context, conn *sql.Conn) (*register, error) {
	r := &register{byID: make(map[store.ClientID]*entry), alike: make(map[string][]*entry)}
	rows, err := conn.QueryContext(ctx, "SELECT ID, Name, Created, LastSeen, Files, Versions, Verified, Bytes FROM clients JOIN usage USING (ID)")
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(row scanner) error {
		var e entry
		err := row.Scan(fixed(e.id[:]), &e.name, &e.created, &e.seen, &e.usage.Files, &e.usage.Versions, &e.usage.Verified, &e.usage.Bytes)
		r.byName = append(r.byName, &e)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, e := range r.byName {
		e.prepare()
		r.byID[e.id] = e
		r.addAlike(e)
		r.totals.Clients++
		add(&r.totals.Usage, e.usage)
	}
	slices.SortFunc(r.byName, func(a, b *entry) int { return cmp.Compare(a.name, b.name) })
	return r, nil
}

func (e *entry) prepare() {
	e.folded, e.form, e.fingerprint = strings.ToLower(e.name), alike.NameOf(e.name), e.id.Fingerprint()
}

// follow does what a transaction did that was committed.
func (r *register) follow(changes []clientChange, usage map[store.ClientID]*store.Usage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range changes {
		e := r.byID[c.id]
		switch {
		case c.added != nil:
			e = &entry{id: c.id, name: c.added.Name, created: stamp(c.added.Created), seen: stamp(c.added.LastSeen)}
			e.prepare()
			r.byID[c.id] = e
			at, _ := r.find(e.name)
			r.byName = slices.Insert(r.byName, at, e)
			r.addAlike(e)
			r.totals.Clients++
		case e == nil: // unknown clients are passed over
		case c.removed:
			delete(r.byID, c.id)
			r.dropAlike(e)
			if at, there := r.find(e.name); there {
				r.byName = slices.Delete(r.byName, at, at+1)
			}
			r.totals.Clients--
			add(&r.totals.Usage, negated(e.usage))
		default:
			e.seen = c.seen
		}
	}
	for id, more := range usage {
		if e := r.byID[id]; e != nil {
			add(&e.usage, *more)
			add(&r.totals.Usage, *more)
		}
	}
}

func (r *register) find(name string) (at int, there bool) {
	return slices.BinarySearchFunc(r.byName, name, func(e *entry, name string) int { return cmp.Compare(e.name, name) })
}

func (r *register) addAlike(e *entry) {
	for _, key := range e.form.Likenesses() {
		r.alike[key] = append(r.alike[key], e)
	}
}

func (r *register) dropAlike(e *entry) {
	for _, key := range e.form.Likenesses() {
		left := slices.DeleteFunc(r.alike[key], func(other *entry) bool { return other == e })
		if len(left) == 0 {
			delete(r.alike, key)
			continue
		}
		r.alike[key] = left
	}
}

// NameLike returns a client's name that people take for the given one.
func (c *Catalog) NameLike(_ context.Context, name string) (string, error) {
	return c.writer.register.like(name, alike.Name.Like), nil
}

// Lookalike returns a client's name that looks like the given one.
func (c *Catalog) Lookalike(_ context.Context, name string) (string, error) {
	return c.writer.register.like(name, alike.Name.Resembles), nil
}

// like is the first client's name beside the given one that is like it, "" if
// there is none. However many names look the same, comparing them is cheap.
func (r *register) like(name string, like func(form, other alike.Name) bool) string {
	form := alike.NameOf(name)
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, key := range form.Likenesses() {
		for _, e := range r.alike[key] {
			if e.name != name && like(form, e.form) {
				return e.name
			}
		}
	}
	return ""
}

func negated(u store.Usage) store.Usage {
	return store.Usage{Files: -u.Files, Versions: -u.Versions, Verified: -u.Verified, Bytes: -u.Bytes}
}

func (r *register) sums() store.Totals {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.totals
}

// sortKey is what an order compares, nil for the order of names.
func sortKey(by store.ClientSort) (key func(*entry) int64, err error) {
	switch by {
	case "", store.SortByName:
		return nil, nil
	case store.SortByLastSeen:
		return func(e *entry) int64 { return e.seen }, nil
	case store.SortByCreated:
		return func(e *entry) int64 { return e.created }, nil
	case store.SortByFiles:
		return func(e *entry) int64 { return e.usage.Files }, nil
	case store.SortByBytes:
		return func(e *entry) int64 { return e.usage.Bytes }, nil
	}
	return nil, fmt.Errorf("no order %q", by)
}

// page is what a query asks for, as copies, and how many it finds. The lock is
// held only for as long as copying takes, since commits wait for it.
func (r *register) page(q store.ClientQuery) (page []entry, total int, err error) {
	key, err := sortKey(q.Sort)
	if err != nil {
		return nil, 0, err
	}
	r.mu.RLock()
	found := slices.Clone(r.byName)
	r.mu.RUnlock()
	if q.Search != "" {
		found = matching(found, q.Search)
	}
	total = len(found)
	from := min(max(q.Offset, 0), total)
	to := min(from+max(q.Limit, 0), total)
	if from == to {
		return nil, total, nil
	}
	if key != nil {
		found = r.sorted(found, key)
	}
	if q.Descending {
		slices.Reverse(found)
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, e := range found[from:to] {
		page = append(page, *e)
	}
	return page, total, nil
}

// matching returns the clients of a list that match a search.
func matching(list []*entry, text string) (found []*entry) {
	text = strings.ToLower(text)
	for _, e := range list {
		if strings.Contains(e.folded, text) || strings.HasPrefix(e.fingerprint, text) {
			found = append(found, e)
		}
	}
	return found
}

// sorted sorts clients by a key; equal ones keep their order.
func (r *register) sorted(list []*entry, key func(*entry) int64) []*entry {
	type keyed struct {
		key int64
		at  int
	}
	keys := make([]keyed, len(list))
	r.mu.RLock()
	for i, e := range list {
		keys[i] = keyed{key(e), i}
	}
	r.mu.RUnlock()
	slices.SortFunc(keys, func(a, b keyed) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.at, b.at)) })
	out := make([]*entry, len(list))
	for i, k := range keys {
		out[i] = list[k.at]
	}
	return out
}

// ListClients returns a page of the clients that a query finds.
func (c *Catalog) ListClients(ctx context.Context, q store.ClientQuery) ([]store.ClientUsage, int64, error) {
	entries, total, err := c.writer.register.page(q)
	if err != nil {
		return nil, 0, fmt.Errorf("list clients: %w", err)
	}
	page := make([]store.ClientUsage, 0, len(entries))
	for _, e := range entries {
		client, err := c.Client(ctx, e.id)
		if errors.Is(err, store.ErrNoClient) {
			continue // removed in the meantime
		}
		if err != nil {
			return nil, 0, fmt.Errorf("list clients: %w", err)
		}
		client.SessionKey, client.PasswordHash, client.APIID = nil, "", store.APIID{}
		page = append(page, store.ClientUsage{Client: client, Usage: e.usage})
	}
	return page, int64(total), nil
}

// Totals returns the figures of the whole catalog.
func (c *Catalog) Totals(context.Context) (store.Totals, error) { return c.writer.register.sums(), nil }

// Suspended returns the clients whose requests the operator refuses.
func (c *Catalog) Suspended(ctx context.Context) ([]store.ClientID, error) {
	ids, err := clientIDs(ctx, c.query.suspended)
	if err != nil {
		return nil, fmt.Errorf("read the suspended clients: %w", explain(err))
	}
	return ids, nil
}

// clientIDs reads the ids of clients that a query finds.
func clientIDs(ctx context.Context, query *sql.Stmt) (ids []store.ClientID, err error) {
	rows, err := query.QueryContext(ctx)
	if err != nil {
		return nil, err
	}
	err = eachRow(rows, func(row scanner) error {
		var id store.ClientID
		err := row.Scan(fixed(id[:]))
		ids = append(ids, id)
		return err
	})
	return ids, err
}
