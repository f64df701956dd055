package console_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"coffer/console"
	"coffer/console/contract"
	"coffer/server"
)

const browser = "text/html,application/xhtml+xml,*/*;q=0.8"

// Who may come in, and what is said to others.
func TestAccess(t *testing.T) {
	s := startSite(t, func(_ *server.Config, cfg *console.Config) { cfg.Hosts = []string{"Coffer.Example.org"} })
	address := strings.TrimPrefix(s.url, "http://")
	_, port, _ := strings.Cut(address, ":")
	signIn := map[string]string{"token": hex.EncodeToString(s.token[:])}
	tests := []struct {
		what         string
		method, path string
		body         any
		headers      []string
		status       int
		says         string
	}{
		{"nobody", "GET", "/api/stats", nil, nil, 401, "sign in"},
		{"nobody asks", "GET", "/api/session", nil, nil, 401, "sign in"},
		{"nobody listens", "GET", "/api/events", nil, nil, 401, "sign in"},
		{"nobody downloads", "GET", "/api/logs/download", nil, nil, 401, "sign in"},
		{"nobody changes", "POST", "/api/clients/x/suspend", nil, []string{"X-Coffer-Console", "1"}, 401, "sign in"},
		{"the token", "GET", "/api/stats", nil, []string{"Authorization", s.bearer()}, 200, "uptime"},
		{"a wrong token", "GET", "/api/stats", nil, []string{"Authorization", "Bearer " + strings.Repeat("0", 64)}, 401, "token is wrong"},
		{"the token's beginning", "GET", "/api/stats", nil, []string{"Authorization", s.bearer()[:40]}, 401, "token is wrong"},
		{"a made-up cookie", "GET", "/api/stats", nil, []string{"Cookie", "coffer_console=" + strings.Repeat("A", 75)}, 401, "sign in"},
		{"the token as a cookie", "GET", "/api/stats", nil, []string{"Cookie", "coffer_console=" + hex.EncodeToString(s.token[:])}, 401, "sign in"},
		{"a wrong sign-in", "POST", "/api/session", map[string]string{"token": "x"}, nil, 401, "token is wrong"},
		{"a sign-in", "POST", "/api/session", signIn, nil, 204, ""},
		{"a sign-in as a form", "POST", "/api/session", signIn, []string{"Content-Type", "text/plain"}, 415, "application/json"},

		{"localhost", "GET", "/healthz", nil, []string{"Host", "localhost:" + port}, 200, "ok"},
		{"another port, as behind a mapping", "GET", "/healthz", nil, []string{"Host", "127.0.0.1:1"}, 200, "ok"},
		{"a name that was given", "GET", "/healthz", nil, []string{"Host", "coffer.example.org."}, 200, "ok"},
		{"a foreign name", "GET", "/api/stats", nil, []string{"Host", "evil.example", "Authorization", s.bearer()}, 421, "--console-host"},
		{"a foreign name in a browser", "GET", "/", nil, []string{"Host", "evil.example:" + port, "Accept", browser}, 421, "<h1>"},
		{"a foreign name for health", "GET", "/metrics", nil, []string{"Host", "localhost.evil.example"}, 421, "--console-host"},
		{"a foreign address", "GET", "/healthz", nil, []string{"Host", "192.0.2.1:" + port}, 421, "--console-host"},

		{"a foreign origin", "POST", "/api/session", signIn, []string{"Origin", "https://evil.example"}, 403, "another site"},
		{"another port's origin", "POST", "/api/session", signIn, []string{"Origin", "http://127.0.0.1:1"}, 403, "another site"},
		{"cross-site", "POST", "/api/clients/x/suspend", nil, []string{"Authorization", s.bearer(), "X-Coffer-Console", "1", "Sec-Fetch-Site", "cross-site"}, 403, "another site"},
		{"same-site", "DELETE", "/api/scrub", nil, []string{"Authorization", s.bearer(), "X-Coffer-Console", "1", "Sec-Fetch-Site", "same-site"}, 403, "another site"},
		{"a foreign origin that reads", "GET", "/api/stats", nil, []string{"Authorization", s.bearer(), "Origin", "https://evil.example"}, 403, "another site"},
		{"a foreign origin that listens", "GET", "/api/events", nil, []string{"Authorization", s.bearer(), "Origin", "null"}, 403, "another site"},
		{"a foreign page that reads", "GET", "/api/stats", nil, []string{"Authorization", s.bearer(), "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403, "another site"},
		{"another port's page that listens", "GET", "/api/events", nil, []string{"Authorization", s.bearer(), "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, 403, "another site"},
		{"a foreign page that embeds", "GET", "/metrics", nil, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403, "another site"},
		{"a link from elsewhere to the API", "GET", "/api/logs/download", nil, []string{"Authorization", s.bearer(), "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 403, "another site"},
		{"a link from elsewhere to the pages", "GET", "/", nil, []string{"Accept", browser, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200, "make web"},
		{"no guard", "POST", "/api/backups", nil, []string{"Authorization", s.bearer()}, 400, "X-Coffer-Console"},
		{"another guard", "DELETE", "/api/scrub", nil, []string{"Authorization", s.bearer(), "X-Coffer-Console", "yes"}, 400, "X-Coffer-Console"},
		{"its own origin", "DELETE", "/api/scrub", nil, []string{"Authorization", s.bearer(), "X-Coffer-Console", "1", "Origin", s.url, "Sec-Fetch-Site", "same-origin"}, 204, ""},

		{"no such call", "GET", "/api/nothing", nil, []string{"Accept", browser}, 404, "nothing at this path"},
		{"no such method", "PUT", "/api/stats", nil, nil, 405, "method"},
		{"the pages", "GET", "/clients/alice", nil, []string{"Accept", browser}, 200, "make web"},
	}
	for _, test := range tests {
		got := s.do(s.request(test.method, test.path, test.body, test.headers...))
		if got.status != test.status || !strings.Contains(string(got.body), test.says) {
			t.Errorf("%s: %d %s", test.what, got.status, got.body)
		}
		if got.status != 200 && got.header.Get("Cache-Control") != "no-store" || got.header.Get("X-Content-Type-Options") != "nosniff" ||
			got.header.Get("Referrer-Policy") != "no-referrer" || !strings.Contains(got.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: headers %v", test.what, got.header)
		}
	}
}

// The link's token becomes a cookie, which is good until it is signed out of.
func TestLink(t *testing.T) {
	s := startSite(t, nil)
	wrong := s.do(s.request("GET", "/?token="+strings.Repeat("0", 64), nil, "Accept", browser))
	if wrong.status != 401 || !strings.Contains(string(wrong.body), "The token is wrong") || wrong.header.Get("Set-Cookie") != "" {
		t.Errorf("a wrong token: %d %v %s", wrong.status, wrong.header, wrong.body)
	}
	in := s.do(s.request("GET", "/?token="+hex.EncodeToString(s.token[:]), nil, "Accept", browser))
	if in.status != 303 || in.header.Get("Location") != "/" || in.header.Get("Referrer-Policy") != "no-referrer" {
		t.Fatalf("%d %v", in.status, in.header)
	}
	cookie, err := http.ParseSetCookie(in.header.Get("Set-Cookie"))
	if err != nil || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Domain != "" || cookie.Secure {
		t.Fatalf("%+v, %v", cookie, err)
	}
	if strings.Contains(cookie.Value, hex.EncodeToString(s.token[:8])) {
		t.Error("the cookie says the token")
	}
	pair := cookie.Name + "=" + cookie.Value
	session := func(cookies string) int { return s.do(s.request("GET", "/api/session", nil, "Cookie", cookies)).status }
	if got := session(pair); got != 204 {
		t.Errorf("with the cookie: %d", got)
	}
	if got := session("coffer_console=another; " + pair); got != 204 {
		t.Errorf("beside a cookie of another console: %d", got)
	}
	for at := range cookie.Value {
		changed := []byte(cookie.Value)
		if changed[at] == 'A' {
			changed[at] = 'B'
		} else {
			changed[at] = 'A'
		}
		if got := session(cookie.Name + "=" + string(changed)); got != 401 {
			t.Fatalf("a cookie whose character %d was changed: %d", at, got)
		}
	}
	if other := startSite(t, nil); other.do(other.request("GET", "/api/session", nil, "Cookie", pair)).status != 401 {
		t.Error("another console's cookie")
	}
	out := s.do(s.request("DELETE", "/api/session", nil, "Cookie", pair, "X-Coffer-Console", "1"))
	if out.status != 204 || !strings.Contains(out.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("signing out: %d %v", out.status, out.header)
	}
	if got := session(pair); got != 401 {
		t.Errorf("after signing out: %d", got)
	}
	for _, r := range s.records.Before(0, 1000, console.LogFilter{}) {
		if text := fmt.Sprint(r); strings.Contains(text, hex.EncodeToString(s.token[:])) || strings.Contains(text, cookie.Value) {
			t.Errorf("the log has a secret: %s", text)
		}
	}
}

// Wrong tokens are answered more and more slowly, then not looked at; the
// right one still is.
func TestManyWrongTokens(t *testing.T) {
	s := startSite(t, nil)
	const guesses = 60
	statuses := make(chan int, guesses)
	for range guesses {
		request := s.request("POST", "/api/session", map[string]string{"token": "guess"})
		go func() {
			response, err := http.DefaultTransport.RoundTrip(request)
			if err != nil {
				statuses <- 0
				return
			}
			response.Body.Close()
			statuses <- response.StatusCode
		}()
	}
	count := map[int]int{}
	for range guesses {
		count[<-statuses]++
		if count[429] == 1 {
			s.must(200, "GET", "/api/stats", nil)
		}
	}
	if count[401] < 5 || count[401] > 30 || count[429] < 30 || count[401]+count[429] != guesses {
		t.Errorf("answers by status: %v", count)
	}
}

// Under TLS the cookie never goes over a plain connection.
func TestLinkUnderTLS(t *testing.T) {
	vouched := httptest.NewTLSServer(http.NotFoundHandler())
	defer vouched.Close()
	s := startSite(t, func(_ *server.Config, cfg *console.Config) { cfg.TLS = vouched.TLS })
	s.url = strings.Replace(s.url, "http:", "https:", 1)
	response, err := vouched.Client().Transport.RoundTrip(s.request("GET", "/?token="+hex.EncodeToString(s.token[:]), nil))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if cookies := response.Cookies(); len(cookies) != 1 || !cookies[0].Secure || !cookies[0].HttpOnly {
		t.Errorf("%d %v", response.StatusCode, cookies)
	}
}

// Asking how something would be answered holds nothing up.
func TestHead(t *testing.T) {
	s := startSite(t, nil)
	for _, path := range []string{"/", "/healthz", "/api/stats", "/api/events", "/api/logs/events"} {
		if got := s.do(s.request("HEAD", path, nil, "Authorization", s.bearer())); got.status != 200 || len(got.body) > 0 {
			t.Errorf("%s: %d %q", path, got.status, got.body)
		}
	}
}

// Whatever the contract has, but for what it opens to all, is for those signed
// in, on the console's own pages, under a name of the console's.
func TestEveryCallIsGuarded(t *testing.T) {
	s := startSite(t, nil)
	spec, err := contract.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	open := 0
	for pattern, item := range spec.Paths.Map() {
		path := strings.NewReplacer("{name}", "alice", "{id}", strings.Repeat("0", 32)).Replace(pattern)
		for method, operation := range item.Operations() {
			var body any
			headers := []string{"X-Coffer-Console", "1"}
			if operation.RequestBody != nil {
				body = map[string]any{"token": "x"}
			}
			query := ""
			if operation.Parameters.GetByInAndName("query", "confirm") != nil {
				query = "?confirm=alice"
			}
			call := func(more ...string) int {
				return s.do(s.request(method, path+query, body, append(headers, more...)...)).status
			}
			if got := call("Host", "evil.example", "Authorization", s.bearer()); got != 421 {
				t.Errorf("%s %s under a foreign name: %d", method, pattern, got)
			}
			if got := call("Origin", "https://evil.example", "Authorization", s.bearer()); got != 403 {
				t.Errorf("%s %s from a foreign origin: %d", method, pattern, got)
			}
			if operation.Security != nil && len(*operation.Security) == 0 {
				open++
				continue
			}
			if got := call(); got != 401 {
				t.Errorf("%s %s of nobody: %d", method, pattern, got)
			}
			if method == "GET" || operation.RequestBody != nil {
				continue
			}
			headers = nil
			if got := call("Authorization", s.bearer()); got != 400 {
				t.Errorf("%s %s without the guard: %d", method, pattern, got)
			}
		}
	}
	if open != 4 { // signing in, metrics and health
		t.Errorf("%d calls are open to all", open)
	}
}

// Who signs out has, in every window and after a restart of the server.
func TestSignOutIsForGood(t *testing.T) {
	var catalog *server.Config
	s := startSite(t, func(core *server.Config, _ *console.Config) { catalog = core })
	in := func() string {
		got := s.do(s.request("POST", "/api/session", map[string]string{"token": hex.EncodeToString(s.token[:])}))
		cookie, err := http.ParseSetCookie(got.header.Get("Set-Cookie"))
		if err != nil || time.Until(cookie.Expires) > 12*time.Hour || time.Until(cookie.Expires) < 11*time.Hour {
			t.Fatalf("%v, %v", cookie, err)
		}
		return cookie.Name + "=" + cookie.Value
	}
	gone, other := in(), in()
	session := func(url, cookie string) int {
		r, err := http.NewRequestWithContext(t.Context(), "GET", url+"/api/session", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", cookie)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.Header.Get("Set-Cookie") != "" {
			t.Error("a session is made longer")
		}
		return answer.StatusCode
	}
	// A window that is open listens, until its session is signed out of.
	r := s.request("GET", "/api/events", nil, "Cookie", gone)
	stream, err := http.DefaultClient.Do(r)
	if err != nil || stream.StatusCode != 200 {
		t.Fatal(stream, err)
	}
	defer stream.Body.Close()
	if got := s.do(s.request("DELETE", "/api/session", nil, "Cookie", gone, "X-Coffer-Console", "1")); got.status != 204 {
		t.Fatalf("signing out: %d %s", got.status, got.body)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		io.Copy(io.Discard, stream.Body)
	}()
	select {
	case <-over:
	case <-time.After(patience):
		t.Error("the stream goes on after signing out")
	}
	if got := session(s.url, gone); got != 401 {
		t.Errorf("signed out: %d", got)
	}

	// Another console on the same catalog is what a restart makes.
	again, err := server.New(t.Context(), *catalog)
	if err != nil {
		t.Fatal(err)
	}
	c, err := console.New(console.Config{Core: again.Admin(), Token: s.token, Log: s.log, Records: s.records})
	if err != nil {
		t.Fatal(err)
	}
	restarted := httptest.NewServer(c)
	defer restarted.Close()
	if got := session(restarted.URL, gone); got != 401 {
		t.Errorf("after a restart: %d", got)
	}
	if got := session(restarted.URL, other); got != 204 {
		t.Errorf("another session, after a restart: %d", got)
	}
}

// What the console says as every HTTP server of Coffer does.
func TestAnswersAsTheGatewayDoes(t *testing.T) {
	s := startSite(t, nil)
	a := s.call("PUT", "/api/scrub", map[string]any{})
	if allow := strings.Join(a.header.Values("Allow"), " "); a.status != 405 || allow != "GET HEAD POST DELETE OPTIONS" {
		t.Errorf("no such method: %d, Allow: %s", a.status, allow)
	}
	if a = s.call("GET", "/api/stats", nil); a.header.Get("Strict-Transport-Security") != "" {
		t.Error("plain HTTP asks browsers for TLS")
	}
	if a = s.call("GET", "/api/stats", nil, "X-Forwarded-Proto", "https"); a.header.Get("Strict-Transport-Security") == "" {
		t.Error("TLS does not stay TLS")
	}
}
