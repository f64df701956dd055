package memstore

import (
	"cmp"
	"strings"

	"coffer/store"
)

// orders are the orders of clients. Clients that are equal in one are in the
// order of names.
func orders() map[store.ClientSort]func(a, b store.ClientUsage) int {
	byName := func(a, b store.ClientUsage) int { return cmp.Compare(a.Name, b.Name) }
	then := func(first func(a, b store.ClientUsage) int) func(a, b store.ClientUsage) int {
		return func(a, b store.ClientUsage) int { return cmp.Or(first(a, b), byName(a, b)) }
	}
	return map[store.ClientSort]func(a, b store.ClientUsage) int{
		"":                   byName,
		store.SortByName:     byName,
		store.SortByLastSeen: then(func(a, b store.ClientUsage) int { return a.LastSeen.Compare(b.LastSeen) }),
		store.SortByCreated:  then(func(a, b store.ClientUsage) int { return a.Created.Compare(b.Created) }),
		store.SortByFiles:    then(func(a, b store.ClientUsage) int { return cmp.Compare(a.Files, b.Files) }),
		store.SortByBytes:    then(func(a, b store.ClientUsage) int { return cmp.Compare(a.Bytes, b.Bytes) }),
	}
}

// sought reports whether a search finds a client.
func sought(c *client, text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(strings.ToLower(c.Name), text) || strings.HasPrefix(c.ID.Fingerprint(), text)
}
