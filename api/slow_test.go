package api_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/api"
)

// A wire is a caller's connection, on which a test may stop anywhere.
type wire struct {
	t  *testing.T
	nc net.Conn
	in *bufio.Reader
}

func (s *site) dial() *wire {
	s.t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { nc.Close() })
	if err := nc.(*net.TCPConn).SetWriteBuffer(64 << 10); err != nil {
		s.t.Fatal(err)
	}
	return &wire{s.t, nc, bufio.NewReader(nc)}
}

// begin sends a request's header; headers come in pairs.
func (w *wire) begin(method, path string, length int, headers ...string) {
	w.t.Helper()
	text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n", method, path, length)
	for i := 0; i < len(headers); i += 2 {
		text += headers[i] + ": " + headers[i+1] + "\r\n"
	}
	w.send([]byte(text + "\r\n"))
}

func (w *wire) send(p []byte) {
	w.t.Helper()
	if _, err := w.nc.Write(p); err != nil {
		w.t.Fatal(err)
	}
}

// answer reads what the request got.
func (w *wire) answer() answer {
	w.t.Helper()
	response, err := http.ReadResponse(w.in, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, body}
}

// stopAt is where callers stop in a large body. A socket's buffer grows to hold
// so much only as it is read, so the gateway has begun to pass it on by then.
const stopAt = 10 << 20

// Callers who stop in the middle hold no connection to the core, wherever they
// stop: with only one, others are served. When they go on, so are they.
func TestSlowCallersHoldNoConnection(t *testing.T) {
	s := startSite(t, startCore(t).addr, func(cfg *api.Config) {
		cfg.CoreConns, cfg.CoreWait, cfg.MaxPacket = 1, 10*time.Second, 64<<20
	})
	a := s.account("alice")
	size := stopAt + 1<<20
	packets, ciphertext, crc := s.begun(a, size)
	session := s.must(200, "POST", "/api/v1/keys/session", m{}, a.headers...)
	encoded := base64.StdEncoding.EncodeToString(a.sealed(t, session, random(size)))
	metadata := fmt.Sprintf(`"filename":"json","original_size":%d,"packet_number":1,"total_packets":1`, size)
	inJSON := append([]string{"Content-Type", "application/json"}, a.headers...)

	// rest is how each of them goes on.
	var rest []func() (name string, got answer)
	slow := func(name string, begin, end func(w *wire)) {
		w := s.dial()
		begin(w)
		rest = append(rest, func() (string, answer) {
			end(w)
			return name, w.answer()
		})
	}
	for range 4 {
		slow("in the header",
			func(w *wire) { w.send([]byte("GET /api/v1/status HTTP/1.1\r\nHos")) },
			func(w *wire) { w.send([]byte("t: x\r\n\r\n")) })
		slow("in JSON",
			func(w *wire) {
				w.begin("POST", "/api/v1/auth/login", 20, "Content-Type", "application/json")
				w.send([]byte(`{"username"`))
			},
			func(w *wire) { w.send([]byte(`:"alice"}`)) })
	}
	slow("in a raw packet",
		func(w *wire) {
			w.begin("PUT", packets+"1?last=true", len(ciphertext), a.headers...)
			w.send(ciphertext[:stopAt])
		},
		func(w *wire) { w.send(ciphertext[stopAt:]) })
	for name, body := range map[string]string{
		"in a packet in JSON":                `{` + metadata + `,"encrypted_data":"` + encoded + `"}`,
		"in a packet whose name comes later": `{"encrypted_data":"` + encoded + `",` + strings.Replace(metadata, "json", "late", 1) + `}`,
	} {
		slow(name,
			func(w *wire) {
				w.begin("POST", "/api/v1/files/upload", len(body), inJSON...)
				w.send([]byte(body[:stopAt]))
			},
			func(w *wire) { w.send([]byte(body[stopAt:])) })
	}

	s.put(a, "large", random(size))
	reader := s.dial()
	reader.begin("GET", "/api/v1/files/large/content", 0, a.headers...)
	if _, err := reader.in.Peek(1); err != nil { // and no more
		t.Fatal(err)
	}
	s.put(a, "small", []byte("x"))

	for _, end := range rest {
		name, got := end()
		if got.status != 200 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		} else if sum, large := got.json(t)["server_crc"]; large && sum != crc {
			t.Errorf("%s: %s", name, got.body)
		}
	}
	if got := reader.answer(); got.status != 200 || len(got.body) != len(ciphertext) {
		t.Errorf("slow reader: %d, %d bytes", got.status, len(got.body))
	}
}

// A body that stops coming, or ends too early, gets an answer that says so; a
// slow one that goes on gets through.
func TestUnsteadyBodies(t *testing.T) {
	const timeout = 500 * time.Millisecond
	s := startSite(t, startCore(t).addr, func(cfg *api.Config) { cfg.BodyTimeout = timeout })
	a := s.account("alice")
	packets, ciphertext, crc := s.begun(a, 1000)
	bodies := []struct {
		name, method, path, body string
		headers                  []string
	}{
		{"JSON", "POST", "/api/v1/auth/login", `{"username":`, []string{"Content-Type", "application/json"}},
		{"a packet in JSON", "POST", "/api/v1/files/upload", `{"encrypted_data":"AAAA`, append([]string{"Content-Type", "application/json"}, a.headers...)},
		{"a raw packet", "PUT", packets + "1", "xxx", a.headers},
		{"a raw packet, in pieces", "PUT", packets + "1", strings.Repeat("x", 1<<20), a.headers},
		{"a key bundle", "PUT", "/api/v1/keys/bundle", "xxx", a.headers},
	}
	for _, b := range bodies {
		w := s.dial()
		w.begin(b.method, b.path, len(b.body)+10, b.headers...)
		w.send([]byte(b.body))
		if err := w.nc.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got := w.answer(); got.status != 400 || !strings.Contains(string(got.body), "body: cut off") && !strings.Contains(string(got.body), "or cut off") {
			t.Errorf("%s, cut off: %d %s", b.name, got.status, got.body)
		}
	}
	for _, b := range bodies {
		w := s.dial()
		w.begin(b.method, b.path, len(b.body)+10, b.headers...)
		w.send([]byte(b.body))
		if got := w.answer(); got.status != 408 || got.json(t)["type"] != "/docs/problems#timeout" {
			t.Errorf("%s, stopped: %d %s", b.name, got.status, got.body)
		}
	}
	// Nothing of all that counts: the upload is as it was begun.
	w := s.dial()
	w.begin("PUT", packets+"1?last=true", len(ciphertext), a.headers...)
	pace := time.NewTicker(timeout / 5)
	defer pace.Stop()
	began := time.Now()
	for piece := range chunks(ciphertext, 10) {
		<-pace.C
		w.send(piece)
	}
	if took := time.Since(began); took < timeout {
		t.Fatalf("the slow body took %v alone", took)
	}
	if got := w.answer(); got.status != 200 || got.json(t)["server_crc"] != crc {
		t.Errorf("slow but steady: %d %s", got.status, got.body)
	}
}

// chunks cuts b into n pieces.
func chunks(b []byte, n int) func(func([]byte) bool) {
	size := (len(b) + n - 1) / n
	return func(yield func([]byte) bool) {
		for ; len(b) > 0; b = b[min(size, len(b)):] {
			if !yield(b[:min(size, len(b))]) {
				return
			}
		}
	}
}

// What is wrong in the middle of 16 MiB is found there, whether or not it was
// known where the content goes, and leaves nothing behind.
func TestBrokenBase64(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	a := s.account("alice")
	text := bytes.Repeat([]byte("QUJD"), 16<<20/3)
	middle := len(text) / 2
	text[middle] = '*'
	headers := append([]string{"Content-Type", "application/json"}, a.headers...)
	const metadata = `"filename":"f","original_size":16000000,"packet_number":1,"total_packets":1`
	for name, body := range map[string]string{
		"metadata first": fmt.Sprintf(`{%s,"encrypted_data":"%s"}`, metadata, text),
		"metadata last":  fmt.Sprintf(`{"encrypted_data":"%s",%s}`, text, metadata),
	} {
		w := s.dial()
		w.begin("POST", "/api/v1/files/upload", len(body), headers...)
		var writing sync.WaitGroup
		writing.Go(func() { _, _ = io.WriteString(w.nc, body) }) // the gateway hangs up before it has read all
		got := w.answer()
		w.nc.Close()
		writing.Wait()
		if want := fmt.Sprintf("encrypted_data: not base64 at character %d", middle); got.status != 400 || got.json(t)["message"] != want {
			t.Errorf("%s: %d %s, want %q", name, got.status, got.body, want)
		}
	}
	for _, upload := range s.must(200, "GET", "/api/v1/uploads", nil, a.headers...)["uploads"].([]any) {
		if n := upload.(m)["bytes_received"].(float64); n != 0 {
			t.Errorf("an upload has %v bytes of it", n)
		}
	}
}

// A call that is refused before its body was read is answered, and its
// connection closed, though the body stands still.
func TestRefusedBodiesStandStill(t *testing.T) {
	c := startCore(t)
	s := startSite(t, c.addr, func(cfg *api.Config) { cfg.BodyTimeout = 100 * time.Millisecond })
	for _, test := range []struct {
		method, path, contentType string
		status                    int
	}{
		{"POST", "/nix", "application/json", 404},
		{"POST", "/api/v1/uploads", "application/json", 408}, // it was to be read
		{"POST", "/api/v1/auth/login", "text/plain", 415},
		{"DELETE", "/api/v1/auth/login", "application/json", 405},
	} {
		for _, length := range []string{"Content-Length: 1000", "Transfer-Encoding: chunked"} {
			w := s.dial()
			w.send([]byte(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\n%s\r\n\r\n1", test.method, test.path, test.contentType, length)))
			if got := w.answer(); got.status != test.status {
				t.Errorf("%s %s, %s: %d %s, want %d", test.method, test.path, length, got.status, got.body, test.status)
			}
			if _, err := w.in.ReadByte(); err != io.EOF {
				t.Errorf("%s %s, %s: the connection stays open: %v", test.method, test.path, length, err)
			}
		}
	}
}

// Who is refused is answered soon, however long a body may stand still.
func TestRefusedSoon(t *testing.T) {
	s := startSite(t, startCore(t).addr, func(cfg *api.Config) { cfg.BodyTimeout = time.Hour })
	w := s.dial()
	w.send([]byte("POST /api/v1/files/upload HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n1"))
	if got := w.answer(); got.status != 401 {
		t.Errorf("%d %s", got.status, got.body)
	}
}
