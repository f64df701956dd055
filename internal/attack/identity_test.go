package attack

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/stack"
	"coffer/protocol"
)

// call makes a call of the HTTP API, from an address if one is given and the
// gateway believes it.
func call(t testing.TB, g *stack.Gateway, method, path string, body any, token, from string) (int, map[string]any) {
	t.Helper()
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, g.URL+"/api/v1"+path, in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if from != "" {
		r.Header.Set("X-Forwarded-For", from)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	defer answer.Body.Close()
	var got map[string]any
	text, err := io.ReadAll(answer.Body)
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, &got)
	}
	if err != nil {
		t.Error(err)
	}
	return answer.StatusCode, got
}

type m = map[string]any

// uuid writes an id as the HTTP API does.
func uuid(id protocol.ClientID) string {
	s := hex.EncodeToString(id[:])
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

// idOf is the id in a person's profile, as it stands in each header.
func idOf(t testing.TB, p *stack.Person) (id protocol.ClientID) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.Home, "profile.json"))
	var profile struct {
		ClientID string `json:"client_id"`
	}
	if err == nil {
		err = json.Unmarshal(text, &profile)
	}
	if err == nil {
		_, err = hex.Decode(id[:], []byte(profile.ClientID))
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Whoever saw an id and a name on the wire signs in nowhere with them, and an
// id of the HTTP API is none on the wire.
func TestIDOverHTTP(t *testing.T) {
	core := stack.NewCore(t)
	g := stack.NewGateway(t, core)
	base := newVictim(t, core.Addr, "base")
	sealing := stack.Register(t, core.Addr, "sealing")
	sealing.Write(t, "diary", []byte("dear diary"))
	sealing.Must(t, "backup", "diary")
	tries, in := 0, 0
	for name, id := range map[string]protocol.ClientID{"base": base.id, "sealing": idOf(t, sealing)} {
		for _, body := range []m{{"username": name}, {"username": name, "client_id": uuid(id)}, {"username": name, "password": uuid(id)}} {
			tries++
			if status, _ := call(t, g, "POST", "/auth/login", body, "", ""); status != 401 {
				in++
				t.Errorf("%v: %d, want 401", body, status)
			}
		}
	}
	// With a passphrase the account is served, and the wire's id is still worth
	// nothing; the owner can read it.
	made := strings.TrimSpace(sealing.Must(t, "account", "api-id"))
	if made == uuid(idOf(t, sealing)) {
		t.Error("the id for HTTP is the wire's")
	}
	status, login := call(t, g, "POST", "/auth/login", m{"username": "sealing", "client_id": made}, "", "")
	if status != 200 {
		t.Fatalf("the owner's API id: %d %v", status, login)
	}
	token, _ := login["session_token"].(string)
	id := idOf(t, sealing)
	if status, account := call(t, g, "GET", "/account", nil, token, ""); status != 200 || account["wire_id"] != hex.EncodeToString(id[:]) {
		t.Errorf("%d %v", status, account)
	}
	tries++
	if status, _ := call(t, g, "POST", "/auth/login", m{"username": "sealing", "client_id": uuid(id)}, "", ""); status != 401 {
		in++
		t.Errorf("the wire's id beside an API id: %d", status)
	}
	again := strings.TrimSpace(sealing.Must(t, "account", "api-id"))
	for text, want := range map[string]int{made: 401, again: 200} {
		if status, _ := call(t, g, "POST", "/auth/login", m{"username": "sealing", "client_id": text}, "", ""); status != want {
			t.Errorf("after another id was made: %d, want %d", status, want)
		}
	}
	if status, _ := call(t, g, "GET", "/files", nil, token, ""); status != 401 {
		t.Errorf("a token for the id until then: %d", status)
	}

	_, registered := call(t, g, "POST", "/auth/register", m{"username": "script", "client_type": "api_client"}, "", "")
	plain := strings.ReplaceAll(fmt.Sprint(registered["client_id"]), "-", "")
	p := dial(t, core.Addr)
	if _, err := hex.Decode(p.id[:], []byte(plain)); err != nil {
		t.Fatal(err)
	}
	if code, _ := p.ask(t, &protocol.Reconnect{Name: name(t, "script")}, nil); code != protocol.CodeReconnectDenied {
		t.Errorf("an API id on the wire: %v", code)
	}
	t.Logf("%d sign-ins with what stands on the wire, %d got in", tries, in)
}

// An account of the sealing command line takes nothing that its id alone
// authorizes, from its registration on.
func TestClosedAccount(t *testing.T) {
	core := stack.NewCore(t)
	p := stack.Register(t, core.Addr, "sealing")
	p.Write(t, "project", []byte("sealed"))
	p.Must(t, "backup", "project", "--archive")
	before := p.Must(t, "list", "--versions", "--json")
	a := dial(t, core.Addr)
	a.id = idOf(t, p)
	if code, _ := a.ask(t, &protocol.Reconnect{Name: name(t, "sealing")}, nil); code != protocol.CodeReconnected {
		t.Fatalf("reconnect: %v", code)
	}
	const queries = 2000
	valid := 0
	block := make([]byte, 16)
	for range queries {
		rand.Read(block)
		code, _ := a.ask(t, packet(t, "project", 15, 16, 1, 1), block)
		if code != protocol.CodeError {
			valid++
		}
	}
	for _, message := range []protocol.Message{&protocol.ChecksumOK{Name: name(t, "project")}, &protocol.ChecksumGiveUp{Name: name(t, "project")}} {
		if code, _ := a.ask(t, message, nil); code != protocol.CodeError {
			t.Errorf("%v: %v", message.Code(), code)
		}
	}
	if after := p.Must(t, "list", "--versions", "--json"); valid > 0 || after != before {
		t.Errorf("%d files were taken; the versions were\n%sand are\n%s", valid, before, after)
	}
	t.Logf("%d queries, %d valid, no version lost", queries, valid)

	// Deployed base clients are served as ever.
	newVictim(t, core.Addr, "base").backup(t, "mine", []byte("as ever"))
}

// However many versions are sent, and by whom, what was there stays.
func TestVersionsStay(t *testing.T) {
	core := stack.NewCore(t)
	v := newVictim(t, core.Addr, "base")
	good := []byte("the good version")
	v.backup(t, "project", good)
	const garbage = 40
	began := time.Now()
	for i := range garbage {
		v.backup(t, "project", fmt.Append(nil, "garbage ", i))
	}
	took := time.Since(began)
	code, payload := v.ask(t, &protocol.Challenge{}, nil)
	var issued protocol.ChallengeIssued
	if err := issued.DecodePayload(payload); code != protocol.CodeChallengeIssued || err != nil {
		t.Fatalf("challenge: %v, %v", code, err)
	}
	if code, _ := v.ask(t, &protocol.Prove{Proof: v.key.Proof(issued.Challenge[:])}, nil); code != protocol.CodeDone {
		t.Fatalf("prove: %v", code)
	}
	_, payload = v.ask(t, &protocol.ListFiles{Limit: 1000, AllVersions: true}, nil)
	var list protocol.FileList
	if err := list.DecodePayload(payload); err != nil {
		t.Fatal(err)
	}
	lost := garbage + 1 - len(list.Files)
	if lost != 0 {
		t.Errorf("%d versions were lost to %d new ones", lost, garbage)
	}
	t.Logf("%d new versions in %v, %d lost", garbage, took, lost)
}

// Who tries a name's passwords from elsewhere does not lock its owner out.
func TestLockOut(t *testing.T) {
	core := stack.NewCore(t)
	g := stack.NewGateway(t, core, "--trusted-proxies", "127.0.0.0/8")
	right := m{"username": "owner", "password": "correct horse battery staple"}
	if status, got := call(t, g, "POST", "/auth/register", m{"username": "owner", "client_type": "web_client", "password": right["password"]}, "", "192.0.2.1"); status != 201 {
		t.Fatalf("register: %d %v", status, got)
	}
	if status, _ := call(t, g, "POST", "/auth/login", right, "", "192.0.2.1"); status != 200 {
		t.Fatalf("sign in: %d", status)
	}
	var attack sync.WaitGroup
	var tried atomic.Int64
	stop := make(chan struct{})
	for i := range 8 {
		attack.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					call(t, g, "POST", "/auth/login", m{"username": "owner", "password": "wrong"}, "", fmt.Sprintf("2001:db8:%d::1", i))
					tried.Add(1)
				}
			}
		})
	}
	for tried.Load() < 100 {
		time.Sleep(time.Millisecond)
	}
	in := 0
	const tries = 15
	for range tries {
		status, _ := call(t, g, "POST", "/auth/login", right, "", "192.0.2.1")
		if status == 200 {
			in++
		}
	}
	close(stop)
	attack.Wait()
	if in != tries {
		t.Errorf("%d of %d right passwords were let in", in, tries)
	}
	t.Logf("%d wrong ones from 8 networks; %d of %d right ones let in", tried.Load(), in, tries)
}

// A /64 of IPv6 counts as one address.
func TestOneNetwork(t *testing.T) {
	core := stack.NewCore(t)
	g := stack.NewGateway(t, core, "--trusted-proxies", "127.0.0.0/8", "--auth-rate", "0.1")
	limited := 0
	const tries = 60
	for i := range tries {
		status, _ := call(t, g, "POST", "/auth/login", m{"username": "nobody", "client_id": uuid(protocol.ClientID{})}, "", fmt.Sprintf("2001:db8::%x", i+1))
		if status == 429 {
			limited++
		}
	}
	if limited < tries/2 {
		t.Errorf("%d of %d sign-ins from one /64 were limited", limited, tries)
	}
	t.Logf("%d of %d sign-ins from one /64 were limited", limited, tries)
}

// A flood of sign-ins holds no call up that needs no password.
func TestSignInFlood(t *testing.T) {
	core := stack.NewCore(t)
	g := stack.NewGateway(t, core, "--trusted-proxies", "127.0.0.0/8")
	status, made := call(t, g, "POST", "/auth/register", m{"username": "honest", "client_type": "api_client"}, "", "192.0.2.1")
	if status != 201 {
		t.Fatalf("register: %d", status)
	}
	_, login := call(t, g, "POST", "/auth/login", m{"username": "honest", "client_id": made["client_id"]}, "", "192.0.2.1")
	token, _ := login["session_token"].(string)

	const signIns = 320
	var flood sync.WaitGroup
	var left, refused atomic.Int64
	left.Store(signIns)
	for i := range signIns {
		flood.Go(func() {
			status, _ := call(t, g, "POST", "/auth/login", m{"username": fmt.Sprint("nobody ", i), "password": "wrong"}, "", fmt.Sprintf("198.51.100.%d", i%16))
			if status == 429 {
				refused.Add(1)
			}
			left.Add(-1)
		})
	}
	var slowest time.Duration
	served, amid := 0, 0
	for left.Load() > 0 {
		began := time.Now()
		status, _ := call(t, g, "GET", "/files", nil, token, "192.0.2.1")
		slowest = max(slowest, time.Since(began))
		if status == 200 {
			served++
			if left.Load() > 0 {
				amid++
			}
		}
	}
	flood.Wait()
	if served == 0 || amid == 0 {
		t.Errorf("%d calls were served, %d of them while sign-ins waited", served, amid)
	}
	t.Logf("%d sign-ins, %d refused at once; %d calls served meanwhile, the slowest in %v", signIns, refused.Load(), amid, slowest)
}

// Who signed in before does not stand behind a flood from many addresses.
func TestOwnerInFlood(t *testing.T) {
	core := stack.NewCore(t)
	g := stack.NewGateway(t, core, "--trusted-proxies", "127.0.0.0/8", "--auth-rate", "100000", "--auth-burst", "100000", "--rate", "100000", "--rate-burst", "100000")
	right := m{"username": "owner", "password": "correct horse battery staple"}
	if status, got := call(t, g, "POST", "/auth/register", m{"username": "owner", "client_type": "web_client", "password": right["password"]}, "", "192.0.2.1"); status != 201 {
		t.Fatalf("register: %d %v", status, got)
	}
	if status, _ := call(t, g, "POST", "/auth/login", right, "", "192.0.2.1"); status != 200 {
		t.Fatalf("sign in: %d", status)
	}
	const addresses, each = 30, 3
	var flood sync.WaitGroup
	var answered atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	defer flood.Wait()
	defer stop()
	for i := range addresses * each {
		flood.Go(func() {
			for ctx.Err() == nil {
				call(t, g, "POST", "/auth/login", m{"username": fmt.Sprint("nobody ", i), "password": "wrong"}, "", fmt.Sprintf("198.51.100.%d", i%addresses))
				answered.Add(1)
			}
		})
	}
	for answered.Load() < addresses { // the queue is full
		runtime.Gosched()
	}
	// What is answered before the call arrives counts here too, so the least says
	// most.
	fewest := int64(math.MaxInt64)
	const tries = 4
	for range tries {
		before := answered.Load()
		if status, _ := call(t, g, "POST", "/auth/login", right, "", "192.0.2.1"); status != 200 {
			t.Errorf("sign in amid the flood: %d", status)
		}
		fewest = min(fewest, answered.Load()-before)
	}
	if fewest > addresses/2 {
		t.Errorf("the owner waits for %d others", fewest)
	}
	t.Logf("%d addresses flood with %d sign-ins each; the owner waits for %d", addresses, each, fewest)
}
