package pages

import (
	"io/fs"
	"net/http/httptest"
	"testing"
	"testing/fstest"
)

func TestServe(t *testing.T) {
	built := fstest.MapFS{"index.html": {Data: []byte("index")}, "icon.svg": {Data: []byte("icon")}, "assets/a.js": {Data: []byte("a")}, ".keep": {}}
	const browser = "text/html,*/*;q=0.8"
	for _, test := range []struct {
		client               fs.FS
		method, path, accept string
		says                 string // empty: not served
	}{
		{built, "GET", "/", "", "index"},
		{built, "HEAD", "/clients/alice", browser, ""},
		{built, "GET", "/clients/alice", browser, "index"},
		{built, "GET", "/clients/alice", "application/json", ""},
		{built, "GET", "/clients/api", browser, "index"},
		{built, "GET", "/icon.svg", "", "icon"},
		{built, "GET", "/assets/a.js", "", "a"},
		{built, "GET", "/assets/b.js", browser, ""},
		{built, "GET", "/api/nothing", browser, ""},
		{built, "GET", "/api", browser, ""},
		{built, "GET", "/.keep", "", ""},
		{built, "POST", "/", browser, ""},
		{fstest.MapFS{".keep": {}}, "GET", "/", "", "unbuilt"},
		{nil, "GET", "/", "", "unbuilt"},
	} {
		s, err := Load(test.client, []byte("unbuilt"), "api")
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(test.method, test.path, nil)
		r.Header.Set("Accept", test.accept)
		w := httptest.NewRecorder()
		served := s.Serve(w, r)
		if want := test.says != "" || test.method == "HEAD"; served != want || w.Body.String() != test.says {
			t.Errorf("%s %s for %q: %t, %q", test.method, test.path, test.accept, served, w.Body)
		}
	}
}
