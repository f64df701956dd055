package storetest

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"coffer/store"
)

func testRevocations(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	kept := func() []store.Revocation {
		t.Helper()
		var all []store.Revocation
		must(t, "visit", c.Revocations(ctx, func(one store.Revocation) error { all = append(all, one); return nil }))
		slices.SortFunc(all, func(a, b store.Revocation) int {
			if n := strings.Compare(a.Account, b.Account); n != 0 {
				return n
			}
			return bytes.Compare(a.Token[:], b.Token[:])
		})
		return all
	}
	wantEqual(t, "none", kept(), nil)
	one := store.Revocation{Token: [16]byte{1}, Expires: noon}
	two := store.Revocation{Token: [16]byte{2}, Expires: noon.Add(time.Hour)}
	ada := store.Revocation{Account: "ada", Until: noon, Expires: noon.Add(time.Hour)}
	earlier := ada
	earlier.Until, earlier.Expires = noon.Add(-time.Hour), noon
	must(t, "revoke", c.Revoke(ctx, two, one, ada))
	must(t, "revoke again", c.Revoke(ctx, one, earlier))
	must(t, "revoke nothing", c.Revoke(ctx))
	wantEqual(t, "kept", kept(), []store.Revocation{one, two, ada})

	must(t, "forget none", c.ForgetRevocations(ctx, noon))
	wantEqual(t, "kept", kept(), []store.Revocation{one, two, ada})
	must(t, "forget", c.ForgetRevocations(ctx, noon.Add(time.Second)))
	wantEqual(t, "kept", kept(), []store.Revocation{two, ada})
	later := ada
	later.Until, later.Expires = noon.Add(time.Minute), noon.Add(2*time.Hour)
	must(t, "revoke later", c.Revoke(ctx, later))
	wantEqual(t, "kept", kept(), []store.Revocation{two, later})
	must(t, "forget all", c.ForgetRevocations(ctx, noon.Add(3*time.Hour)))
	wantEqual(t, "none left", kept(), nil)
}
