package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"coffer/store"
)

const (
	clientColumns = `ID, Name, Kind, PublicKey, OAEPHash, PasswordHash, AESKey, Suspended, Created, LastSeen, BaseClosed, APIID`
	selectClient  = `SELECT ` + clientColumns + ` FROM clients WHERE ID = ?`
	insertClient  = `INSERT INTO clients (` + clientColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	updateClient  = `UPDATE clients SET Kind = ?, PublicKey = ?, OAEPHash = ?, PasswordHash = ?,
		AESKey = ?, Suspended = ?, LastSeen = ?, BaseClosed = ?, APIID = ? WHERE ID = ?`
)

// clientPage is how many clients EachClient has in memory.
const clientPage = 256

func scanClient(row scanner) (store.Client, error) {
	var c store.Client
	var created, seen int64
	var apiID []byte
	err := row.Scan(fixed(c.ID[:]), &c.Name, &c.Kind, &c.PublicKey, &c.OAEPHash, &c.PasswordHash,
		&c.SessionKey, &c.Suspended, &created, &seen, &c.BaseClosed, &apiID)
	if err != nil {
		return store.Client{}, err
	}
	c.Created, c.LastSeen = unstamp(created), unstamp(seen)
	copy(c.APIID[:], apiID)
	return c, nil
}

// AddClient adds a new client.
func (c *Catalog) AddClient(ctx context.Context, client store.Client) error {
	if err := c.write(ctx, func(t *tx) error { return t.addClient(client) }); err != nil {
		return fmt.Errorf("add client: %w", err)
	}
	return nil
}

func (t *tx) addClient(c store.Client) error {
	_, err := t.exec(t.stmts.addClient, c.ID[:], c.Name, c.Kind, orNull(c.PublicKey), c.OAEPHash,
		c.PasswordHash, orNull(c.SessionKey), c.Suspended, stamp(c.Created), stamp(c.LastSeen),
		c.BaseClosed, idOrNull(c.APIID))
	if isTaken(err) {
		return store.ErrNameTaken
	}
	if err != nil {
		return err
	}
	t.changes = append(t.changes, clientChange{id: c.ID, added: &c})
	_, err = t.exec(t.stmts.startUsage, c.ID[:])
	return err
}

// Client finds a client by its id.
func (c *Catalog) Client(ctx context.Context, id store.ClientID) (store.Client, error) {
	return c.findClient(ctx, c.query.client, id[:])
}

// ClientByName finds a client by its name.
func (c *Catalog) ClientByName(ctx context.Context, name string) (store.Client, error) {
	return c.findClient(ctx, c.query.clientByName, name)
}

// ClientByAPIID finds a client by its id over HTTP.
func (c *Catalog) ClientByAPIID(ctx context.Context, id store.APIID) (store.Client, error) {
	return c.findClient(ctx, c.query.clientByAPIID, id[:])
}

func idOrNull(id store.APIID) any {
	if id.IsZero() {
		return nil
	}
	return id[:]
}

func (c *Catalog) findClient(ctx context.Context, by *sql.Stmt, key any) (store.Client, error) {
	client, err := scanClient(by.QueryRowContext(ctx, key))
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNoClient
	}
	if err != nil {
		return store.Client{}, fmt.Errorf("find client: %w", explain(err))
	}
	return client, nil
}

// UpdateClient lets change alter a client in a transaction.
func (c *Catalog) UpdateClient(ctx context.Context, id store.ClientID, change func(*store.Client) error) (store.Client, error) {
	return c.update(ctx, id, change, func(*tx, string) error { return nil })
}

// UpdateSignIn is UpdateClient, and replaces the client's key bundle.
func (c *Catalog) UpdateSignIn(ctx context.Context, id store.ClientID, bundle []byte, change func(*store.Client) error) (store.Client, error) {
	if bundle == nil {
		bundle = []byte{}
	}
	return c.update(ctx, id, change, func(t *tx, passwordHash string) error {
		return t.setKeyBundle(id, bundle, passwordHash)
	})
}

// update lets change alter a client, and does what goes with it in the same
// transaction, knowing the password hash until then.
func (c *Catalog) update(ctx context.Context, id store.ClientID, change func(*store.Client) error, then func(*tx, string) error) (store.Client, error) {
	var client store.Client
	var refused error // by change, and returned unchanged
	err := c.write(ctx, func(t *tx) (err error) {
		var hash string
		client, refused, err = t.updateClient(id, func(client *store.Client) error {
			hash = client.PasswordHash
			return change(client)
		})
		if err = errors.Join(refused, err); err != nil {
			return err
		}
		return then(t, hash)
	})
	switch {
	case refused != nil:
		return store.Client{}, refused
	case err != nil:
		return store.Client{}, fmt.Errorf("update client: %w", err)
	}
	return client, nil
}

func (t *tx) client(id store.ClientID) (c store.Client, err error) {
	err = t.each(t.stmts.client, func(row scanner) (err error) { c, err = scanClient(row); return err }, id[:])
	if err == nil && c.ID != id {
		err = store.ErrNoClient
	}
	return c, err
}

func (t *tx) updateClient(id store.ClientID, change func(*store.Client) error) (c store.Client, refused, err error) {
	if c, err = t.client(id); err != nil {
		return c, nil, err
	}
	before := c
	if err := change(&c); err != nil {
		return c, err, nil
	}
	c.ID, c.Name, c.Created = id, before.Name, before.Created
	if before.PublicKey != nil && !bytes.Equal(before.PublicKey, c.PublicKey) {
		former := store.FormerKey{Kind: store.FormerPublicKey, Value: before.PublicKey, OAEPHash: before.OAEPHash}
		if err := t.retireKey(id, former); err != nil {
			return c, nil, err
		}
	}
	_, err = t.exec(t.stmts.updateClient, c.Kind, orNull(c.PublicKey), c.OAEPHash, c.PasswordHash,
		orNull(c.SessionKey), c.Suspended, stamp(c.LastSeen), c.BaseClosed, idOrNull(c.APIID), id[:])
	if isTaken(err) {
		err = store.ErrNameTaken // another account's API id
	}
	t.changes = append(t.changes, clientChange{id: id, seen: stamp(c.LastSeen)})
	return c, nil, err
}

// RemoveClient removes a client and everything of its, on a full disk in
// portions.
func (c *Catalog) RemoveClient(ctx context.Context, id store.ClientID) ([]store.BlobRef, error) {
	var blobs []store.BlobRef
	remove := func(t *tx) (err error) { blobs, err = t.removeClient(id); return err }
	err := c.write(ctx, remove)
	if !errors.Is(err, store.ErrFull) {
		if err != nil {
			return nil, fmt.Errorf("remove client: %w", err)
		}
		return blobs, nil
	}
	dropped, err := c.dropPortions(ctx, id)
	if err == nil {
		err = c.write(ctx, remove)
	}
	if err != nil {
		return dropped, fmt.Errorf("remove client: %w", err)
	}
	return append(dropped, blobs...), nil
}

// dropPortions removes the versions of a client that is being removed, as many
// at once as fit into the existing log. How many names it has is not counted.
func (c *Catalog) dropPortions(ctx context.Context, id store.ClientID) (dropped []store.BlobRef, err error) {
	for {
		var portion []store.BlobRef
		err := c.write(ctx, func(t *tx) (err error) { portion, err = t.drop(t.stmts.dropPortion, id, ""); return err })
		if err != nil || len(portion) == 0 {
			return dropped, err
		}
		dropped = append(dropped, portion...)
	}
}

func (t *tx) removeClient(id store.ClientID) ([]store.BlobRef, error) {
	var blobs []store.BlobRef
	for _, paths := range []*sql.Stmt{t.stmts.clientPaths, t.stmts.mendPaths} {
		err := t.each(paths, func(row scanner) error {
			var path store.BlobRef
			err := row.Scan(&path)
			blobs = append(blobs, path)
			return err
		}, id[:])
		if err != nil {
			return nil, err
		}
	}
	if _, err := t.exec(t.stmts.dropFiles, id[:]); err != nil {
		return nil, err
	}
	removed, err := t.exec(t.stmts.removeClient, id[:])
	if err != nil {
		return nil, err
	}
	if removed == 0 {
		return nil, store.ErrNoClient
	}
	delete(t.usage, id)
	t.changes = append(t.changes, clientChange{id: id, removed: true})
	return blobs, nil
}

// EachClient visits every client. No transaction is open meanwhile.
func (c *Catalog) EachClient(ctx context.Context, visit func(store.Client) error) error {
	after := []byte{}
	for {
		page, err := c.clients(ctx, c.query.clientsAfter, after, clientPage)
		if err != nil {
			return err
		}
		for _, client := range page {
			if err := visit(client); err != nil {
				return err
			}
		}
		if len(page) < clientPage {
			return nil
		}
		after = page[len(page)-1].ID[:]
	}
}

// Sessions returns the clients with a live session key.
func (c *Catalog) Sessions(ctx context.Context) ([]store.Client, error) {
	return c.clients(ctx, c.query.sessions)
}

func (c *Catalog) clients(ctx context.Context, query *sql.Stmt, args ...any) ([]store.Client, error) {
	rows, err := query.QueryContext(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("read clients: %w", explain(err))
	}
	var found []store.Client
	err = eachRow(rows, func(row scanner) error {
		client, err := scanClient(row)
		found = append(found, client)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read clients: %w", explain(err))
	}
	return found, nil
}

// TouchClients records when clients made their last requests, and whose session
// ended.
func (c *Catalog) TouchClients(ctx context.Context, last []store.LastRequest) error {
	if len(last) == 0 {
		return nil
	}
	err := c.write(ctx, func(t *tx) error {
		for _, s := range last {
			if _, err := t.exec(t.stmts.touchClient, stamp(s.At), s.Ended, s.ID[:]); err != nil {
				return err
			}
			t.changes = append(t.changes, clientChange{id: s.ID, seen: stamp(s.At)})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record last requests: %w", err)
	}
	return nil
}

// KeyBundle returns the client's key bundle, nil if it has none.
func (c *Catalog) KeyBundle(ctx context.Context, id store.ClientID) ([]byte, error) {
	var bundle []byte
	err := c.query.keyBundle.QueryRowContext(ctx, id[:]).Scan(&bundle)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNoClient
	}
	if err != nil {
		return nil, fmt.Errorf("read key bundle: %w", explain(err))
	}
	return bundle, nil
}

// SetKeyBundle replaces the client's key bundle.
func (c *Catalog) SetKeyBundle(ctx context.Context, id store.ClientID, bundle []byte) error {
	if bundle == nil {
		bundle = []byte{}
	}
	err := c.write(ctx, func(t *tx) error {
		client, err := t.client(id)
		if err != nil {
			return err
		}
		return t.setKeyBundle(id, bundle, client.PasswordHash)
	})
	if err != nil {
		return fmt.Errorf("keep key bundle: %w", err)
	}
	return nil
}

// setKeyBundle replaces the key bundle of a client that is there. The one until
// now opens for the owner of passwordHash.
func (t *tx) setKeyBundle(id store.ClientID, bundle []byte, passwordHash string) error {
	var before []byte
	err := t.each(t.stmts.keyBundle, func(row scanner) error { return row.Scan(&before) }, id[:])
	if err == nil && before != nil && !bytes.Equal(before, bundle) {
		err = t.retireKey(id, store.FormerKey{Kind: store.FormerBundle, Value: before, PasswordHash: passwordHash})
	}
	if err != nil {
		return err
	}
	_, err = t.exec(t.stmts.setKeyBundle, id[:], bundle)
	return err
}
