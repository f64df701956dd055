package api_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"coffer/api"
	"coffer/protocol"
)

// A restart of the core is nothing that a caller notices, whether the request
// may be sent twice or not.
func TestCoreRestarts(t *testing.T) {
	c := startCore(t)
	s := startSite(t, c.addr, nil)
	a := s.account("alice")
	var calls sync.WaitGroup
	for range 8 { // several connections, all of which die
		calls.Go(func() { s.call("GET", "/api/v1/status", nil) })
	}
	calls.Wait()
	for i := range 3 {
		begun := s.must(201, "POST", "/api/v1/uploads", m{"filename": fmt.Sprint("file ", i)}, a.headers...)
		path := "/api/v1/uploads/" + begun["upload_id"].(string)
		ciphertext := a.sealed(t, begun, []byte("content that takes two blocks"))
		s.must(200, "PUT", path+"/packets/1", strings.NewReader(string(ciphertext[:10])), a.headers...)
		c.stop()
		got := s.call("GET", "/api/v1/files", nil, a.headers...)
		if got.status != 503 || got.header.Get("Retry-After") == "" {
			t.Errorf("core away: %d %s", got.status, got.body)
		}
		c.start()
		s.must(200, "PUT", path+"/packets/2?last=true", strings.NewReader(string(ciphertext[10:])), a.headers...)
		c.stop()
		c.start()
		s.must(200, "POST", path+"/verify", m{"client_crc": checksum([]byte("content that takes two blocks"))}, a.headers...)
		c.stop()
		c.start()
		if files := s.must(200, "GET", "/api/v1/files", nil, a.headers...)["files"].([]any); len(files) != i+1 {
			t.Fatalf("%d files after restart %d", len(files), i)
		}
	}
}

// fakeCore is a core that answers requests by answer, which says whether it
// goes on with the connection. It knows the core secret, and proves it.
func fakeCore(t *testing.T, answer func(w io.Writer, code protocol.Code) bool) string {
	l := listen(t, "127.0.0.1:0")
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer nc.Close()
				in := bufio.NewReader(nc)
				if _, err := protocol.ReadRequestHeader(in); err != nil {
					return
				}
				var challenge [32]byte
				nc.Write(protocol.AppendResponse(nil, &protocol.ChallengeIssued{Challenge: challenge}, 0))
				h, err := protocol.ReadRequestHeader(in)
				if err != nil {
					return
				}
				var asked protocol.ProveGateway
				if err := protocol.ReadPayload(in, h.Size, &asked); err != nil {
					return
				}
				nc.Write(protocol.AppendResponse(nil, &protocol.CoreProven{Proof: coreSecret.CoreProof(challenge, asked.Nonce, nil)}, 0))
				for {
					h, err := protocol.ReadRequestHeader(in)
					if err != nil {
						return
					}
					if _, err := io.CopyN(io.Discard, in, int64(h.Size)); err != nil {
						return
					}
					if h.Code != protocol.CodeCaller && !answer(nc, h.Code) {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return l.Addr().String()
}

// Whatever a core answers, whichever call it is for, its caller gets a problem
// that says so and nothing else of it.
func TestBadCore(t *testing.T) {
	real := startSite(t, startCore(t).addr, nil)
	a := real.account("alice")
	proven := real.must(200, "POST", "/api/v1/auth/login", m{"username": "alice", "client_id": a.id})["session_token"].(string)
	bearer := []string{"Authorization", "Bearer " + proven}
	begun := real.must(201, "POST", "/api/v1/uploads", m{"filename": "q"}, bearer...)
	packet := m{"filename": "q", "original_size": 600_000, "packet_number": 1, "total_packets": 1, "encrypted_data": random(600_000)}
	calls := []struct {
		name, method, path string
		body               func() any
	}{
		{"status", "GET", "/api/v1/status", func() any { return nil }},
		{"login", "POST", "/api/v1/auth/login", func() any { return m{"username": "alice", "client_id": a.id} }},
		{"files", "GET", "/api/v1/files", func() any { return nil }},
		{"content", "GET", "/api/v1/files/q/content", func() any { return nil }},
		{"small packet", "PUT", "/api/v1/uploads/" + begun["upload_id"].(string) + "/packets/1", func() any { return strings.NewReader("x") }},
		{"packet in pieces", "PUT", "/api/v1/uploads/" + begun["upload_id"].(string) + "/packets/1", func() any { return bytes.NewReader(random(600_000)) }},
		{"packet in JSON", "POST", "/api/v1/files/upload", func() any { return packet }},
	}
	say := func(answer []byte) func(io.Writer) bool {
		return func(w io.Writer) bool { _, err := w.Write(answer); return err == nil }
	}
	failure := func(status protocol.Status) func(io.Writer) bool {
		return say(protocol.AppendResponse(nil, &protocol.Failure{Status: status, Message: "secret"}, 0))
	}
	faults := []struct {
		name   string
		answer func(io.Writer) bool
		status int
	}{
		{"1607", say(protocol.AppendResponse(nil, &protocol.Error{}, 0)), 502},
		{"garbage", say([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")), 502},
		{"another's answer", say(protocol.AppendResponse(nil, &protocol.ChallengeIssued{}, 0)), 502},
		{"internal", failure(protocol.StatusInternal), 502},
		{"a status that there is not", failure(9999), 502},
		{"hangs up", func(io.Writer) bool { return false }, 503},
		{"hangs up in its answer", func(w io.Writer) bool {
			_, _ = w.Write(protocol.AppendResponse(nil, &protocol.Error{}, 0)[:3]) // the gateway may be gone
			return false
		}, 503},
		{"says nothing", func(io.Writer) bool { return true }, 503},
	}
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			addr := fakeCore(t, func(w io.Writer, code protocol.Code) bool {
				if code == protocol.CodeCheckToken {
					return say(protocol.AppendResponse(nil, &protocol.Done{}, 0))(w)
				}
				return fault.answer(w)
			})
			s := startSite(t, addr, func(cfg *api.Config) { cfg.CoreTimeout = 100 * time.Millisecond })
			for _, call := range calls {
				got := s.call(call.method, call.path, call.body(), bearer...)
				if got.status != fault.status || strings.Contains(string(got.body), "secret") || (got.header.Get("Retry-After") != "") != (got.status == 503) {
					t.Errorf("%s: %d %s", call.name, got.status, got.body)
				}
			}
		})
	}
	full := startSite(t, fakeCore(t, func(w io.Writer, _ protocol.Code) bool {
		return say(protocol.AppendResponse(nil, &protocol.Failure{Status: protocol.StatusNoSpace, Message: "full"}, 0))(w)
	}), nil)
	if got := full.call("GET", "/api/v1/status", nil); got.status != 507 {
		t.Errorf("no space: %d %s", got.status, got.body)
	}
}

// When all connections to the core are in use, a call waits for a limited time
// and is then asked to come again.
func TestBusyCore(t *testing.T) {
	asked, leave := make(chan struct{}, 1), make(chan struct{})
	addr := fakeCore(t, func(io.Writer, protocol.Code) bool {
		asked <- struct{}{}
		<-leave
		return false
	})
	s := startSite(t, addr, func(cfg *api.Config) { cfg.CoreConns, cfg.CoreWait = 1, 50*time.Millisecond })
	var first sync.WaitGroup
	first.Go(func() { s.call("GET", "/api/v1/status", nil) })
	<-asked
	got := s.call("GET", "/api/v1/status", nil)
	if got.status != 503 || got.header.Get("Retry-After") == "" || got.json(t)["message"] != "the server is busy; try again" {
		t.Errorf("%d %s", got.status, got.body)
	}
	close(leave)
	first.Wait()
}
