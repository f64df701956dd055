package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coffer/protocol"
	"coffer/seal"
)

// A keyBundle is one of package seal's vectors.
type keyBundle struct {
	Note, Passphrase, Content string
	Bundle                    []byte
}

// keyBundles are the vectors that the web client reads too.
func keyBundles(t *testing.T) (list []keyBundle) {
	t.Helper()
	text, err := os.ReadFile("../../seal/testdata/bundle.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &list); err != nil || len(list) == 0 {
		t.Fatalf("%d key bundles: %v", len(list), err)
	}
	return list
}

// Every key bundle can be imported; one of the web client's does not say where
// the server is.
func TestKeyBundlesCanBeImported(t *testing.T) {
	serverless := 0
	for _, v := range keyBundles(t) {
		p, err := parseProfile([]byte(v.Content))
		if err != nil {
			t.Errorf("%s: %v", v.Note, err)
			continue
		}
		file := filepath.Join(t.TempDir(), "recovery.age")
		if err := os.WriteFile(file, v.Bundle, 0o600); err != nil {
			t.Fatal(err)
		}
		home := filepath.Join(t.TempDir(), "home")
		imported := func(code int, want string, args ...string) {
			t.Helper()
			got, stdout, stderr := coffer(t, home, map[string]string{"COFFER_PASSPHRASE": v.Passphrase}, append([]string{"key", "import", file}, args...)...)
			if got != code || !strings.Contains(stdout+stderr, want) {
				t.Errorf("%s %v: exit code %d\n%s%s", v.Note, args, got, stdout, stderr)
			}
		}
		server := p.Server
		if server == "" {
			serverless++
			imported(2, "--server")
			server = "backup.example.org:1256"
		}
		imported(0, server, "--server", server)
		a := &app{env: func(string) (string, bool) { return home, true }}
		if got, err := a.loadProfile(); err != nil || got.Server != server || got.Username != p.Username || got.Identity != p.Identity {
			t.Errorf("%s: another profile came out, or %v", v.Note, err)
		}
	}
	if serverless == 0 {
		t.Error("no vector without a server")
	}
}

// A fakeGateway answers by path, and notes what it was asked.
type fakeGateway struct {
	*httptest.Server
	asked []string
}

func startFakeGateway(t *testing.T, answers map[string]http.HandlerFunc) *fakeGateway {
	g := new(fakeGateway)
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.asked = append(g.asked, r.Method+" "+r.URL.Path)
		if answer, ok := answers[r.URL.Path]; ok {
			answer(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

const (
	loginPath  = "/api/v1/auth/login"
	bundlePath = "/api/v1/keys/bundle"
	logoutPath = "/api/v1/auth/logout"
)

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		w.Write([]byte(body))
	}
}

// What a gateway may answer that is no sign-in: nothing is saved, and what is
// wrong is said in one line.
func TestSignInRefused(t *testing.T) {
	v := keyBundles(t)[0]
	p, err := parseProfile([]byte(v.Content))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := startFakeGateway(t, nil)
	mine, bundle := answer(200, `{"session_token":"token","client_id":"`+p.ClientID+`"}`), answer(200, string(v.Bundle))
	tests := []struct {
		name    string
		answers map[string]http.HandlerFunc
		want    string
		signOut bool
	}{
		{"no gateway", nil, "is not a Coffer gateway", false},
		{"a page", map[string]http.HandlerFunc{loginPath: answer(200, "<html>")}, "not a Coffer gateway", false},
		{"no token", map[string]http.HandlerFunc{loginPath: answer(200, "{}")}, "not a Coffer gateway", false},
		{"too many tries", map[string]http.HandlerFunc{loginPath: answer(429, `{"message":"too many tries; again in 3 seconds"}`)}, "again in 3 seconds", false},
		{"moves the cursor", map[string]http.HandlerFunc{loginPath: answer(400, `{"message":"no\u001b[2J\r\nroot# "}`)}, "no\uFFFD[2J\uFFFD; root# ", false},
		{"sends elsewhere", map[string]http.HandlerFunc{loginPath: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+loginPath, http.StatusTemporaryRedirect)
		}}, "307", false},
		{"no keys", map[string]http.HandlerFunc{loginPath: mine, bundlePath: answer(404, `{"message":"none"}`)}, "recovery file", true},
		{"large keys", map[string]http.HandlerFunc{loginPath: mine, bundlePath: answer(200, strings.Repeat("x", protocol.MaxKeyBundle+1))}, "too large", true},
		{"no bundle", map[string]http.HandlerFunc{loginPath: mine, bundlePath: answer(200, "x")}, "open the account's keys", true},
		{"another client", map[string]http.HandlerFunc{loginPath: answer(200, `{"session_token":"token","client_id":"00000000-0000-0000-0000-000000000000"}`), bundlePath: bundle}, "a different account", true},
		{"no sign-out", map[string]http.HandlerFunc{loginPath: mine, bundlePath: bundle, logoutPath: answer(500, "")}, "does not accept them", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := startFakeGateway(t, test.answers)
			home := filepath.Join(t.TempDir(), "home")
			// Nobody listens where the last one gets to.
			code, stdout, stderr := coffer(t, home, map[string]string{"COFFER_PASSPHRASE": v.Passphrase},
				"sign-in", "--gateway", g.URL, "--name", p.Username, "--server", "127.0.0.1:1")
			if code != 1 || stdout != "" || !strings.Contains(stderr, test.want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
			}
			if _, err := os.Stat(filepath.Join(home, "profile.json")); err == nil {
				t.Error("a profile was saved")
			}
			if out := strings.Contains(strings.Join(g.asked, "\n"), logoutPath); out != test.signOut {
				t.Errorf("asked for %q", g.asked)
			}
		})
	}
	if len(elsewhere.asked) != 0 {
		t.Errorf("the password went elsewhere: %q", elsewhere.asked)
	}
}

// The gateway is told the derived password and never the passphrase; the token
// goes back in a header.
func TestSignInTellsNoPassphrase(t *testing.T) {
	v := keyBundles(t)[0]
	p, err := parseProfile([]byte(v.Content))
	if err != nil {
		t.Fatal(err)
	}
	password, err := seal.SignInPassword("localhost", p.Username, v.Passphrase)
	if err != nil {
		t.Fatal(err)
	}
	var login map[string]string
	var bearer string
	g := startFakeGateway(t, map[string]http.HandlerFunc{
		loginPath: func(w http.ResponseWriter, r *http.Request) {
			if err := json.NewDecoder(r.Body).Decode(&login); err != nil {
				t.Error(err)
			}
			answer(200, `{"session_token":"token","client_id":"`+p.ClientID+`"}`)(w, r)
		},
		bundlePath: func(w http.ResponseWriter, r *http.Request) {
			bearer = r.Header.Get("Authorization")
			w.Write(v.Bundle)
		},
	})
	coffer(t, filepath.Join(t.TempDir(), "home"), map[string]string{"COFFER_PASSPHRASE": v.Passphrase},
		"sign-in", "--gateway", g.URL, "--name", p.Username, "--server", "127.0.0.1:1")
	if len(login) != 2 || login["username"] != p.Username || login["password"] != password || bearer != "Bearer token" {
		t.Errorf("login %q, then %q", login, bearer)
	}
}

func TestGatewayURL(t *testing.T) {
	for _, test := range []struct {
		url      string
		insecure bool
		ok       bool
	}{
		{"https://backup.example.org", false, true},
		{"https://backup.example.org:5000/coffer/", false, true},
		{"http://backup.example.org", false, false},
		{"http://backup.example.org", true, true},
		{"http://localhost:5000", false, true},
		{"http://127.0.0.9:5000", false, true},
		{"http://[::1]:5000", false, true},
		{"http://localhost.example.org", false, false},
		{"http://127.0.0.1.example.org", false, false},
		{"http://10.0.0.1", false, false},
		{"backup.example.org", false, false},
		{"backup.example.org:5000", true, false},
		{"ftp://backup.example.org", true, false},
		{"https://", true, false},
		{"", true, false},
		{"https://back up", true, false},
	} {
		f := gatewayFlags{Gateway: test.url, InsecureHTTP: test.insecure}
		if _, err := f.open(); (err == nil) != test.ok {
			t.Errorf("%q, insecure %t: %v", test.url, test.insecure, err)
		}
	}
	f := gatewayFlags{Gateway: "https://backup.example.org/coffer/"}
	g, err := f.open()
	if err != nil || g.base.JoinPath("/api/v1", loginPath[len("/api/v1"):]).String() != "https://backup.example.org/coffer"+loginPath {
		t.Errorf("below a path: %v", err)
	}
}
