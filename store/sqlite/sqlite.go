// Package sqlite keeps the catalog in one SQLite file: what it has answered is
// on stable storage, and the changes of concurrent callers share one sync.
//
// One goroutine owns the one connection that writes. It takes the changes that
// queued up while the last transaction was syncing, runs them all in one
// transaction, and answers them after its commit; see writer. Reads go past it
// on connections of their own, which see the last commit.
//
// The tables are those of the earlier server, clients and files, with more
// columns; migrations/ is their definition. The package does not import an
// earlier server's database, holds no ciphertext, and does not keep two
// processes from opening one file.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"

	"coffer/store"
)

// errClosed is returned for changes that come after Close.
var errClosed = errors.New("the catalog is closed")

// Catalog is a store.Catalog in an SQLite file.
type Catalog struct {
	path   string
	reads  *sql.DB
	writes *sql.DB
	query  queries
	writer *writer

	mu     sync.RWMutex // held for reading while sending to the writer
	closed bool
}

var _ store.Catalog = (*Catalog)(nil)

// An Option alters how a catalog is opened.
type Option func(*options)

type options struct {
	onFull     func()
	activities int
}

// OnFull has release called each time a transaction finds the disk full, for
// the caller to make room, such as by removing a reserve file; the transaction
// is then tried once more. It is called from the goroutine that writes and
// must not use the catalog.
func OnFull(release func()) Option {
	return func(o *options) { o.onFull = release }
}

// KeepActivities bounds the history of activities, which is of the last
// 100,000 unless this says otherwise; 0 keeps none.
func KeepActivities(n int) Option {
	return func(o *options) { o.activities = n }
}

// Open opens the catalog in the file at path, which is made if it is not
// there, and brings its tables up to date.
func Open(ctx context.Context, path string, opts ...Option) (*Catalog, error) {
	o := options{onFull: func() {}, activities: 100_000}
	for _, opt := range opts {
		opt(&o)
	}
	c := &Catalog{path: path}
	if err := c.open(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("open catalog %s: %w", path, explain(err)), c.closePools())
	}
	return c, nil
}

func (c *Catalog) open(ctx context.Context, o options) error {
	if err := makeFile(c.path); err != nil {
		return err
	}
	var err error
	if c.reads, err = openPool(c.path, readPragmas, readConns); err != nil {
		return err
	}
	if err := refuseEarlier(ctx, c.reads); err != nil {
		return err
	}
	if c.writes, err = openPool(c.path, writePragmas, 1); err != nil {
		return err
	}
	if err := migrate(ctx, c.writes); err != nil {
		return err
	}
	if err := c.query.prepare(ctx, c.reads); err != nil {
		return err
	}
	c.writer, err = startWriter(ctx, c.writes, c.path, o)
	return err
}

// Close finishes what is queued, brings the write-ahead log into the file, and
// closes it. The log keeps its room, and has nothing in it.
func (c *Catalog) Close() error {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	c.mu.Unlock()
	if again {
		return nil
	}
	log, err := c.writer.close()
	err = errors.Join(err, c.query.close(), c.closePools())
	if err == nil && log != nil {
		err = emptyLog(c.path, log)
	}
	if err != nil {
		return fmt.Errorf("close catalog %s: %w", c.path, err)
	}
	return nil
}

func (c *Catalog) closePools() error {
	var errs []error
	for _, pool := range []*sql.DB{c.reads, c.writes} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(errs...)
}

// write has the writer run a change and waits for it to be on stable storage.
func (c *Catalog) write(ctx context.Context, change func(*tx) error) error {
	op := &operation{ctx: ctx, run: change, done: make(chan struct{})}
	if err := c.enqueue(op); err != nil {
		return err
	}
	<-op.done
	return explain(op.err)
}

func (c *Catalog) enqueue(op *operation) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return errClosed
	}
	select {
	case c.writer.queue <- op:
		return nil
	case <-op.ctx.Done():
		return op.ctx.Err()
	}
}

// Check reports whether the catalog can be read and written.
func (c *Catalog) Check(ctx context.Context) error {
	err := c.write(ctx, func(t *tx) error { return t.setSetting(checkKey, nil) })
	if err != nil {
		return fmt.Errorf("write catalog %s: %w", c.path, err)
	}
	return c.Ping(ctx)
}

// Ping reports whether the catalog can be read.
func (c *Catalog) Ping(ctx context.Context) error {
	if _, err := c.Setting(ctx, checkKey); err != nil {
		return fmt.Errorf("read catalog %s: %w", c.path, err)
	}
	return nil
}

// Integrity reads the whole file and returns store.ErrDamaged if its structure
// is broken. It takes seconds for a large catalog.
func (c *Catalog) Integrity(ctx context.Context) error {
	rows, err := c.reads.QueryContext(ctx, "PRAGMA quick_check(10)")
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	var found []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return explain(err)
		}
		if line != "ok" {
			found = append(found, line)
		}
	}
	if err := rows.Err(); err != nil {
		return explain(err)
	}
	if len(found) > 0 {
		return fmt.Errorf("catalog %s: %w: %s", c.path, store.ErrDamaged, strings.Join(found, "; "))
	}
	return nil
}
