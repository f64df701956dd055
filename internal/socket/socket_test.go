package socket_test

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"coffer/internal/socket"
)

// connects checks that both ends of a new connection find each other.
func connects(t *testing.T, l net.Listener, addr string) {
	t.Helper()
	accepted := make(chan error, 1)
	go func() {
		nc, err := l.Accept()
		if err == nil {
			_, err = nc.Write([]byte("x"))
			nc.Close()
		}
		accepted <- err
	}()
	nc, err := socket.Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if n, err := nc.Read(make([]byte, 1)); n != 1 {
		t.Fatalf("read: %v", err)
	}
	if err := <-accepted; err != nil {
		t.Fatal(err)
	}
}

func TestAddresses(t *testing.T) {
	folder := t.TempDir()
	deep := filepath.Join(folder, strings.Repeat("long/", 50))
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, addr := range map[string]string{
		"TCP":         "127.0.0.1:0",
		"Unix":        "unix:" + filepath.Join(folder, "core.sock"),
		"a long path": "unix:" + filepath.Join(deep, "core.sock"),
	} {
		t.Run(name, func(t *testing.T) {
			if name == "a long path" && runtime.GOOS != "linux" {
				t.Skip("only Linux has a way around")
			}
			l, err := socket.Listen(t.Context(), addr)
			if err != nil {
				t.Fatal(err)
			}
			path, unix := socket.Path(addr)
			at := addr
			if !unix {
				at = l.Addr().String()
			} else if got := l.Addr().String(); got != addr {
				t.Errorf("it listens at %s, want %s", got, addr)
			}
			connects(t, l, at)
			if unix && runtime.GOOS != "windows" {
				if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
					t.Errorf("the socket is %v, %v", info, err)
				}
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if unix {
				if _, err := os.Lstat(path); !os.IsNotExist(err) {
					t.Errorf("the socket stays: %v", err)
				}
				if _, err := socket.Dial(t.Context(), addr); err == nil || !strings.Contains(err.Error(), path) {
					t.Errorf("nobody is there: %v", err)
				}
			}
		})
	}
}

// What an earlier run left is replaced; what somebody uses, or is something
// else, is not.
func TestListenAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "core.sock")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	if _, err := socket.Listen(t.Context(), "unix:"+path); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("a socket in use: %v", err)
	}
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := socket.Listen(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatalf("a socket that was left: %v", err)
	}
	connects(t, l, "unix:"+path)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := socket.Listen(t.Context(), "unix:"+path); err == nil {
		t.Error("a file was taken for a socket")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Type() != fs.FileMode(0) {
		t.Errorf("the file is gone: %v", err)
	}
}
