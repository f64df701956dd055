package sqlite

import (
	"slices"
	"sync"
	"time"

	"coffer/store"
)

var _ store.GroupCommitter = (*Catalog)(nil)

// measures are the writer's figures on its transactions.
type measures struct {
	mu            sync.Mutex
	changes, sync store.Histogram
}

func newMeasures() *measures {
	return &measures{
		changes: newHistogram(1, 2, 4, 8, 16, 32, 64, 128, 256, maxBatch),
		sync:    newHistogram(.0001, .0003, .001, .003, .01, .03, .1, .3, 1, 3, 10),
	}
}

func newHistogram(bounds ...float64) store.Histogram {
	return store.Histogram{Bounds: bounds, Counts: make([]uint64, len(bounds)+1)}
}

// add notes a transaction of so many changes.
func (m *measures) add(changes int, commit time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	observe(&m.changes, float64(changes))
	observe(&m.sync, commit.Seconds())
}

func observe(h *store.Histogram, value float64) {
	i, _ := slices.BinarySearch(h.Bounds, value)
	h.Counts[i]++
	h.Sum += value
}

// GroupCommits returns figures on changes that shared transactions.
func (c *Catalog) GroupCommits() store.GroupCommits {
	m := c.writer.took
	m.mu.Lock()
	defer m.mu.Unlock()
	g := store.GroupCommits{Queued: len(c.writer.queue), Changes: m.changes, Sync: m.sync}
	g.Changes.Counts, g.Sync.Counts = slices.Clone(g.Changes.Counts), slices.Clone(g.Sync.Counts)
	return g
}
