package api_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"

	"coffer/api"
	"coffer/protocol/crypt"
)

// Large packets, which go to the core in pieces while they come in.

// socketful is more than the sockets between a caller and the gateway hold, so
// that once so much was written the gateway has passed some of it on.
const socketful = 24 << 20

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestLargePackets(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	a := s.account("alice")
	session := s.must(200, "POST", "/api/v1/keys/session", m{}, a.headers...)
	for _, size := range []int{512<<10 - 1, 512 << 10, 512<<10 + 1, 3<<20 + 5} {
		plain := random(size)
		s.put(a, "raw", plain)
		details := s.must(200, "GET", "/api/v1/files/raw", nil, a.headers...)["file"].(m)
		if details["crc"] != checksum(plain) {
			t.Errorf("%d bytes, raw: %v", size, details)
		}

		ciphertext := base64.StdEncoding.EncodeToString(a.sealed(t, session, plain))
		head, data := `"filename":"json","packet_number":1`, `"encrypted_data":"`+ciphertext+`"`
		tail := fmt.Sprintf(`"original_size":%d,"total_packets":1`, size)
		for name, body := range map[string]string{
			"content last":       "{" + head + "," + tail + "," + data + "}",
			"content in between": "{" + head + "," + data + "," + tail + "}",
			"client id last":     "{" + head + "," + tail + "," + data + `,"client_id":"` + a.id + `"}`,
		} {
			headers := append([]string{"Content-Type", "application/json"}, a.headers...)
			if name == "client id last" {
				headers = headers[:4] // and only there
			}
			got := s.call("POST", "/api/v1/files/upload", bytes.NewReader([]byte(body)), headers...)
			if name == "client id last" { // nothing is held for who has proven nothing
				if got.status != 401 {
					t.Errorf("%d bytes, %s: %d %s", size, name, got.status, got.body)
				}
				continue
			}
			if got.status != 200 || got.json(t)["server_crc"] != checksum(plain) {
				t.Errorf("%d bytes, %s: %d %s", size, name, got.status, got.body)
			}
			// Sums that nobody confirms end the session.
			s.must(200, "POST", "/api/v1/files/verify", m{"filename": "json", "client_crc": checksum(plain)}, a.headers...)
		}
	}
}

// begun is an upload with the ciphertext for it.
func (s *site) begun(a account, size int) (packets string, ciphertext []byte, crc string) {
	s.t.Helper()
	plain := random(size)
	begun := s.must(201, "POST", "/api/v1/uploads", m{"filename": "f"}, a.headers...)
	return "/api/v1/uploads/" + begun["upload_id"].(string) + "/packets/", a.sealed(s.t, begun, plain), checksum(plain)
}

// A packet that breaks off, or turns out to be no base64, is as if it had never
// begun to come.
func TestBrokenPacket(t *testing.T) {
	s := startSite(t, startCore(t).addr, func(cfg *api.Config) { cfg.MaxPacket = 64 << 20 })
	a := s.account("alice")
	packets, ciphertext, crc := s.begun(a, 2*socketful)
	half := len(ciphertext) / 2

	r, w := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), "PUT", s.url+packets+"1", r)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(a.headers); i += 2 {
		request.Header.Set(a.headers[i], a.headers[i+1])
	}
	cut := errors.New("cut")
	done := make(chan error)
	go func() {
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			err = answer.Body.Close()
		}
		done <- err
	}()
	if _, err := w.Write(ciphertext[:socketful]); err != nil {
		t.Fatal(err)
	}
	w.CloseWithError(cut)
	if err := <-done; !errors.Is(err, cut) {
		t.Errorf("the cut call: %v", err)
	}
	s.must(200, "PUT", packets+"2?last=true", bytes.NewReader(ciphertext[half:]), a.headers...)
	if got := s.must(200, "PUT", packets+"1", bytes.NewReader(ciphertext[:half]), a.headers...); got["server_crc"] != crc {
		t.Errorf("the upload: %v", got)
	}

	session := s.must(200, "POST", "/api/v1/keys/session", m{}, a.headers...)
	plain := random(4 << 20)
	text := base64.StdEncoding.EncodeToString(a.sealed(t, session, plain))
	middle := len(text) / 8 * 4
	body := func(number int, text string) io.Reader {
		return bytes.NewReader(fmt.Appendf(nil, `{"filename":"j","original_size":%d,"packet_number":%d,"total_packets":2,"encrypted_data":"%s"}`, len(plain), number, text))
	}
	headers := append([]string{"Content-Type", "application/json"}, a.headers...)
	s.must(200, "POST", "/api/v1/files/upload", body(2, text[middle:]), headers...)
	got := s.call("POST", "/api/v1/files/upload", body(1, text[:middle-4]+"*AAA"), headers...)
	if got.status != 400 || got.json(t)["message"] != fmt.Sprintf("encrypted_data: not base64 at character %d", middle-4) {
		t.Errorf("broken base64: %d %s", got.status, got.body)
	}
	if got := s.must(200, "POST", "/api/v1/files/upload", body(1, text[:middle]), headers...); got["server_crc"] != checksum(plain) {
		t.Errorf("the file: %v", got)
	}
}

// A restart of the core in the middle of a packet costs one more try.
func TestCoreRestartsWithinAPacket(t *testing.T) {
	c := startCore(t)
	s := startSite(t, c.addr, func(cfg *api.Config) { cfg.MaxPacket = 64 << 20 })
	a := s.account("alice")
	packets, ciphertext, crc := s.begun(a, socketful+1<<20)
	first, second := io.Pipe()
	restarted := make(chan struct{})
	go func() {
		defer close(restarted)
		_, err := second.Write(ciphertext[:socketful])
		if err == nil {
			c.stop()
			c.start()
			_, err = second.Write(ciphertext[socketful:])
		}
		second.CloseWithError(err)
	}()
	got := s.call("PUT", packets+"1?last=true", first, a.headers...)
	first.CloseWithError(io.ErrClosedPipe) // for what the gateway did not want any more
	<-restarted
	if got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("the packet that lost its beginning: %d %s", got.status, got.body)
	}
	if got := s.must(200, "PUT", packets+"1?last=true", bytes.NewReader(ciphertext), a.headers...); got["server_crc"] != crc {
		t.Errorf("the upload: %v", got)
	}
}

// What goes to the core as it comes must end as it was announced.
func TestPacketOfAnotherLength(t *testing.T) {
	s := startSite(t, startCore(t).addr, nil)
	a := s.account("alice")
	packets, ciphertext, _ := s.begun(a, 2<<20)
	if len(ciphertext)%crypt.BlockSize != 0 {
		t.Fatal("no whole blocks")
	}
	got := s.call("PUT", packets+"1?last=true", bytes.NewReader(ciphertext[:len(ciphertext)-1]), a.headers...)
	if got.status != 400 {
		t.Errorf("half a block: %d %s", got.status, got.body)
	}
}
