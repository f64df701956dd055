package sqlite

import (
	"strings"
	"testing"
)

// No statement about packs reads all packs of a client to find a few.
func TestPackPlans(t *testing.T) {
	c := openTest(t)
	var q packQueries
	all := q.queries()
	for stmt, want := range map[string]string{
		all[&q.damagedPacks]:   "packs_damaged",
		all[&q.packsByID]:      "packs_by_id",
		all[&q.deadPack]:       "packs_dead_by_id",
		all[&q.removablePacks]: "packs_dead ",
		all[&q.newestPacks]:    "snapshots_newest",
	} {
		rows, err := c.reads.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+stmt, 1, 2, 3)
		if err != nil {
			t.Fatalf("%s: %v", stmt, err)
		}
		plan := ""
		err = eachRow(rows, func(row scanner) error {
			var id, parent, unused int
			var detail string
			err := row.Scan(&id, &parent, &unused, &detail)
			plan += detail + "\n"
			return err
		})
		if err != nil || !strings.Contains(plan, want) {
			t.Errorf("%s\n%s, error %v", stmt, plan, err)
		}
	}
}
