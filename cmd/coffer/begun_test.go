package main

import (
	"crypto/rsa"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"coffer/protocol"
	"coffer/protocol/crypt"
)

// A registrar is a server for one name. It keeps the first key, gives a name
// without a key away again, and cuts connections where a test wants it.
type registrar struct {
	addr string

	mu         sync.Mutex
	id         protocol.ClientID // of the name, zero if it is free
	key        *rsa.PublicKey
	taken      bool              // by somebody else
	why        *protocol.Failure // for which the name is refused; nil: an earlier server does not say
	registered func()            // called when the name is registered, if set
	shut       bool              // to base requests, by the client
	cut        cut               // done once
}

func startRegistrar(t *testing.T) *registrar {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &registrar{addr: ln.Addr().String()}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer nc.Close(); r.serve(nc) })
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return r
}

func (r *registrar) serve(nc net.Conn) {
	for {
		h, err := protocol.ReadRequestHeader(nc)
		if err != nil {
			return
		}
		payload := make([]byte, h.Size)
		if _, err := io.ReadFull(nc, payload); err != nil {
			return
		}
		answer := r.answer(h, payload)
		if answer == nil {
			return
		}
		if _, err := nc.Write(protocol.AppendResponse(nil, answer, 0)); err != nil {
			return
		}
	}
}

// cutAt has the next connection that asks for it cut.
func (r *registrar) cutAt(c cut) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = c
}

// answer is nil where the connection is cut.
func (r *registrar) answer(h protocol.RequestHeader, payload []byte) protocol.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.Code != r.cut.at {
		return r.does(h, payload)
	}
	if r.cut.served {
		r.does(h, payload)
	}
	r.cut = cut{}
	return nil
}

func (r *registrar) does(h protocol.RequestHeader, payload []byte) protocol.Message {
	switch h.Code {
	case protocol.CodeRegister:
		if r.taken || r.key != nil {
			return &protocol.RegisterRefused{}
		}
		r.id[0]++
		if r.registered != nil {
			r.registered()
		}
		return &protocol.Registered{Client: r.id}
	case protocol.CodeSendPublicKey:
		parsed, err := x509.ParsePKIXPublicKey(payload[protocol.FieldSize:])
		if err != nil || h.Client != r.id || r.key != nil {
			return &protocol.Error{}
		}
		r.key = parsed.(*rsa.PublicKey)
		return &protocol.KeyReceived{Client: h.Client, WrappedKey: r.wrapped()}
	case protocol.CodeReconnect:
		if h.Client != r.id || r.key == nil {
			return &protocol.ReconnectDenied{Client: h.Client}
		}
		return &protocol.Reconnected{Client: h.Client, WrappedKey: r.wrapped()}
	case protocol.CodeGetRefusal:
		if r.why != nil {
			return r.why
		}
	case protocol.CodeChallenge:
		return &protocol.ChallengeIssued{}
	case protocol.CodeProve:
		return &protocol.Done{}
	case protocol.CodeSetBaseAccess:
		r.shut = payload[0] == 0
		return &protocol.Done{}
	}
	return &protocol.Error{}
}

func (r *registrar) wrapped() []byte {
	key, err := crypt.NewSessionKey()
	if err != nil {
		return nil
	}
	b, err := crypt.Wrap(r.key, crypt.SHA256, key)
	if err != nil {
		return nil
	}
	return b
}

// A cut is a request at which a connection ends, before it is served or with
// its answer.
type cut struct {
	at     protocol.Code
	served bool
}

// Wherever a registration is cut off, the same command goes on with the same
// keys, and the name is not lost.
func TestRegistrationGoesOn(t *testing.T) {
	for _, test := range []struct {
		name string
		cuts []cut
	}{
		{"before the name", []cut{{protocol.CodeRegister, false}}},
		{"after the name", []cut{{protocol.CodeRegister, true}}},
		{"before asking whether the key is there", []cut{{protocol.CodeSendPublicKey, false}, {protocol.CodeReconnect, false}}},
		{"before the key", []cut{{protocol.CodeSendPublicKey, false}}},
		{"after the key", []cut{{protocol.CodeSendPublicKey, true}}},
		{"before the proof", []cut{{protocol.CodeProve, false}}},
		{"before the account is closed to base requests", []cut{{protocol.CodeSetBaseAccess, false}}},
		{"after it was", []cut{{protocol.CodeSetBaseAccess, true}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := startRegistrar(t)
			home := filepath.Join(t.TempDir(), "home")
			register := []string{"register", "--server", r.addr, "--name", "ada", "--rsa-bits", "1024"}
			for _, cut := range test.cuts {
				r.cutAt(cut)
				if code, _, stderr := coffer(t, home, nil, register...); code != 1 {
					t.Fatalf("exit code %d\n%s", code, stderr)
				}
			}
			a := &app{ctx: t.Context(), env: func(string) (string, bool) { return home, true }}
			begun, err := a.loadBegun()
			if err != nil || begun == nil {
				t.Fatalf("nothing was kept: %v", err)
			}
			if code, _, stderr := coffer(t, home, nil, "list"); code != 1 || !strings.Contains(stderr, "continue it with") {
				t.Errorf("list: exit code %d\n%s", code, stderr)
			}
			if code, _, stderr := coffer(t, home, nil, register...); code != 0 {
				t.Fatalf("once more: exit code %d\n%s", code, stderr)
			}
			p, err := a.loadProfile()
			if err != nil || p.Identity != begun.Identity || string(p.RSAKey) != string(begun.RSAKey) {
				t.Errorf("other keys, or %v", err)
			}
			credentials, err := p.credentials()
			if err != nil || credentials.Client != r.id || r.key == nil || !credentials.Key.PublicKey.Equal(r.key) {
				t.Errorf("the profile is not the account's: %v", err)
			}
			if !r.shut {
				t.Error("the account is open to base requests")
			}
			if _, err := os.Stat(filepath.Join(home, "registering.json")); err == nil {
				t.Error("registering.json stayed")
			}
		})
	}
}

// A name that is somebody else's leaves nothing; keys of an account that was
// begun are not thrown away for another.
func TestRegistrationRefused(t *testing.T) {
	r := startRegistrar(t)
	r.taken = true
	home := filepath.Join(t.TempDir(), "home")
	register := func(name string, more ...string) (int, string) {
		code, _, stderr := coffer(t, home, nil, append([]string{"register", "--server", r.addr, "--name", name, "--rsa-bits", "1024"}, more...)...)
		return code, stderr
	}
	if code, stderr := register("ada"); code != 1 || !strings.Contains(stderr, "name is taken") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if left, err := filepath.Glob(filepath.Join(home, "*.json")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	r.taken, r.cut = false, cut{at: protocol.CodeSendPublicKey}
	if code, _ := register("ada"); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if code, stderr := register("ben"); code != 1 || !strings.Contains(stderr, "interrupted registration") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if code, stderr := register("ben", "--force"); code != 0 {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

// A refused registration says which it is: the name, how it is written, or that
// there are none. An earlier server leaves all three open.
func TestRegistrationSaysWhyItWasRefused(t *testing.T) {
	for _, tt := range []struct {
		why  *protocol.Failure
		says []string
		not  string
	}{
		{&protocol.Failure{Status: protocol.StatusConflict, Message: "the name is taken"}, []string{"the name is taken", "choose another", "coffer sign-in"}, "acceptable"},
		{&protocol.Failure{Status: protocol.StatusInvalid, Message: "the name ends with a space"}, []string{"does not accept this name", "ends with a space"}, "taken"},
		{&protocol.Failure{Status: protocol.StatusForbidden, Message: "registration is closed"}, []string{"registration is closed", "ask the server's operator"}, "taken"},
		{nil, []string{"taken or not acceptable", "does not accept registrations"}, "closed"},
	} {
		r := startRegistrar(t)
		r.taken, r.why = true, tt.why
		home := filepath.Join(t.TempDir(), "home")
		code, _, stderr := coffer(t, home, nil, "register", "--server", r.addr, "--name", "ada", "--rsa-bits", "1024")
		if code != 1 || strings.Contains(stderr, tt.not) {
			t.Errorf("%v: exit code %d\n%s", tt.why, code, stderr)
		}
		for _, says := range tt.says {
			if !strings.Contains(stderr, says) {
				t.Errorf("%v: no %q in\n%s", tt.why, says, stderr)
			}
		}
		if left, err := filepath.Glob(filepath.Join(home, "*.json")); err != nil || len(left) > 0 {
			t.Errorf("%v: left behind: %q, %v", tt.why, left, err)
		}
	}
}

// A folder that cannot be written fails before the name is sent to the server.
func TestRegistrationNeedsAFolder(t *testing.T) {
	r := startRegistrar(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	homes := []string{filepath.Join(file, "home")}
	if os.Getuid() != 0 && runtime.GOOS != "windows" {
		closed := filepath.Join(t.TempDir(), "closed")
		if err := os.Mkdir(closed, 0o500); err != nil {
			t.Fatal(err)
		}
		homes = append(homes, closed)
	}
	if runtime.GOOS == "linux" {
		homes = append(homes, "/proc/self/task/home")
	}
	for _, home := range homes {
		if code, _, stderr := coffer(t, home, nil, "register", "--server", r.addr, "--name", "ada", "--rsa-bits", "1024"); code != 1 {
			t.Errorf("%s: exit code %d\n%s", home, code, stderr)
		}
	}
	if r.id != (protocol.ClientID{}) {
		t.Error("the name was registered")
	}
}
