package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"coffer/store"
)

const (
	dropActivity = `DELETE FROM activities WHERE ID = ?`

	activityColumns = `ID, At, Kind, Outcome, Client, Name, File, Version, Bytes, Took, Detail, Address`

	// noteBatch is how many activities one statement writes.
	noteBatch = 64
	// manyNotes are so many that they are written before they are due.
	manyNotes = 1024
	// noteDelay is how long an activity waits for company.
	noteDelay = time.Second
	// maxNotes is how many activities can wait, such as while the disk is full;
	// the oldest of what there is most of then go unwritten.
	maxNotes = 10_000
)

// insertActivities inserts so many at once.
func insertActivities(n int) string {
	const values = `(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	return "INSERT INTO activities (" + activityColumns + ") VALUES " + values + strings.Repeat(", "+values, n-1)
}

// notes are the activities that are not written yet.
type notes struct {
	none  bool                                      // no history is kept
	known func(store.ClientID) (acquaintance, bool) // who a client is
	due   *time.Timer                               // fires when what waits should be written

	mu      sync.Mutex
	last    int64 // the ID given last
	pending []store.Activity
}

func newNotes(last int64, none bool, known func(store.ClientID) (acquaintance, bool)) *notes {
	due := time.NewTimer(noteDelay)
	due.Stop()
	return &notes{none: none, known: known, due: due, last: last}
}

// add queues an activity. IDs follow the clock, so that those of activities
// that a crash lost are not given again.
func (n *notes) add(a store.Activity) store.Activity {
	n.mu.Lock()
	defer n.mu.Unlock()
	a.ID = max(n.last+1, time.Now().UnixMicro())
	n.last = a.ID
	if n.none {
		return a
	}
	if len(n.pending) == 0 {
		n.due.Reset(noteDelay)
	}
	if len(n.pending) == maxNotes {
		n.pending = n.thin(n.pending, maxNotes/10)
	}
	n.pending = append(n.pending, a)
	return a
}

// queued is a copy of what waits, the oldest first.
func (n *notes) queued() []store.Activity {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.pending)
}

// ripe returns the activities that should go into the current transaction: all,
// if some have waited long enough or there are enough of them to be cheap.
func (n *notes) ripe(now bool) []store.Activity {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.pending) == 0 || len(n.pending) < manyNotes && !now {
		return nil
	}
	return slices.Clone(n.pending[:min(len(n.pending), manyNotes)])
}

// settle drops written activities from the queue, and schedules the others.
func (n *notes) settle(written []store.Activity) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(written) > 0 {
		upTo := written[len(written)-1].ID
		kept := 0
		for kept < len(n.pending) && n.pending[kept].ID <= upTo {
			kept++
		}
		n.pending = slices.Delete(n.pending, 0, kept)
	}
	if len(n.pending) > 0 {
		n.due.Reset(noteDelay)
	}
}

// NoteActivity queues an activity.
func (c *Catalog) NoteActivity(a store.Activity) store.Activity { return c.writer.notes.add(a) }

func activityArgs(args []any, a *store.Activity) []any {
	var client any
	if a.Client != (store.ClientID{}) {
		client = a.Client[:]
	}
	return append(args, a.ID, stamp(a.At), string(a.Kind), string(a.Outcome), client, a.Name, a.File,
		int64(a.Version), a.Bytes, int64(a.Took), a.Detail, a.Address)
}

// addActivities writes activities, and removes as many as are too many with
// them. If the transaction fails, undo makes the history what it was.
func (t *tx) addActivities(all []store.Activity, h *history, keep int) (undo func(), err error) {
	added := make([]noted, len(all))
	for i := range all {
		h.meet(&all[i])
	}
	for i := range all {
		added[i] = h.add(&all[i])
	}
	dropped := h.drop(keep)
	undo = func() { h.undo(added, dropped) }
	for chunk := range slices.Chunk(all, noteBatch) {
		if len(chunk) < noteBatch {
			for i := range chunk {
				if _, err := t.exec(t.stmts.addActivity, activityArgs(nil, &chunk[i])...); err != nil {
					return undo, err
				}
			}
			continue
		}
		args := make([]any, 0, noteBatch*12)
		for i := range chunk {
			args = activityArgs(args, &chunk[i])
		}
		if _, err := t.exec(t.stmts.addActivities, args...); err != nil {
			return undo, err
		}
	}
	for _, e := range dropped {
		if _, err := t.exec(t.stmts.dropActivity, e.id); err != nil {
			return undo, err
		}
	}
	return undo, nil
}

// Activities returns the activities that match a filter, the newest first.
func (c *Catalog) Activities(ctx context.Context, f store.ActivityFilter) ([]store.Activity, error) {
	if f.Limit <= 0 {
		return nil, nil
	}
	// What is queued is looked at first: it is removed from there only once it
	// can be found in the file.
	var found []store.Activity
	queued := c.writer.notes.queued()
	slices.Reverse(queued)
	for _, a := range queued {
		if f.Matches(a) && len(found) < f.Limit {
			found = append(found, a)
		}
	}
	if len(found) == f.Limit {
		return found, nil
	}
	if len(found) > 0 {
		f.Before = found[len(found)-1].ID
	}
	f.Limit -= len(found)
	query, args := selectActivities(f)
	rows, err := c.reads.QueryContext(ctx, query, args...)
	if err == nil {
		err = eachRow(rows, func(row scanner) error {
			a, err := scanActivity(row)
			found = append(found, a)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read activities: %w", explain(err))
	}
	return found, nil
}

func selectActivities(f store.ActivityFilter) (query string, args []any) {
	var where []string
	and := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	if f.Client != (store.ClientID{}) {
		and("Client = ?", f.Client[:])
	}
	if f.Outcome != "" {
		and("Outcome = ?", string(f.Outcome))
	}
	if len(f.Kinds) > 0 {
		var kinds []any
		for _, kind := range f.Kinds {
			kinds = append(kinds, string(kind))
		}
		and("Kind IN (?"+strings.Repeat(", ?", len(kinds)-1)+")", kinds...)
	}
	if f.Before != 0 {
		and("ID < ?", f.Before)
	}
	if f.After != 0 {
		and("ID > ?", f.After)
	}
	query = "SELECT " + activityColumns + " FROM activities"
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	return query + " ORDER BY ID DESC LIMIT ?", append(args, f.Limit)
}

func scanActivity(row scanner) (store.Activity, error) {
	var a store.Activity
	var client []byte
	var at, version, took int64
	err := row.Scan(&a.ID, &at, &a.Kind, &a.Outcome, &client, &a.Name, &a.File, &version, &a.Bytes, &took, &a.Detail, &a.Address)
	if err == nil && client != nil {
		err = fixed(a.Client[:]).Scan(client)
	}
	a.At, a.Version, a.Took = unstamp(at), uint32(version), time.Duration(took)
	return a, err
}

// loadActivities reads the last ID given and the activities that exist, and
// keeps as many as allowed.
func loadActivities(ctx context.Context, conn *sql.Conn, keep int, known func(store.ClientID) (acquaintance, bool)) (last int64, h *history, err error) {
	h = newHistory(known)
	// Twice, for a client's standing is known only at the end.
	for _, do := range []func(*store.Activity){h.meet, func(a *store.Activity) { h.add(a) }} {
		rows, err := conn.QueryContext(ctx, "SELECT "+activityColumns+" FROM activities ORDER BY ID")
		if err != nil {
			return 0, nil, err
		}
		err = eachRow(rows, func(row scanner) error {
			a, err := scanActivity(row)
			last = a.ID
			do(&a)
			return err
		})
		if err != nil {
			return 0, nil, err
		}
	}
	for _, e := range h.drop(keep) {
		if _, err := conn.ExecContext(ctx, dropActivity, e.id); err != nil {
			return 0, nil, err
		}
	}
	return last, h, nil
}
