package sqlite

import "database/sql"

// packStatements are those of the connection that writes which change what
// there is of packs, runs and snapshots.
type packStatements struct {
	addOwner, changeOwner, ageOwner, raiseOrdinal, countPacks *sql.Stmt
	setPackSets                                               *sql.Stmt
	addPack, replacePack, markPack, killPack, forgetPack      *sql.Stmt
	addRun, addRunBase, sawRun, countRun, dropRun             *sql.Stmt
	dropRunBase, addPins, dropPins                            *sql.Stmt
	addSnapshot, addSnapshotPacks, setLeaving                 *sql.Stmt
	dropSnapshot, dropSnapshotPacks                           *sql.Stmt
	addMend, countMend, dropMends, mendPaths                  *sql.Stmt
	versionPath                                               *sql.Stmt

	leftPacks, leftSnapshots, leftSnapshotPacks *sql.Stmt
	leftMends, leftRuns, leftRunBases, leftPins *sql.Stmt
	leftSets, dropOwners                        *sql.Stmt
}

// removed are the owners that have left the catalog.
const removed = "(SELECT Number FROM pack_owners WHERE Client IS NULL)"

// changes are the statements by what they are kept in.
func (s *packStatements) changes() map[**sql.Stmt]string {
	return map[**sql.Stmt]string{
		&s.addOwner:     "INSERT INTO pack_owners (Client, Next, Age, Changes, Packs, Bytes, Dead, Freed) VALUES (?, 1, 0, 0, 0, 0, 0, 0)",
		&s.changeOwner:  "UPDATE pack_owners SET Changes = Changes + 1 WHERE Number = ?",
		&s.ageOwner:     "UPDATE pack_owners SET Age = Age + ? WHERE Number = ?",
		&s.raiseOrdinal: "UPDATE pack_owners SET Next = max(Next, ?) WHERE Number = ?",
		&s.countPacks:   "UPDATE pack_owners SET Packs = Packs + ?, Bytes = Bytes + ?, Dead = Dead + ?, Freed = Freed + ? WHERE Number = ?",
		&s.setPackSets:  "INSERT INTO pack_sets (Owner, Gone, Lost) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET Gone = excluded.Gone, Lost = excluded.Lost",

		&s.addPack:     "INSERT INTO packs (Owner, Ordinal, ID, Size, State, DeadAt, PathName) VALUES (?, ?, ?, ?, ?, 0, ?)",
		&s.replacePack: "UPDATE packs SET PathName = ?, State = 0 WHERE Owner = ? AND Ordinal = ?",
		&s.markPack:    "UPDATE packs SET State = ? WHERE Owner = ? AND Ordinal = ? AND State < 2",
		&s.killPack:    "UPDATE packs SET State = 2, DeadAt = ? WHERE Owner = ? AND Ordinal = ? AND State < 2 RETURNING Size",
		&s.forgetPack:  "DELETE FROM packs WHERE Owner = ? AND Ordinal = ? AND State = 2 RETURNING Size",

		&s.addRun:      "INSERT INTO runs (Owner, ID, Name, Base, BaseBytes, Begun, Seen, SeenAge, Packs, Bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0) RETURNING Number",
		&s.sawRun:      "UPDATE runs SET Seen = ?, SeenAge = ? WHERE Number = ?",
		&s.countRun:    "UPDATE runs SET Packs = Packs + 1, Bytes = Bytes + ? WHERE Number = ?",
		&s.dropRun:     "DELETE FROM runs WHERE Number = ?",
		&s.addRunBase:  "INSERT INTO run_bases (Run, Packs) VALUES (?, ?)",
		&s.dropRunBase: "DELETE FROM run_bases WHERE Run = ?",
		&s.addPins:     "INSERT INTO run_pins (Run, Packs) VALUES (?, ?)",
		&s.dropPins:    "DELETE FROM run_pins WHERE Run = ? AND Number <= ?",

		&s.addSnapshot:       "INSERT INTO snapshots (Owner, Name, Number, Run, Packs, PackBytes, Mends, Head) VALUES (?, ?, ?, ?, ?, ?, 0, ?) RETURNING Row",
		&s.addSnapshotPacks:  "INSERT INTO snapshot_packs (Snapshot, Packs) VALUES (?, ?)",
		&s.setLeaving:        "UPDATE snapshots SET Leaving = ? WHERE Row = ?",
		&s.dropSnapshot:      "DELETE FROM snapshots WHERE Owner = ? AND Name = ? AND Number = ? RETURNING Row, Mends",
		&s.dropSnapshotPacks: "DELETE FROM snapshot_packs WHERE Snapshot = ?",
		&s.addMend:           "INSERT INTO mends (Snapshot, Owner, PathName, Metadata, Packs) VALUES (?, ?, ?, ?, ?)",
		&s.countMend:         "UPDATE snapshots SET Mends = Mends + 1 WHERE Row = ?",
		&s.dropMends:         "DELETE FROM mends WHERE Snapshot = ? RETURNING PathName",
		&s.mendPaths:         "SELECT mends.PathName FROM pack_owners JOIN mends ON mends.Owner = pack_owners.Number WHERE Client = ?",
		&s.versionPath:       "SELECT PathName FROM files WHERE ID = ? AND FileName = ? AND Version = ?",

		&s.leftPacks:         "DELETE FROM packs WHERE (Owner, Ordinal) IN (SELECT Owner, Ordinal FROM packs WHERE Owner IN " + removed + " LIMIT ?)",
		&s.leftSnapshotPacks: "DELETE FROM snapshot_packs WHERE Snapshot IN (SELECT Row FROM snapshots WHERE Owner IN " + removed + " ORDER BY Row LIMIT ?)",
		&s.leftSnapshots:     "DELETE FROM snapshots WHERE Row IN (SELECT Row FROM snapshots WHERE Owner IN " + removed + " ORDER BY Row LIMIT ?)",
		&s.leftMends:         "DELETE FROM mends WHERE Number IN (SELECT Number FROM mends WHERE Owner IN " + removed + " LIMIT ?)",
		&s.leftRunBases:      "DELETE FROM run_bases WHERE Run IN (SELECT Number FROM runs WHERE Owner IN " + removed + " ORDER BY Number LIMIT ?)",
		&s.leftRuns:          "DELETE FROM runs WHERE Number IN (SELECT Number FROM runs WHERE Owner IN " + removed + " ORDER BY Number LIMIT ?)",
		&s.leftPins:          "DELETE FROM run_pins WHERE Number IN (SELECT Number FROM run_pins WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.Number = Run) LIMIT ?)",
		&s.leftSets:          "DELETE FROM pack_sets WHERE Owner IN (SELECT Owner FROM pack_sets WHERE Owner IN " + removed + " LIMIT ?)",
		&s.dropOwners:        "DELETE FROM pack_owners WHERE Client IS NULL",
	}
}

// leftovers take away what nobody has any more, each a bounded number of rows.
// What names others goes after them.
func (s *packStatements) leftovers() []*sql.Stmt {
	return []*sql.Stmt{s.leftPacks, s.leftSnapshotPacks, s.leftSnapshots, s.leftMends, s.leftRunBases, s.leftRuns, s.leftPins, s.leftSets}
}
