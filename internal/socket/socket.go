// Package socket opens and connects to Unix sockets, whose paths may be longer
// than the system's addresses are. An address names one by "unix:" and a path;
// every other address is TCP's.
package socket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// mode lets the folder's owner and group connect.
const mode = 0o660

// maxPath is the longest path that every system takes in a Unix socket's
// address.
const maxPath = 103

// Path is the path that an address names, and whether it names one.
func Path(addr string) (path string, unix bool) { return strings.CutPrefix(addr, "unix:") }

// Dial connects to an address.
func Dial(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	path, unix := Path(addr)
	if !unix {
		return d.DialContext(ctx, "tcp", addr)
	}
	short, done, err := shorten(path)
	if err != nil {
		return nil, err
	}
	defer done()
	nc, err := d.DialContext(ctx, "unix", short)
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		op.Addr = name(path) // and not the short one, which means nothing to readers
	}
	return nc, err
}

// Listen opens a listener. A socket that an earlier run left behind, and
// nobody listens on, is replaced.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	path, unix := Path(addr)
	if !unix {
		return lc.Listen(ctx, "tcp", addr)
	}
	if err := clear(ctx, path); err != nil {
		return nil, err
	}
	short, done, err := shorten(path)
	if err != nil {
		return nil, err
	}
	defer done()
	l, err := lc.Listen(ctx, "unix", short)
	if err != nil {
		if op := (*net.OpError)(nil); errors.As(err, &op) {
			op.Addr = name(path)
		}
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // it knows the short path alone
	made := &listener{Listener: l, path: path}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, made.Close())
	}
	return made, nil
}

// clear removes a socket that nobody listens on.
func clear(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	nc, err := Dial(ctx, "unix:"+path)
	if err == nil {
		nc.Close()
		return fmt.Errorf("another program is listening on %s", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// A listener removes its socket when it is closed.
type listener struct {
	net.Listener
	path   string
	remove sync.Once
}

// Addr is the address as it was given.
func (l *listener) Addr() net.Addr { return name(l.path) }

// Close closes the listener and removes its socket.
func (l *listener) Close() error {
	var err error
	l.remove.Do(func() { err = os.Remove(l.path) })
	return errors.Join(err, l.Listener.Close())
}

// name is a socket's address, with a path of any length.
type name string

// Network is "unix".
func (name) Network() string { return "unix" }

// String returns the address as it was given.
func (n name) String() string { return "unix:" + string(n) }

// tooLong says what to do about a path.
func tooLong(path string) error {
	return fmt.Errorf("the socket path %s is longer than the system's limit of %d bytes: use a shorter path, or a TCP address on this machine",
		filepath.Clean(path), maxPath)
}
