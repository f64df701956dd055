package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

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

// fakeCore answers every request with the same bytes.
func fakeCore(t *testing.T, answer []byte) string {
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
				for {
					h, err := protocol.ReadRequestHeader(in)
					if err != nil {
						return
					}
					if _, err := io.CopyN(io.Discard, in, int64(h.Size)); err != nil {
						return
					}
					if _, err := nc.Write(answer); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return l.Addr().String()
}

func TestBadCore(t *testing.T) {
	tests := map[string]struct {
		answer []byte
		status int
	}{
		"1607":             {protocol.AppendResponse(nil, &protocol.Error{}, 0), 502},
		"garbage":          {[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), 502},
		"another's answer": {protocol.AppendResponse(nil, &protocol.Done{}, 0), 502},
		"internal":         {protocol.AppendResponse(nil, &protocol.Failure{Status: protocol.StatusInternal, Message: "secret"}, 0), 502},
		"no space":         {protocol.AppendResponse(nil, &protocol.Failure{Status: protocol.StatusNoSpace, Message: "full"}, 0), 507},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := startSite(t, fakeCore(t, test.answer), nil)
			got := s.call("GET", "/api/v1/status", nil)
			if got.status != test.status || strings.Contains(string(got.body), "secret") {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}

// Callers that send half a packet and then nothing hold no connection to the
// core: with only one, others are served.
func TestSlowCallersHoldNoConnection(t *testing.T) {
	s := startSite(t, startCore(t).addr, func(cfg *api.Config) { cfg.CoreConns = 1 })
	a := s.account("alice")
	for range 4 {
		nc, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		fmt.Fprintf(nc, "POST /api/v1/files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{\"encrypted_data\":\"AAAA", a.token)
	}
	s.put(a, "file", []byte("x"))
}
