package upload

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"coffer/protocol/crypt"
	"coffer/store"
)

// newTestRegistry is a registry over blobs in memory, with room for anything.
func newTestRegistry(t *testing.T) *Registry {
	return New(Deps{
		Blobs: newTestBlobs(), Catalog: memCatalog{}, Keys: plainKeys{}, Log: slog.New(slog.DiscardHandler), Events: noEvents{},
		Limits:   func() Limits { return Limits{TTL: time.Hour, MaxOfClient: 100} },
		MayBegin: func(context.Context, store.ClientID) error { return nil },
		Admit:    func(store.ClientID, int) (func(), error) { return func() {}, nil },
		NameOf:   func(context.Context, store.ClientID) string { return "ada" },
	})
}

type memCatalog struct{}

func (memCatalog) Commit(context.Context, store.Version, store.Retention) (uint32, []store.BlobRef, error) {
	return 1, nil, nil
}
func (memCatalog) Versions(context.Context, store.ClientID, string) ([]store.Version, error) {
	return nil, store.ErrNoFile
}

type plainKeys struct{}

func (plainKeys) WrapKey(key crypt.SessionKey, _ []byte) []byte { return key[:] }
func (plainKeys) UnwrapKey(wrapped, _ []byte) (crypt.SessionKey, error) {
	return crypt.SessionKey(wrapped), nil
}

type noEvents struct{}

func (noEvents) Committed(Info, time.Time, uint32) {}
func (noEvents) Failed(Info, error)                {}
func (noEvents) Dropped(Info, Cause)               {}
func (noEvents) Mismatched(Info, int)              {}
func (noEvents) Unconfirmed(Info)                  {}
func (noEvents) Changed(Info) bool                 { return false }

// Two first packets of a file never gather in one upload, however close they
// come: the second finds the first announced, though not begun.
func TestTwoFirstPackets(t *testing.T) {
	r := newTestRegistry(t)
	f := File{Key: Key{store.ClientID{1}, OwnerOfConn(1), "f"}, Original: 10, Total: 2}
	find := func(number uint32) *Upload {
		u, err := r.ForKey(t.Context(), f, number)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	second := find(2)
	first := find(1)
	if first != second {
		t.Error("packet 1 did not join packet 2")
	}
	twin := find(1)
	if twin == first {
		t.Fatal("both first packets are in one upload")
	}
	if _, err := first.Receive(t.Context(), Packet{Number: 1, Size: 1, Exact: true}, readerSource{strings.NewReader("x")}); !errors.Is(err, ErrGone) {
		t.Errorf("the earlier one: %v", err)
	}
	if find(2) != twin {
		t.Error("packet 2 did not join the later one")
	}
	cut := errors.New("cut")
	if _, err := twin.Receive(t.Context(), Packet{Number: 1, Size: 2, Exact: true}, readerSource{iotest.ErrReader(cut)}); !errors.Is(err, cut) {
		t.Errorf("a packet that breaks off: %v", err)
	}
	if find(1) != twin {
		t.Error("packet 1 that comes again after it broke off starts the file over")
	}
}

// A readerSource is content that is there at once.
type readerSource struct{ io.Reader }

func (readerSource) Wait() error                  { return nil }
func (s readerSource) Fill(b []byte) (int, error) { return io.ReadFull(s, b) }
