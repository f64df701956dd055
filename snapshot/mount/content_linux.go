//go:build !386 && !arm && !mips && !mipsle

package mount

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"coffer/snapshot"
)

// A content is an open file.
type content struct {
	n       *node
	from    Chunks
	size    uint64
	entry   *snapshot.Entry
	extents []extent

	mu     sync.Mutex
	window []located // places that were found last
	next   uint64    // where reading went on, if it does so in order
}

var _ fs.FileReader = (*content)(nil)

// An extent is what lies between two holes.
type extent struct{ from, at, length uint64 } // in the content, in the file

// A located place begins at a byte of the content.
type located struct {
	snapshot.Place
	begin uint64
}

// windowSize is how many places an open file remembers.
const windowSize = 64

func newContent(n *node, from Chunks, e *snapshot.Entry) *content {
	c := &content{n: n, from: from, size: e.Size, entry: e}
	var begin, at uint64
	for i := 0; i <= len(e.Holes); i++ {
		hole := snapshot.Extent{Offset: e.Size}
		if i < len(e.Holes) {
			hole = e.Holes[i]
		}
		if hole.Offset > at {
			c.extents = append(c.extents, extent{begin, at, hole.Offset - at})
			begin += hole.Offset - at
		}
		at = hole.Offset + hole.Length
	}
	return c
}

// Read reads a range of the file.
func (c *content) Read(_ context.Context, p []byte, offset int64) (fuse.ReadResult, syscall.Errno) {
	at := uint64(offset)
	if offset < 0 || at >= c.size {
		return fuse.ReadResultData(nil), 0
	}
	p = p[:min(uint64(len(p)), c.size-at)]
	clear(p)
	ordered := c.inOrder(at, uint64(len(p)))
	i := sort.Search(len(c.extents), func(i int) bool { return c.extents[i].at+c.extents[i].length > at })
	for ; i < len(c.extents) && c.extents[i].at < at+uint64(len(p)); i++ {
		x := c.extents[i]
		begin, end := max(x.at, at), min(x.at+x.length, at+uint64(len(p)))
		if err := c.fill(p[begin-at:end-at], x.from+begin-x.at, ordered); err != nil {
			return nil, c.n.fail(err)
		}
	}
	return fuse.ReadResultData(p), 0
}

// slack is how far from each other reads are that the kernel makes at once, of a
// program that reads in order.
const slack = 1 << 20

// inOrder reports whether a read goes on where others ended.
func (c *content) inOrder(at, length uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ordered := at > 0 && at+slack >= c.next && at <= c.next+slack
	c.next = at + length
	return ordered
}

// fill reads content without its holes.
func (c *content) fill(p []byte, from uint64, ordered bool) error {
	for len(p) > 0 {
		place, next, err := c.find(from)
		if err != nil {
			return err
		}
		if ordered && next != nil {
			c.n.t.data.prefetch(c.from, snapshot.Data, next.Place)
		}
		got, err := c.n.t.data.get(c.from, snapshot.Data, place.Place)
		if err != nil {
			return err
		}
		n := copy(p, got.raw[from-place.begin:])
		p, from = p[n:], from+uint64(n)
	}
	return nil
}

// errEnough ends a walk.
var errEnough = errors.New("enough")

// find is the place that holds a byte of the content, and the one after it if
// that is known.
func (c *content) find(from uint64) (found, next *located, err error) {
	c.mu.Lock()
	window := c.window
	c.mu.Unlock()
	if found, next = search(window, from); found != nil {
		return found, next, nil
	}
	window = make([]located, 0, min(windowSize, max(1, len(c.entry.Content))))
	err = snapshot.WalkContent(c.entry, from, func(p snapshot.Place) ([]byte, snapshot.PackID, error) {
		piece, err := c.n.t.data.get(c.from, snapshot.List, p)
		if err != nil {
			return nil, p.Pack, err
		}
		return piece.raw, piece.pack, nil
	}, func(p snapshot.Place, begin uint64) error {
		window = append(window, located{p, begin})
		if len(window) == windowSize {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, nil, err
	}
	if found, next = search(window, from); found == nil {
		return nil, nil, fmt.Errorf("%w: there is less content than the size says", snapshot.ErrMalformed)
	}
	c.mu.Lock()
	c.window = window
	c.mu.Unlock()
	return found, next, nil
}

func search(window []located, from uint64) (found, next *located) {
	i := sort.Search(len(window), func(i int) bool { return window[i].begin+uint64(window[i].Size) > from })
	if i == len(window) || window[i].begin > from {
		return nil, nil
	}
	if i+1 < len(window) {
		next = &window[i+1]
	}
	return &window[i], next
}
