package attack

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"coffer/internal/stack"
)

// A caller uses a gateway as a script would.
type caller struct {
	url     string
	headers []string
}

// register makes an account with a password, and signs in.
func register(t testing.TB, g *stack.Gateway, name string) caller {
	t.Helper()
	c := caller{url: g.URL}
	c.call(t, 201, "POST", "/auth/register", `{"username":"`+name+`","client_type":"api_client","password":"correct horse"}`)
	answer := c.call(t, 200, "POST", "/auth/login", `{"username":"`+name+`","password":"correct horse"}`)
	c.headers = []string{"Authorization: Bearer " + answer["session_token"].(string)}
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	c.call(t, 200, "POST", "/keys/public", `{"public_key_der":"`+base64.StdEncoding.EncodeToString(der)+`"}`)
	return c
}

// call makes a call that has to have a status; 0 is any.
func (c caller) call(t testing.TB, status int, method, path, body string) map[string]any {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, c.url+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for _, header := range c.headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if status != 0 && response.StatusCode != status {
		t.Fatalf("%s %s: %d %s", method, path, response.StatusCode, content)
	}
	answer := map[string]any{"": response}
	if len(content) > 0 {
		_ = json.Unmarshal(content, &answer) // what is no JSON is of no interest
	}
	return answer
}

// stall begins a call whose body brings what is given and then nothing. It
// returns the connection if the call is served, and nil otherwise.
func (c caller) stall(t testing.TB, method, path, body string) (served net.Conn) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s /api/v1%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n", method, path)
	if strings.HasPrefix(body, "{") {
		b.WriteString("Content-Type: application/json\r\n")
	}
	for _, header := range c.headers {
		b.WriteString(header + "\r\n")
	}
	b.WriteString("\r\n")
	if _, err := conn.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(stack.Patience))
	status := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
	if _, err := io.ReadFull(conn, status); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(status, []byte(" 100 ")) {
		return nil
	}
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Slow PUTs hold little, and few of them are served.
func TestSlowPuts(t *testing.T) {
	core := stack.NewCore(t)
	const calls = 1000
	for _, limited := range []bool{true, false} {
		args := []string{"--rate", "100000", "--rate-burst", "100000"}
		if !limited {
			args = append(args, "--address-calls", "100000", "--account-calls", "100000")
		}
		g := stack.NewGateway(t, core, args...)
		c := register(t, g, fmt.Sprintf("slow-%v", limited))
		id := c.call(t, 201, "POST", "/uploads", `{"filename":"f"}`)["upload_id"].(string)
		before := g.Memory(t)
		var served []net.Conn
		for range calls {
			if conn := c.stall(t, "PUT", "/uploads/"+id+"/packets/1", "x"); conn != nil {
				served = append(served, conn)
			}
		}
		grown := (g.Memory(t) - before) >> 20
		held := 0 // the others waited too long meanwhile, and were ended
		for _, conn := range served {
			if err := conn.SetReadDeadline(time.Now()); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
				held++
			}
		}
		t.Logf("%d slow PUTs, limited %v: %d served, %d of them still, %d MiB", calls, limited, len(served), held, grown)
		most := int64(200)
		if stack.Racing {
			most = 1000 // the race detector keeps a shadow of all memory
		}
		if limited && held > 64 || !limited && len(served) != calls || grown > most {
			t.Errorf("limited %v: %d served, %d held, %d MiB", limited, len(served), held, grown)
		}
		register(t, g, fmt.Sprintf("honest-%v", limited)).call(t, 200, "GET", "/files", "")
		if err := g.Stop(); err != nil && limited {
			t.Log(err)
		}
	}
}

// A token that proves nothing has nothing held for it.
func TestSpoolForNobody(t *testing.T) {
	core := stack.NewCore(t)
	g := stack.NewGateway(t, core)
	c := caller{url: g.URL}
	c.call(t, 201, "POST", "/auth/register", `{"username":"nobody","client_type":"api_client"}`)
	token := c.call(t, 200, "POST", "/auth/login", `{"username":"nobody"}`)["session_token"].(string)
	c.headers = []string{"Authorization: Bearer " + token}
	body := `{"encrypted_data":"` + strings.Repeat("A", 1<<20) + `","filename":"f","original_size":1,"packet_number":1,"total_packets":1}`
	before := g.Memory(t)
	for range 40 {
		c.call(t, 401, "POST", "/files/upload", body)
	}
	t.Logf("40 calls of 1 MiB that prove nothing: %d MiB", (g.Memory(t)-before)>>20)
	if held, err := filepath.Glob(filepath.Join(os.TempDir(), "coffer-gateway-*")); err != nil || len(held) > 0 {
		t.Errorf("held: %v, %v", held, err)
	}
}

// While another program holds the catalog, calls are asked to come again, and
// the command line client does.
func TestLockedCatalog(t *testing.T) {
	core := stack.NewCore(t)
	g := stack.NewGateway(t, core)
	c := register(t, g, "ada")
	p := stack.Register(t, core.Addr, "bob")
	p.Write(t, "notes.txt", []byte("kept in the end"))
	db, err := sql.Open("sqlite", filepath.Join(core.Data, "defensive.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range []string{"PRAGMA busy_timeout = 10000", "BEGIN IMMEDIATE"} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	backup := p.Command(t, "backup", "notes.txt")
	var said bytes.Buffer
	backup.Stdout, backup.Stderr = &said, &said
	if err := backup.Start(); err != nil {
		t.Fatal(err)
	}
	response := c.call(t, 503, "PUT", "/account/passphrase", `{"current_password":"correct horse","password":"another horse","key_bundle":"YQ=="}`)[""].(*http.Response)
	t.Logf("a locked catalog: 503 after %v, Retry-After: %s", time.Since(began).Round(100*time.Millisecond), response.Header.Get("Retry-After"))
	if response.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if _, err := db.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := backup.Wait(); err != nil {
		t.Fatalf("the backup: %v\n%s", err, &said)
	}
	if out := p.Must(t, "restore", "notes.txt", "-o", "-"); out != "kept in the end" {
		t.Errorf("%q came back", out)
	}
}
