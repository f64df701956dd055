package files

import (
	"sync"
	"sync/atomic"
)

// maxHandles is the maximum number of open files of unfinished uploads: the
// least recently used one is closed for the next, and opened again when it is
// used. Files in use are left alone, so there may be a few more.
const maxHandles = 1024

// A handle is an open file that can be closed at any time it is not in use.
type handle interface {
	lastUsed() int64
	tryClose() bool // false if it is in use
}

// handles are the open files.
type handles struct {
	clock atomic.Int64 // counts uses

	mu   sync.Mutex // taken last; a file's own lock is only tried under it
	open map[handle]struct{}
}

func newHandles() *handles { return &handles{open: make(map[handle]struct{})} }

func (h *handles) use(at *atomic.Int64) { at.Store(h.clock.Add(1)) }

// opened counts a file, and closes others if there are too many.
func (h *handles) opened(f handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open[f] = struct{}{}
	for range 2 { // the one that was not used for longest may be in use again
		if len(h.open) <= maxHandles {
			return
		}
		var oldest handle
		for one := range h.open {
			if one != f && (oldest == nil || one.lastUsed() < oldest.lastUsed()) {
				oldest = one
			}
		}
		if oldest != nil && oldest.tryClose() {
			delete(h.open, oldest)
		}
	}
}

func (h *handles) closed(f handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, f)
}
