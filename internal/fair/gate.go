package fair

import (
	"sync"
)

// A Gate bounds how much is under way at once: for each key, and for all. What
// it counts, its user says.
type Gate struct {
	each, all int64

	mu   sync.Mutex
	used int64            // guarded by mu, as what follows
	by   map[string]int64 // without keys that use nothing
}

// NewGate makes a gate.
func NewGate(each, all int64) *Gate { return &Gate{each: each, all: all, by: map[string]int64{}} }

// Full says why a gate lets nothing more in.
type Full int

// A gate has room, none for a key, or none at all.
const (
	NotFull Full = iota
	KeyFull
	AllFull
)

// Enter lets n in for a key, or nothing.
func (g *Gate) Enter(key string, n int64) Full {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.by[key]+n > g.each:
		return KeyFull
	case g.used+n > g.all:
		return AllFull
	}
	g.by[key] += n
	g.used += n
	return NotFull
}

// Leave returns n that Enter let in for a key.
func (g *Gate) Leave(key string, n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.used -= n
	if g.by[key] -= n; g.by[key] == 0 {
		delete(g.by, key)
	}
}

// Used is how much is in.
func (g *Gate) Used() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.used
}
