package files

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"coffer/store"
)

// An account record of a version that knew neither base access nor API ids says
// what follows from the rest of it.
func TestEarlyAccountRecord(t *testing.T) {
	tests := []struct {
		name   string
		client store.Client
		bundle []byte
		closed bool
		apiID  string // own: the id; other; none
	}{
		{"a base client", store.Client{}, nil, false, "none"},
		{"taken over", store.Client{Kind: "cpp_client"}, nil, false, "none"},
		{"cpp with a password", store.Client{Kind: "cpp_client", PasswordHash: "hash"}, nil, true, "own"},
		{"script", store.Client{Kind: "api_client"}, nil, true, "own"},
		{"passphrase by the command line", store.Client{PasswordHash: "hash"}, []byte("b"), true, "other"},
		{"bundle alone", store.Client{}, []byte("b"), true, "none"},
	}
	for _, test := range tests {
		dir := t.TempDir()
		s, err := Open(dir)
		noErr(t, err)
		test.client.ID = store.ClientID{1, 2}
		noErr(t, s.PutAccountRecord(t.Context(), store.AccountRecord{Client: test.client, Bundle: test.bundle}))
		found, err := filepath.Glob(filepath.Join(dir, "clients", "*.json"))
		noErr(t, err)
		text, err := os.ReadFile(found[0])
		noErr(t, err)
		var record map[string]any
		noErr(t, json.Unmarshal(text, &record))
		delete(record, "base_closed")
		delete(record, "api_id")
		text, err = json.Marshal(record)
		noErr(t, err)
		noErr(t, os.WriteFile(found[0], text, 0o600))
		noErr(t, s.AccountRecords(t.Context(), func(c store.AccountRecord) error {
			apiID := "other"
			switch c.Client.APIID {
			case store.APIID{}:
				apiID = "none"
			case store.APIID(c.Client.ID):
				apiID = "own"
			}
			if !c.Early || c.Client.BaseClosed != test.closed || apiID != test.apiID {
				t.Errorf("%s: early %v, closed %v, API id %s; want %v, %s", test.name, c.Early, c.Client.BaseClosed, apiID, test.closed, test.apiID)
			}
			return nil
		}))
		noErr(t, s.Close())
	}
}
