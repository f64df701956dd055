package sqlite

import (
	"context"
	"fmt"
	"strings"

	"coffer/store"
)

// orderColumn is the column behind an order: one with an index, or one in the
// small rows of usage.
func orderColumn(by store.ClientSort) (column string, err error) {
	switch by {
	case "", store.SortByName:
		return "clients.Name", nil
	case store.SortByLastSeen:
		return "clients.LastSeen", nil
	case store.SortByCreated:
		return "clients.Created", nil
	case store.SortByFiles:
		return "usage.Files", nil
	case store.SortByBytes:
		return "usage.Bytes", nil
	}
	return "", fmt.Errorf("no order %q", by)
}

// ListClients returns a page of the clients that a query finds.
func (c *Catalog) ListClients(ctx context.Context, q store.ClientQuery) ([]store.ClientUsage, int64, error) {
	page, total, err := c.listClients(ctx, q)
	if err != nil {
		return nil, 0, fmt.Errorf("list clients: %w", explain(err))
	}
	return page, total, nil
}

func (c *Catalog) listClients(ctx context.Context, q store.ClientQuery) (page []store.ClientUsage, total int64, err error) {
	order, err := orderColumn(q.Sort)
	if err != nil {
		return nil, 0, err
	}
	where, args := searchClients(q.Search)
	total = c.writer.totals.Load().Clients
	if where != "" {
		if err := c.reads.QueryRowContext(ctx, "SELECT count(*) FROM clients"+where, args...).Scan(&total); err != nil {
			return nil, 0, err
		}
	}
	if q.Limit <= 0 || int64(q.Offset) >= total {
		return nil, total, nil
	}
	from, key := "clients", "clients.rowid"
	switch {
	case strings.HasPrefix(order, "usage.") && where == "":
		from, key = "usage", "usage.ID"
	case strings.HasPrefix(order, "usage."):
		from = "clients JOIN usage USING (ID)"
	}
	direction := ""
	if q.Descending {
		direction = " DESC"
	}
	// Only the keys of what comes before the page are read.
	query := fmt.Sprintf(`SELECT clients.ID, Name, Kind, PublicKey, OAEPHash, Suspended, Created, LastSeen, Files, Versions, Verified, Bytes
		FROM (SELECT %[1]s AS k FROM %[2]s%[3]s ORDER BY %[4]s%[5]s, %[1]s%[5]s LIMIT ? OFFSET ?)
		CROSS JOIN clients ON %[6]s = k CROSS JOIN usage ON usage.ID = clients.ID ORDER BY %[4]s%[5]s, %[1]s%[5]s`,
		key, from, where, order, direction, strings.Replace(key, "usage.", "clients.", 1))
	rows, err := c.reads.QueryContext(ctx, query, append(args, q.Limit, q.Offset)...)
	if err != nil {
		return nil, 0, err
	}
	err = eachRow(rows, func(row scanner) error {
		var u store.ClientUsage
		var created, seen int64
		err := row.Scan(fixed(u.ID[:]), &u.Name, &u.Kind, &u.PublicKey, &u.OAEPHash, &u.Suspended, &created, &seen,
			&u.Files, &u.Versions, &u.Verified, &u.Bytes)
		u.Created, u.LastSeen = unstamp(created), unstamp(seen)
		page = append(page, u)
		return err
	})
	return page, total, err
}

// searchClients is the condition for clients that somebody looks for.
func searchClients(text string) (where string, args []any) {
	if text == "" {
		return "", nil
	}
	escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
	where, args = ` WHERE (Name LIKE ? ESCAPE '\'`, []any{"%" + escaped + "%"}
	if low := strings.ToLower(text); strings.Trim(low, "0123456789abcdef") == "" {
		where += " OR Fingerprint BETWEEN ? AND ?"
		args = append(args, low, low+"g") // what begins so ends before this
	}
	return where + ")", args
}

// Suspended returns the clients whose requests the operator refuses.
func (c *Catalog) Suspended(ctx context.Context) ([]store.ClientID, error) {
	var ids []store.ClientID
	rows, err := c.query.suspended.QueryContext(ctx)
	if err == nil {
		err = eachRow(rows, func(row scanner) error {
			var id store.ClientID
			err := row.Scan(fixed(id[:]))
			ids = append(ids, id)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read who is suspended: %w", explain(err))
	}
	return ids, nil
}
