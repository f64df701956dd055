package backup

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// notes are a Memory that lasts as long as a test.
type notes struct {
	mu       sync.Mutex
	known    map[string]Memento
	complete bool
	fails    error
}

func (n *notes) Load() (map[string]Memento, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	known := make(map[string]Memento)
	for name, m := range n.known {
		known[name] = m
	}
	return known, nil
}

func (n *notes) Complete() (bool, error) { return n.complete, nil }

func (n *notes) Update(name string, change func(*Memento) error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fails != nil {
		return n.fails
	}
	m := n.known[name]
	if err := change(&m); err != nil {
		return err
	}
	n.known[name] = m
	return nil
}

// A name means one source, until somebody says otherwise.
func TestOneSource(t *testing.T) {
	_, session := newFake(t)
	n := &notes{known: map[string]Memento{}, complete: true}
	for i, step := range []struct {
		origin string
		adopt  bool
		want   error
	}{
		{"a", false, nil}, {"a", false, nil}, {"b", false, ErrOtherSource}, {"a", false, nil},
		{"b", true, nil}, {"a", false, ErrOtherSource}, {"b", false, nil},
	} {
		if _, err := backUp(t, session, writeFile(t, content(100)), Options{Memory: n, Origin: step.origin, Adopt: step.adopt}); !errors.Is(err, step.want) {
			t.Errorf("step %d: %v", i, err)
		}
	}
	// Another machine's name is not taken by accident, nor is anything forgotten
	// when a backup fails.
	other := &notes{known: map[string]Memento{}, complete: true}
	if _, err := backUp(t, session, writeFile(t, content(100)), Options{Memory: other, Origin: "c"}); !errors.Is(err, ErrOtherSource) {
		t.Error(err)
	}
	// One that has been there longer than its memory goes on.
	earlier := &notes{known: map[string]Memento{}}
	if _, err := backUp(t, session, writeFile(t, content(100)), Options{Memory: earlier, Origin: "c"}); err != nil {
		t.Error(err)
	}
}

// Of two at once, one gets the name; a failed one gives it back.
func TestNameIsClaimed(t *testing.T) {
	f, session := newFake(t)
	n := &notes{known: map[string]Memento{}, complete: true}
	broken := errors.New("broken")
	source := Stream(errReader{broken})
	if _, err := backUp(t, session, source, Options{Memory: n, Origin: "a"}); !errors.Is(err, broken) {
		t.Error(err)
	}
	if n.known["x"].Source != "" {
		t.Errorf("it is still that of %q", n.known["x"].Source)
	}
	if f.begun == 0 {
		t.Error("nothing was begun")
	}
	c, err := claimName(t.Context(), session, "x", Options{Memory: n, Origin: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claimName(t.Context(), session, "x", Options{Memory: n, Origin: "b"}); !errors.Is(err, ErrOtherSource) {
		t.Errorf("both got it: %v", err)
	}
	if err := c.release(); err != nil {
		t.Error(err)
	}
	if _, err := claimName(t.Context(), session, "x", Options{Memory: n, Origin: "b"}); err != nil {
		t.Error(err)
	}
}

// A machine that cannot write down what it saw backs up and restores all the
// same, and says so.
func TestNotRemembered(t *testing.T) {
	_, session := newFake(t)
	id := identity(t)
	full := errors.New("no space left")
	n := &notes{known: map[string]Memento{}, fails: full}
	result, err := backUp(t, session, writeFile(t, content(100)), Options{Identity: id, Memory: n, Origin: "a"})
	if err != nil || !errors.Is(result.Unremembered, full) {
		t.Errorf("%v, %v", result.Unremembered, err)
	}
	path := filepath.Join(t.TempDir(), "back")
	restored, err := Restore(t.Context(), session, "x", 0, RestoreOptions{Identity: id, Path: path, Trust: Trust{Memory: n}})
	if err != nil || !errors.Is(restored.Unremembered, full) || restored.Seen {
		t.Fatalf("%+v, %v", restored, err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content(100)) {
		t.Errorf("it came back as %d bytes, %v", len(got), err)
	}
}

func TestMementoIsBounded(t *testing.T) {
	var m Memento
	for v := range uint32(1000) {
		m.see(v+1, Seen{Size: uint64(v)})
	}
	if len(m.Versions) != mostSeen || m.Newest() != 1000 {
		t.Errorf("%d versions, up to %d", len(m.Versions), m.Newest())
	}
	m.goBack(950)
	if m.Newest() != 950 {
		t.Errorf("the newest is %d", m.Newest())
	}
}
