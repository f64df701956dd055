package e2e

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"coffer/internal/stack"
	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
)

// newServersWith starts a core and before it a gateway, with arguments.
func newServersWith(t *testing.T, args ...string) (internal string, g *gateway) {
	t.Helper()
	internal = stack.FreeAddr(t)
	addr := stack.FreeAddr(t)
	newCore(t, "--internal-listen", internal)
	return internal, newGatewayAt(t, addr, internal, args...)
}

// An upload that is begun, and what it takes.
type begun struct {
	path       string
	plain      []byte
	ciphertext []byte
}

// begin begins an upload of so many bytes.
func (s *script) begin(private *rsa.PrivateKey, name string, size int) begun {
	s.t.Helper()
	var answer struct {
		ID      string `json:"upload_id"`
		Wrapped []byte `json:"aes_key_encrypted"`
	}
	s.get(201, "POST", "/api/v1/uploads", map[string]string{"filename": name}, &answer)
	key, err := crypt.Unwrap(private, crypt.SHA256, answer.Wrapped)
	if err != nil {
		s.t.Fatal(err)
	}
	plain := randomBytes(uint64(size), size)
	enc := crypt.NewEncrypter(key)
	return begun{"/api/v1/uploads/" + answer.ID, plain, enc.Finish(enc.Append(nil, plain))}
}

// verify confirms an upload.
func (s *script) verify(b begun) {
	s.t.Helper()
	var verdict struct {
		Verified bool `json:"verified"`
	}
	s.get(200, "POST", b.path+"/verify", map[string]string{"client_crc": fmt.Sprint(cksum.Sum(b.plain))}, &verdict)
	if !verdict.Verified {
		s.t.Error("not verified")
	}
}

// A gateway that drains takes no new connection, and lets an upload that is
// under way end well.
func TestDrain(t *testing.T) {
	internal, g := newServersWith(t)
	s := &script{t: t, base: g.url}
	b := s.begin(s.register("slow"), "f", 3<<20)
	upload := s.slow(b.path+"/packets/1?last=true", len(b.ciphertext))
	half := len(b.ciphertext) / 2
	if _, err := upload.Write(b.ciphertext[:half]); err != nil {
		t.Fatal(err)
	}
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	refused(t, strings.TrimPrefix(g.url, "http://"))
	if _, err := upload.Write(b.ciphertext[half:]); err != nil {
		t.Errorf("the rest of the upload: %v", err)
	}
	if err := <-upload.done; err != nil {
		t.Errorf("the upload under way: %v", err)
	}
	<-g.done
	if g.err != nil {
		t.Errorf("SIGTERM: %v", g.err)
	}

	next := newGateway(t, internal)
	s.base = next.url
	var login struct {
		Token string `json:"session_token"`
	}
	s.token = "" // the next gateway has another secret
	s.get(200, "POST", "/api/v1/auth/login", map[string]string{"username": "slow"}, &login)
	s.token = login.Token
	s.verify(b)
}

// A slowUpload is a packet of which a test writes the content bit by bit. What
// is written first goes out only once the gateway asks for it.
type slowUpload struct {
	io.Writer
	done chan error // how the call ended
}

// slow begins to send a packet of so many bytes.
func (s *script) slow(path string, size int) slowUpload {
	s.t.Helper()
	transport := &http.Transport{ExpectContinueTimeout: patience}
	in, out := io.Pipe()
	s.t.Cleanup(func() {
		in.CloseWithError(io.ErrClosedPipe)
		transport.CloseIdleConnections()
	})
	slow := *s
	slow.http = &http.Client{Transport: transport}
	r := slow.request("PUT", path, in)
	r.ContentLength = int64(size)
	r.Header.Set("Content-Type", "application/octet-stream")
	r.Header.Set("Expect", "100-continue")
	done := make(chan error, 1)
	go func() {
		answer, out, err := slow.send(r)
		if err == nil && answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %d: %s", answer.StatusCode, out)
		}
		in.CloseWithError(io.ErrClosedPipe) // for the writer, if the gateway wants no more
		done <- err
	}()
	return slowUpload{out, done}
}

// refused waits until nobody listens at an address.
func refused(t *testing.T, addr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			return
		case err == nil:
			nc.Close()
		case ctx.Err() != nil:
			t.Fatalf("%s still listens: %v", addr, err)
		} // else the listener was closed as it took the connection
	}
}
