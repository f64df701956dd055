package api_test

import (
	"net/netip"
	"testing"

	"coffer/api"
	"coffer/store"
)

// What happens over HTTP is noted with where the caller is, as far as a trusted
// proxy says so, and not with where the gateway is.
func TestActivitiesHaveCallers(t *testing.T) {
	c := startCore(t)
	s := startSite(t, c.addr, func(cfg *api.Config) {
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	from := func(address, method, path string, body any, more ...string) answer {
		t.Helper()
		return s.call(method, path, body, append([]string{"X-Forwarded-For", address}, more...)...)
	}
	from("192.0.2.1", "POST", "/api/v1/auth/register", m{"username": "ada", "client_type": "api_client", "password": "correct horse"})
	from("192.0.2.2", "POST", "/api/v1/auth/login", m{"username": "ada", "password": "wrong horse"})
	token, _ := from("2001:db8::3", "POST", "/api/v1/auth/login", m{"username": "ada", "password": "correct horse"}).json(t)["session_token"].(string)
	from("192.0.2.4", "POST", "/api/v1/account/remove", m{"password": "correct horse"}, "Authorization", "Bearer "+token)

	found, err := c.srv.Admin().Activities(t.Context(), store.ActivityFilter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]store.Activity{}
	for _, a := range found {
		if a.Kind != store.ActivityServer {
			at[a.Address] = a
		}
	}
	for address, kind := range map[string]store.ActivityKind{
		"192.0.2.1": store.ActivityRegistration, "192.0.2.2": store.ActivitySignIn, "192.0.2.4": store.ActivityRemoval,
	} {
		if at[address].Kind != kind {
			t.Errorf("from %s: %q, want %q; all: %+v", address, at[address].Kind, kind, found)
		}
	}
	if _, of := at[""]; of {
		t.Errorf("an activity from nowhere: %+v", found)
	}
}
