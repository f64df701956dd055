package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"coffer/store"
	"coffer/store/packset"
)

// A packReader reads what there is about packs and snapshots within one
// transaction: that of a change, or one of its own.
type packReader struct {
	each func(s *sql.Stmt, visit func(scanner) error, args ...any) error
	q    *packQueries
}

func (t *tx) packs() packReader { return packReader{t.each, &t.stmts.packQueries} }

// readPacks calls f with a reader of one moment.
func (c *Catalog) readPacks(ctx context.Context, f func(packReader) error) (err error) {
	moment, err := c.reads.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return explain(err)
	}
	defer func() { err = explain(errors.Join(err, moment.Rollback())) }()
	each := func(s *sql.Stmt, visit func(scanner) error, args ...any) error {
		rows, err := moment.StmtContext(ctx, s).QueryContext(ctx, args...)
		if err != nil {
			return err
		}
		return eachRow(rows, visit)
	}
	return f(packReader{each, &c.query.packQueries})
}

// packQueries are the statements that a packReader needs. Each connection has
// its own.
type packQueries struct {
	owner, ownerSets                   *sql.Stmt
	packsByID, packsByOrdinal          *sql.Stmt
	deadPack, packsAfter, damagedPacks *sql.Stmt
	removablePacks                     *sql.Stmt
	run, runs, runBase, runPins        *sql.Stmt
	idleRuns, ownerPins, ownerBases    *sql.Stmt
	newestVersion, fileVersion         *sql.Stmt
	snapshot, newestSnapshot           *sql.Stmt
	snapshotOfRun                      *sql.Stmt
	snapshotBefore, snapshotAfter      *sql.Stmt
	snapshotPacks, snapshotMends       *sql.Stmt
	newestPacks, leavingPacks          *sql.Stmt
	mendPacks                          *sql.Stmt
	snapshotRest, snapshotsAfter       *sql.Stmt
	newestAfterName                    *sql.Stmt
}

const (
	packColumns = `packs.Ordinal, packs.ID, packs.Size, packs.State, packs.PathName`

	// selectPacksByID finds the elements of a JSON list of ids in hexadecimal.
	selectPacksByID = `SELECT sought.key, ` + packColumns + ` FROM json_each(?2) AS sought CROSS JOIN packs
		WHERE Owner = ?1 AND packs.ID = unhex(sought.value) AND State < 2`

	// selectPacksByOrdinal finds the elements of a JSON list of ordinals.
	selectPacksByOrdinal = `SELECT sought.key, ` + packColumns + ` FROM json_each(?2) AS sought CROSS JOIN packs
		WHERE Owner = ?1 AND Ordinal = sought.value`

	runColumns = `Number, ID, Name, Base, BaseBytes, Begun, Seen, SeenAge, Packs, Bytes`

	snapshotColumns = `Row, Name, Number, Run, Packs, PackBytes, Mends, Head`

	// selectNewestAfterName hops from name to name.
	selectNewestAfterName = `
		WITH RECURSIVE names (hop) AS (
			SELECT (SELECT Name FROM snapshots WHERE Owner = ?1 AND Name > ?2 ORDER BY Name LIMIT 1)
			UNION ALL
			SELECT (SELECT Name FROM snapshots WHERE Owner = ?1 AND Name > hop ORDER BY Name LIMIT 1)
			FROM names WHERE hop IS NOT NULL
			LIMIT ?3
		)
		SELECT ` + snapshotColumns + ` FROM names CROSS JOIN snapshots
		WHERE Owner = ?1 AND Name = hop AND Number = (
			SELECT Number FROM snapshots WHERE Owner = ?1 AND Name = hop ORDER BY Number DESC LIMIT 1)
		ORDER BY hop`
)

// queries are the statements by what they are kept in.
func (q *packQueries) queries() map[**sql.Stmt]string {
	return map[**sql.Stmt]string{
		&q.owner:     "SELECT Number, Next, Age, Changes, Packs, Bytes, Dead, Freed FROM pack_owners WHERE Client = ?",
		&q.ownerSets: "SELECT Gone, Lost FROM pack_sets WHERE Owner = ?",

		&q.packsByID:      selectPacksByID,
		&q.packsByOrdinal: selectPacksByOrdinal,
		&q.deadPack:       "SELECT " + packColumns + " FROM packs INDEXED BY packs_dead_by_id WHERE Owner = ? AND ID = ? AND State = 2 LIMIT 1",
		&q.packsAfter:     "SELECT " + packColumns + " FROM packs WHERE Owner = ? AND Ordinal > ? ORDER BY Ordinal LIMIT ?",
		&q.damagedPacks:   "SELECT Ordinal FROM packs WHERE Owner = ? AND State = 1",
		&q.removablePacks: "SELECT " + packColumns + " FROM packs WHERE Owner = ? AND State = 2 AND DeadAt <= ? ORDER BY DeadAt LIMIT ?",

		&q.run:        "SELECT " + runColumns + " FROM runs WHERE Owner = ? AND ID = ?",
		&q.runs:       "SELECT " + runColumns + " FROM runs WHERE Owner = ? ORDER BY Begun, ID",
		&q.idleRuns:   "SELECT " + runColumns + " FROM runs WHERE Owner = ? AND SeenAge <= ?",
		&q.runBase:    "SELECT Packs FROM run_bases WHERE Run = ?",
		&q.runPins:    "SELECT Number, Packs FROM run_pins WHERE Run = ?",
		&q.ownerBases: "SELECT run_bases.Packs FROM runs JOIN run_bases ON Run = Number WHERE Owner = ?",
		&q.ownerPins:  "SELECT run_pins.Packs FROM runs JOIN run_pins ON Run = runs.Number WHERE Owner = ?",

		&q.fileVersion:    "SELECT " + versionColumns + " FROM files WHERE ID = ? AND FileName = ? AND Version = ?",
		&q.newestVersion:  "SELECT Version FROM files WHERE ID = ? AND FileName = ? ORDER BY Version DESC LIMIT 1",
		&q.snapshot:       "SELECT " + snapshotColumns + " FROM snapshots WHERE Owner = ? AND Name = ? AND Number = ?",
		&q.newestSnapshot: "SELECT " + snapshotColumns + " FROM snapshots WHERE Owner = ? AND Name = ? ORDER BY Number DESC LIMIT 1",
		&q.snapshotOfRun:  "SELECT " + snapshotColumns + " FROM snapshots WHERE Owner = ? AND Run = ? LIMIT 1",
		&q.snapshotBefore: "SELECT " + snapshotColumns + " FROM snapshots WHERE Owner = ? AND Name = ? AND Number < ? ORDER BY Number DESC LIMIT 1",
		&q.snapshotAfter:  "SELECT " + snapshotColumns + " FROM snapshots WHERE Owner = ? AND Name = ? AND Number > ? ORDER BY Number LIMIT 1",
		&q.snapshotPacks:  "SELECT Packs FROM snapshot_packs WHERE Snapshot = ?",
		&q.snapshotMends:  "SELECT PathName, Metadata, Packs FROM mends WHERE Snapshot = ? ORDER BY Number",

		&q.newestPacks:  "SELECT snapshot_packs.Packs FROM snapshots JOIN snapshot_packs ON Snapshot = Row WHERE Owner = ? AND Leaving IS NULL",
		&q.leavingPacks: "SELECT Leaving FROM snapshots WHERE Owner = ? AND Leaving IS NOT NULL",
		&q.mendPacks:    "SELECT Packs FROM mends WHERE Owner = ?",

		&q.snapshotRest:    "SELECT " + snapshotColumns + " FROM snapshots WHERE Owner = ? AND Name = ? AND Number < ? ORDER BY Number DESC LIMIT ?",
		&q.snapshotsAfter:  "SELECT " + snapshotColumns + " FROM snapshots WHERE Owner = ? AND Name > ? ORDER BY Name, Number DESC LIMIT ?",
		&q.newestAfterName: selectNewestAfterName,
	}
}

// An owner is a client that has packs.
type owner struct {
	number  int64
	client  store.ClientID
	next    int64 // ordinal
	age     int64
	changes int64
	usage   store.PackUsage
}

// owner finds a client's; there is false if it has none.
func (r packReader) owner(client store.ClientID) (o owner, there bool, err error) {
	o.client = client
	err = r.each(r.q.owner, func(row scanner) error {
		there = true
		u := &o.usage
		return row.Scan(&o.number, &o.next, &o.age, &o.changes, &u.Packs, &u.Bytes, &u.Dead, &u.Freed)
	}, client[:])
	return o, there, err
}

// sets reads which of an owner's packs nothing may need any more, and which of
// them are lost.
func (r packReader) sets(o owner) (gone, lost *packset.Set, err error) {
	gone, lost = new(packset.Set), new(packset.Set)
	err = r.each(r.q.ownerSets, func(row scanner) error {
		var g, l []byte
		if err := row.Scan(&g, &l); err != nil {
			return err
		}
		var err error
		if gone, err = packset.Decode(g); err != nil {
			return err
		}
		lost, err = packset.Decode(l)
		return err
	}, o.number)
	return gone, lost, err
}

// damaged are the packs that cannot be relied on, though snapshots may need
// them.
func (r packReader) damaged(o owner, lost *packset.Set) (*packset.Set, error) {
	damaged := lost.Clone()
	err := r.each(r.q.damagedPacks, func(row scanner) error {
		var ordinal uint32
		err := row.Scan(&ordinal)
		damaged.AddOrdinals(ordinal, ordinal)
		return err
	}, o.number)
	return damaged, err
}

// scanPack reads packColumns, behind more.
func scanPack(row scanner, p *store.Pack, more ...any) error {
	var path string
	var state int64
	err := row.Scan(append(more, &p.Ordinal, fixed(p.ID[:]), &p.Size, &state, &path)...)
	p.State, p.Blob = store.PackState(state), store.BlobRef(path)
	return err
}

// byID finds packs that are not dead, in the order of ids.
func (r packReader) byID(o owner, ids []store.PackID) ([]store.Pack, error) {
	var list strings.Builder
	list.Grow(len(ids)*67 + 2)
	list.WriteByte('[')
	for i, id := range ids {
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteByte('"')
		list.WriteString(hex.EncodeToString(id[:]))
		list.WriteByte('"')
	}
	list.WriteByte(']')
	return r.sought(o, r.q.packsByID, list.String(), len(ids))
}

// byOrdinal finds packs, dead ones too, in the order of ordinals.
func (r packReader) byOrdinal(o owner, ordinals []uint32) ([]store.Pack, error) {
	list := make([]byte, 0, len(ordinals)*8+2)
	list = append(list, '[')
	for i, ordinal := range ordinals {
		if i > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendUint(list, uint64(ordinal), 10)
	}
	return r.sought(o, r.q.packsByOrdinal, string(append(list, ']')), len(ordinals))
}

func (r packReader) sought(o owner, by *sql.Stmt, list string, n int) ([]store.Pack, error) {
	found := make([]store.Pack, n)
	err := r.each(by, func(row scanner) error {
		var at int
		p := store.Pack{Client: o.client}
		if err := scanPack(row, &p, &at); err != nil {
			return err
		}
		found[at] = p
		return nil
	}, o.number, list)
	return found, err
}

// list are the packs that a query finds.
func (r packReader) list(o owner, query *sql.Stmt, args ...any) (found []store.Pack, err error) {
	err = r.each(query, func(row scanner) error {
		p := store.Pack{Client: o.client}
		err := scanPack(row, &p)
		found = append(found, p)
		return err
	}, append([]any{o.number}, args...)...)
	return found, err
}

// union adds the sets that a query finds to one, a row's first column each.
func (r packReader) union(to *packset.Set, query *sql.Stmt, args ...any) error {
	return r.each(query, func(row scanner) error {
		var b []byte
		if err := row.Scan(&b); err != nil {
			return err
		}
		one, err := packset.Decode(b)
		if err == nil {
			to.Union(one)
		}
		return err
	}, args...)
}

// blob reads the one value that a query finds, nil if there is none.
func (r packReader) blob(query *sql.Stmt, args ...any) (b []byte, err error) {
	err = r.each(query, func(row scanner) error { return row.Scan(&b) }, args...)
	return b, err
}

// missing returns a *store.MissingPacks if something of a set cannot be relied
// on.
func (r packReader) missing(o owner, packs *packset.Set) error {
	gone, lost, err := r.sets(o)
	if err != nil {
		return err
	}
	bad, err := r.damaged(o, lost)
	if err != nil {
		return err
	}
	bad.Union(gone)
	if int64(packs.Max()) < o.next && !bad.Overlaps(packs) {
		return nil
	}
	bad.Intersect(packs)
	var ordinals []uint32
	for ordinal := range bad.After(0) {
		if ordinals = append(ordinals, ordinal); len(ordinals) == maxMissing {
			break
		}
	}
	found, err := r.byOrdinal(o, ordinals)
	if err != nil {
		return err
	}
	missing := new(store.MissingPacks)
	for _, p := range found {
		if p.Ordinal != 0 {
			missing.IDs = append(missing.IDs, p.ID)
		}
	}
	return missing
}

// maxMissing is how many missing packs are named at most.
const maxMissing = 2000

// encodeMetadata and decodeMetadata are what a mend keeps of its blob's.
func encodeMetadata(m store.Metadata) ([]byte, error) { return json.Marshal(m) }

func decodeMetadata(b []byte) (m store.Metadata, err error) {
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	m.Received = m.Received.UTC()
	return m, nil
}
