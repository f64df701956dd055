package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"coffer/store"
)

// maxBatch is how many operations go into one transaction at most. It bounds
// what one waits for, not what is written.
const maxBatch = 512

// An operation is one change and the caller that waits for it. It runs again if
// its transaction has to be tried again.
type operation struct {
	ctx  context.Context
	run  func(*tx) error
	err  error // owned by the writer until done is closed
	done chan struct{}
}

// A writer runs operations, many to a transaction.
type writer struct {
	queue    chan *operation
	bracing  chan struct{} // holds one that the loop has not seen
	finished chan struct{}

	// owned by the goroutine
	ctx     context.Context // never done: a transaction is not left half way
	conn    *sql.Conn
	path    string // of the catalog
	stmts   statements
	onFull  func()
	history *history // the activities in the file
	keep    int      // at most

	notes    *notes
	register *register
	took     *measures
}

func startWriter(ctx context.Context, db *sql.DB, path string, o options) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{
		queue:    make(chan *operation, maxBatch),
		bracing:  make(chan struct{}, 1),
		finished: make(chan struct{}),
		ctx:      context.WithoutCancel(ctx),
		conn:     conn,
		path:     path,
		onFull:   o.onFull,
		keep:     o.activities,
		took:     newMeasures(),
	}
	if err := w.load(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if err := w.stmts.prepare(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	_ = allocateLog(path) // a provision: without it, the catalog works as long as there is room
	go w.loop()
	return w, nil
}

// load reads what the writer keeps in mind.
func (w *writer) load() error {
	var err error
	if w.register, err = loadRegister(w.ctx, w.conn); err != nil {
		return fmt.Errorf("read the clients: %w", err)
	}
	last, h, err := loadActivities(w.ctx, w.conn, w.keep, w.register.known)
	if err != nil {
		return fmt.Errorf("count activities: %w", err)
	}
	w.notes, w.history = newNotes(last, w.keep == 0, w.register.known), h
	return nil
}

// close drains the queue, to which nothing may be sent any more. It returns the
// log's header if all of the log is in the file.
func (w *writer) close() (log []byte, err error) {
	close(w.queue)
	<-w.finished
	whole, err := w.checkpoint("RESTART")
	if isFull(err) {
		err = nil // the log keeps what has no room in the file
	}
	// Without a limit, who closes last does not cut the log.
	_, unlimited := w.conn.ExecContext(w.ctx, "PRAGMA journal_size_limit = -1")
	if whole && err == nil {
		log, err = readLogHeader(w.path)
	}
	return log, errors.Join(err, unlimited, w.stmts.close(), w.conn.Close())
}

func (w *writer) loop() {
	defer close(w.finished)
	batch := make([]*operation, 0, maxBatch)
	due := false // activities have waited long enough
	for {
		select {
		case first, open := <-w.queue:
			if !open {
				w.commit(nil, true)
				return
			}
			batch = w.gather(append(batch, first))
			w.commit(batch, due)
			clear(batch)
			batch, due = batch[:0], false
		case <-w.bracing:
			w.brace()
		case <-w.notes.due.C:
			if len(w.queue) > 0 {
				due = true // they go with what is there
			} else {
				w.commit(nil, true)
			}
		}
	}
}

// gather adds what else is queued, without waiting for more.
func (w *writer) gather(batch []*operation) []*operation {
	for len(batch) < maxBatch {
		select {
		case op, open := <-w.queue:
			if !open {
				return batch
			}
			batch = append(batch, op)
		default:
			return batch
		}
	}
	return batch
}

// commit runs the batch and answers everyone in it. Activities go along if
// they are due, or cheap by now; no change fails because of them.
func (w *writer) commit(batch []*operation, due bool) {
	notes := w.notes.ripe(due)
	err := w.try(batch, notes)
	if err != nil && len(notes) > 0 {
		notes = nil
		err = w.try(batch, nil)
	}
	if isFull(err) {
		w.onFull()
		w.brace()
		err = w.try(batch, nil)
	}
	w.notes.settle(notes)
	for _, op := range batch {
		if err != nil && op.err == nil {
			op.err = err
		}
		close(op.done)
	}
}

// try runs the batch in one transaction. Its error is everyone's; an operation
// that failed on its own has its error in itself.
func (w *writer) try(batch []*operation, notes []store.Activity) error {
	live := batch[:0:0]
	for _, op := range batch {
		if op.err = op.ctx.Err(); op.err == nil {
			live = append(live, op)
		}
	}
	for {
		failed, err := w.attempt(live, notes)
		if err != nil || failed == nil {
			return err
		}
		// What it had written went with the transaction; the others go again.
		live = without(live, failed)
	}
}

func without(ops []*operation, gone *operation) []*operation {
	kept := ops[:0]
	for _, op := range ops {
		if op != gone {
			kept = append(kept, op)
		}
	}
	return kept
}

// attempt runs the operations in one transaction and commits it. If one failed
// half way, having written something, nothing is committed and that one is
// returned.
func (w *writer) attempt(ops []*operation, notes []store.Activity) (failed *operation, err error) {
	if len(ops)+len(notes) == 0 {
		return nil, nil
	}
	if _, err := w.stmts.begin.ExecContext(w.ctx); err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	done := false
	defer func() {
		if !done {
			// SQLite may have rolled back by itself, and then this fails.
			_, _ = w.stmts.rollback.ExecContext(w.ctx)
		}
	}()
	t := &tx{ctx: w.ctx, stmts: &w.stmts}
	for _, op := range ops {
		t.wrote = false
		op.err = op.run(t)
		switch {
		case spoilsBatch(op.err):
			err := op.err
			op.err = nil
			return nil, err
		case op.err != nil && t.wrote:
			return op, nil
		}
	}
	if err := t.addUsage(); err != nil {
		return nil, fmt.Errorf("add usage: %w", err)
	}
	undo, err := t.addActivities(notes, w.history, w.keep)
	defer func() {
		if !done {
			undo()
		}
	}()
	if err != nil {
		return nil, fmt.Errorf("add activities: %w", err)
	}
	began := time.Now()
	if _, err := w.stmts.commit.ExecContext(w.ctx); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	done = true
	w.took.add(len(ops), time.Since(began))
	w.register.follow(t.changes, t.usage)
	return nil, nil
}
