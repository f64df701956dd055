package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"coffer/protocol"
)

// serve answers each request on a pipe with what answer returns, as it is; nil
// closes the connection.
func serve(t *testing.T, answer func(h protocol.RequestHeader, payload []byte) []byte) *Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	requests := make(chan func() []byte, 100) // read on while an answer waits to be taken
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(requests)
		for {
			h, err := protocol.ReadRequestHeader(theirs)
			if err != nil {
				return
			}
			payload := make([]byte, h.Size)
			if _, err := io.ReadFull(theirs, payload); err != nil {
				return
			}
			requests <- func() []byte { return answer(h, payload) }
		}
	})
	wg.Go(func() {
		defer theirs.Close()
		for request := range requests {
			b := request()
			if b == nil {
				return
			}
			if _, err := theirs.Write(b); err != nil {
				return
			}
		}
	})
	c := NewConn(ours, 5*time.Second)
	t.Cleanup(func() { c.Close(); theirs.Close(); wg.Wait() })
	return c
}

func response(m protocol.Message) []byte { return protocol.AppendResponse(nil, m, 0) }

func TestPipelining(t *testing.T) {
	var mu sync.Mutex
	waiting, all := 0, make(chan struct{})
	const calls = 20
	c := serve(t, func(h protocol.RequestHeader, p []byte) []byte {
		<-all // no answer before every request was sent
		var m protocol.GetFile
		if err := m.DecodePayload(p); err != nil {
			t.Error(err)
		}
		info := &protocol.FileInfo{FileEntry: protocol.FileEntry{Version: m.Version, Name: m.Name}}
		return response(info)
	})
	var wg sync.WaitGroup
	for i := range uint32(calls) {
		wg.Go(func() {
			request := &protocol.GetFile{Version: i, Name: "x"}
			pending, err := c.send(t.Context(), protocol.ClientID{}, request, content{})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			if waiting++; waiting == calls {
				close(all)
			}
			mu.Unlock()
			info := new(protocol.FileInfo)
			if err := pending.receive(info); err != nil || info.Version != i {
				t.Errorf("call %d got %d: %v", i, info.Version, err)
			}
		})
	}
	wg.Wait()
}

func TestAnswers(t *testing.T) {
	failure := &protocol.Failure{Status: protocol.StatusNoSpace, Message: "full"}
	for _, test := range []struct {
		name     string
		answer   []byte
		want     error
		poisoned bool
	}{
		{"done", response(&protocol.Done{}), nil, false},
		{"failure", response(failure), failure, false},
		{"error", response(&protocol.Error{}), ErrRefused, false},
		{"name", response(&protocol.RegisterRefused{}), ErrNameRefused, false},
		{"reconnect", response(&protocol.ReconnectDenied{}), ErrReconnectDenied, false},
		{"other code", response(&protocol.Registered{}), ErrProtocol, true},
		{"a request", response(&protocol.GetStatus{}), ErrProtocol, true},
		{"unknown code", protocol.ResponseHeader{Version: 3, Code: 9}.Append(nil), ErrProtocol, true},
		{"version", protocol.ResponseHeader{Version: 2, Code: protocol.CodeDone}.Append(nil), ErrProtocol, true},
		{"too large", protocol.ResponseHeader{Version: 3, Code: protocol.CodeDone, Size: 1 << 30}.Append(nil), ErrProtocol, true},
		{"malformed", append(protocol.ResponseHeader{Version: 3, Code: protocol.CodeFailure, Size: 5}.Append(nil), 1, 0, 9, 9, 9), ErrProtocol, true},
		{"cut", response(failure)[:9], ErrClosed, true},
		{"nothing", nil, ErrClosed, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			sent := false
			c := serve(t, func(protocol.RequestHeader, []byte) []byte {
				if sent {
					return nil
				}
				sent = true
				return test.answer
			})
			if test.name == "cut" {
				c.timeout = 50 * time.Millisecond
			}
			err := c.RemoveAccount(t.Context(), protocol.ClientID{}, "x")
			if !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if poisoned := c.Err() != nil; poisoned != test.poisoned {
				t.Errorf("poisoned %v", poisoned)
			}
			if test.poisoned {
				if err := c.RemoveAccount(t.Context(), protocol.ClientID{}, "x"); !errors.Is(err, ErrClosed) || !errors.Is(err, test.want) {
					t.Errorf("later call: %v", err)
				}
			}
		})
	}
}

func TestCancelPoisons(t *testing.T) {
	asked := make(chan struct{})
	c := serve(t, func(protocol.RequestHeader, []byte) []byte { close(asked); return []byte{} })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := c.GetStatus(ctx); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := c.GetStatus(t.Context()); !errors.Is(err, ErrClosed) || !IsTransport(err) {
		t.Error(err)
	}
}

// A connection that ends while TLS begins is one that another try may do better
// than: the server is being started again.
func TestCutWhileTLSBegins(t *testing.T) {
	for name, serve := range map[string]func(net.Conn){
		"at once":     func(net.Conn) {},
		"after hello": func(nc net.Conn) { nc.Read(make([]byte, 1)) },
		"in a record": func(nc net.Conn) { nc.Read(make([]byte, 1)); nc.Write([]byte{22, 3, 3}) },
		"silent":      func(nc net.Conn) { io.Copy(io.Discard, nc) },
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var server sync.WaitGroup
			server.Go(func() {
				nc, err := l.Accept()
				if err != nil {
					return
				}
				defer nc.Close()
				serve(nc)
			})
			defer func() { l.Close(); server.Wait() }()
			_, err = Dial(t.Context(), l.Addr().String(), Options{TLS: new(tls.Config), Timeout: 200 * time.Millisecond})
			if err == nil || !IsTransport(err) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestReadFile(t *testing.T) {
	data := bytes.Repeat([]byte("content "), 100)
	c := serve(t, func(h protocol.RequestHeader, _ []byte) []byte {
		if h.Code == protocol.CodeDeleteFile {
			return response(&protocol.Done{})
		}
		m := &protocol.FileContent{Version: 1, Size: uint64(len(data))}
		return append(protocol.AppendResponse(nil, m, uint32(len(data))), data...)
	})
	for _, drain := range []bool{true, false} {
		_, r, err := c.ReadFile(t.Context(), protocol.ClientID{}, protocol.ReadFile{Name: "x"})
		if err != nil {
			t.Fatal(err)
		}
		next, err := c.send(t.Context(), protocol.ClientID{}, &protocol.DeleteFile{Name: "x"}, content{})
		if err != nil {
			t.Fatal(err)
		}
		if drain {
			if err := iotest.TestReader(r, data); err != nil {
				t.Error(err)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := next.receive(new(protocol.Done)); err != nil {
			t.Error(err)
		}
	}
}

func TestSendFile(t *testing.T) {
	var got []byte
	c := serve(t, func(h protocol.RequestHeader, p []byte) []byte {
		var m protocol.SendFile
		if err := m.DecodePayload(p[:267]); err != nil {
			t.Error(err)
		}
		got = append(got, p[267:]...)
		if m.Number < m.Total {
			return []byte{}
		}
		return response(&protocol.FileReceived{ContentSize: uint32(len(got)), Cksum: 7})
	})
	data := bytes.Repeat([]byte("0123456789abcdef"), 10)
	answer, err := c.SendFile(t.Context(), protocol.ClientID{}, "x", 155, bytes.NewReader(data), uint32(len(data)), 50)
	if err != nil || answer.Cksum != 7 || !bytes.Equal(got, data) {
		t.Errorf("%v %v", answer, err)
	}
}

func FuzzResponse(f *testing.F) {
	f.Add(response(&protocol.FileList{Files: make([]protocol.FileEntry, 2)}))
	f.Add(response(&protocol.Failure{Status: 1, Message: "no"}))
	f.Add([]byte{3, 0x4f, 6, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		ours, theirs := net.Pipe()
		var wg sync.WaitGroup
		defer wg.Wait()
		defer theirs.Close()
		wg.Go(func() { io.Copy(io.Discard, theirs) })
		wg.Go(func() { theirs.Write(b); theirs.Close() })
		c := NewConn(ours, time.Second)
		defer c.Close()
		answer, err := c.ListFiles(context.Background(), protocol.ClientID{}, protocol.ListFiles{Limit: 1})
		if (answer == nil) != (err != nil) {
			t.Errorf("%v, %v", answer, err)
		}
	})
}
