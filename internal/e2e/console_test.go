package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/console/contract"
	"coffer/internal/stack"
)

// An operator asks the console of a core.
type operator struct {
	t     *testing.T
	core  *core
	url   string
	token string
}

// newOperator starts a core with a console, and signs the operator in by the
// token in its data folder.
func newOperator(t *testing.T, args ...string) *operator {
	t.Helper()
	addr := stack.FreeAddr(t)
	o := &operator{t: t, url: "http://" + addr}
	o.core = newCore(t, append([]string{"--console-listen", addr}, args...)...)
	token, err := os.ReadFile(filepath.Join(o.core.data, "console.token"))
	if err != nil {
		t.Fatal(err)
	}
	o.token = strings.TrimSpace(string(token))
	return o
}

func (o *operator) request(method, path string, body any) *http.Request {
	o.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		o.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(o.t.Context(), method, o.url+path, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	if body != nil {
		request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Authorization", "Bearer "+o.token)
	request.Header.Set("X-Coffer-Console", "1")
	return request
}

// must calls the console and decodes the answer, if there is to be one.
func (o *operator) must(status int, method, path string, body, answer any) {
	o.t.Helper()
	response, err := http.DefaultClient.Do(o.request(method, path, body))
	if err != nil {
		o.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		o.t.Fatalf("%s %s: %d %s, %v", method, path, response.StatusCode, content, err)
	}
	if answer != nil {
		if err := json.Unmarshal(content, answer); err != nil {
			o.t.Fatalf("%s %s: %s: %v", method, path, content, err)
		}
	}
}

// The link that the server prints, and nothing in its log, has the token;
// sessions and settings outlive a restart; streams do not hold a stop up.
func TestConsoleOverRestarts(t *testing.T) {
	o := newOperator(t)
	link := fmt.Sprintf("Console: %s/?token=%s\n", o.url, o.token)
	o.core.expect(t, 0, link)
	if said := strings.Count(o.core.log.since(0), o.token); said != 1 {
		t.Errorf("the server said the token %d times", said)
	}
	response, err := http.DefaultTransport.RoundTrip(o.request("GET", "/?token="+o.token, nil))
	if err != nil || response.StatusCode != http.StatusSeeOther {
		t.Fatalf("the link: %v, %v", response, err)
	}
	response.Body.Close()
	cookie := response.Cookies()[0]

	o.must(200, "PATCH", "/api/settings", map[string]any{"set": map[string]string{"keep-versions": "2", "registration": "closed"}}, nil)
	stream, err := http.DefaultClient.Do(o.request("GET", "/api/events", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if _, err := bufio.NewReader(stream.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := o.core.stop(); err != nil {
		t.Fatalf("with a stream open: %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("with a stream open, stopping took %v", took)
	}

	addr := strings.TrimPrefix(o.url, "http://")
	from := o.core.log.length()
	o.core.restart(t, "--console-listen", addr, "--keep-versions", "9")
	o.core.expect(t, from, "win over flags")
	var settings contract.SettingList
	o.must(200, "GET", "/api/settings", nil, &settings)
	for _, s := range settings.Settings {
		switch s.Name {
		case "keep-versions":
			if s.Value != "2" || s.Configured != "9" || s.Origin != contract.SettingOriginConsole {
				t.Errorf("%+v", s)
			}
		case "registration":
			if s.Value != "closed" || s.Configured != "open" {
				t.Errorf("%+v", s)
			}
		case "console-listen":
			if s.Value != addr || s.Origin != contract.SettingOriginFlag {
				t.Errorf("%+v", s)
			}
		case "master-key", "console-token":
			if s.Value != "" || !s.Secret {
				t.Errorf("%+v", s)
			}
		case "idle-timeout":
			if s.Value != "1m" || s.Origin != contract.SettingOriginDefault || s.Variable != "COFFER_SERVER_IDLE_TIMEOUT" {
				t.Errorf("%+v", s)
			}
		}
	}
	again := o.request("GET", "/api/session", nil)
	again.Header.Del("Authorization")
	again.AddCookie(cookie)
	if response, err := http.DefaultClient.Do(again); err != nil || response.StatusCode != http.StatusNoContent {
		t.Errorf("the session after a restart: %v, %v", response, err)
	}
	stranger := &person{t: t, home: t.TempDir(), dir: t.TempDir()}
	if _, err := stranger.command("register", "--server", o.core.addr, "--name", "stranger").CombinedOutput(); err == nil {
		t.Error("registration is open again")
	}
	o.must(200, "PATCH", "/api/settings", map[string]any{"reset": []string{"registration"}}, nil)
	stranger.must("register", "--server", o.core.addr, "--name", "stranger")
}

// A suspended person's next command is refused, and so is one that is under way.
func TestConsoleSuspends(t *testing.T) {
	o := newOperator(t)
	p := register(t, o.core.addr, "alice")
	if err := os.WriteFile(filepath.Join(p.dir, "plan.txt"), []byte("plan"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.must("backup", "plan.txt")
	o.must(204, "POST", "/api/clients/alice/suspend", nil, nil)
	for _, command := range []string{"backup plan.txt", "list"} {
		if out, err := p.command(strings.Fields(command)...).CombinedOutput(); err == nil || !strings.Contains(string(out), "refused") {
			t.Errorf("%s: %v, %s", command, err, out)
		}
	}
	o.must(204, "POST", "/api/clients/alice/resume", nil, nil)
	p.must("backup", "plan.txt")
	o.must(204, "DELETE", "/api/clients/alice?confirm=alice", nil, nil)
	if out, err := p.command("list").CombinedOutput(); err == nil {
		t.Errorf("a client that was removed: %s", out)
	}
}

// A scrub finds a flipped bit, a truncated and a deleted blob, and only those.
func TestConsoleScrubs(t *testing.T) {
	o := newOperator(t)
	p := register(t, o.core.addr, "alice")
	blobs := map[string]string{} // where each file's is
	for i, name := range []string{"sound", "flipped", "truncated", "deleted"} {
		if err := os.WriteFile(filepath.Join(p.dir, name), randomBytes(uint64(i+1), 200_000), 0o600); err != nil {
			t.Fatal(err)
		}
		before := o.blobs()
		p.must("backup", name, "--archive")
		for path := range o.blobs() {
			if !before[path] {
				blobs[name] = path
			}
		}
	}
	content, err := os.ReadFile(blobs["flipped"])
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/3] ^= 0x10
	if err := os.WriteFile(blobs["flipped"], content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(blobs["truncated"], int64(len(content)/2)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(blobs["deleted"]); err != nil {
		t.Fatal(err)
	}
	from := o.core.log.length()
	o.must(202, "POST", "/api/scrub", map[string]any{}, nil)
	o.core.expect(t, from, "scrub ended")
	var scrub contract.Scrub
	o.must(200, "GET", "/api/scrub", nil, &scrub)
	for end := time.Now().Add(patience); scrub.Report == nil && time.Now().Before(end); {
		o.must(200, "GET", "/api/scrub", nil, &scrub)
	}
	if scrub.Report == nil {
		t.Fatal("there is no report")
	}
	found := map[string]contract.FindingFault{}
	for _, f := range scrub.Report.Findings {
		found[f.File] = f.Fault
	}
	if len(scrub.Report.Findings) != 3 || found["flipped"] != contract.FindingFaultDamaged || found["truncated"] != contract.FindingFaultDamaged ||
		found["deleted"] != contract.FindingFaultMissing {
		t.Errorf("%+v", scrub.Report)
	}
}

// blobs are the large blobs that there are.
func (o *operator) blobs() map[string]bool {
	o.t.Helper()
	names, err := filepath.Glob(filepath.Join(o.core.data, "received_files", "??", "*"))
	if err != nil {
		o.t.Fatal(err)
	}
	found := map[string]bool{}
	for _, name := range names {
		if !strings.HasSuffix(name, ".json") {
			found[name] = true
		}
	}
	return found
}
