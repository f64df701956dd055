package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// reserveSize is the size of the reserve file in bytes: enough for what removing
// may write beside what the catalog has allocated.
const reserveSize = 8 << 20

// Space watches the free space for data. Below a minimum, new content is
// refused. A reserve file is released when the disk is nearly full, so that
// restoring, removing and the catalog keep working, and is made again when
// there is space.
type Space struct {
	min     uint64
	free    func() (free, total uint64, err error)
	reserve string
	log     *slog.Logger
	low     atomic.Bool
	onLow   atomic.Pointer[func()]

	mu      sync.Mutex // guards what follows
	room    int64      // above the minimum, when it was looked at last, less what was reserved since
	pending int64      // reserved, and perhaps not written yet
}

// NewSpace returns a Space that refuses content while free returns less than
// min bytes, and keeps its reserve in the file reserve.
func NewSpace(min uint64, free func() (free, total uint64, err error), reserve string, log *slog.Logger) *Space {
	s := &Space{min: min, free: free, reserve: reserve, log: log}
	s.check()
	return s
}

// Low reports whether new content is refused.
func (s *Space) Low() bool { return s != nil && s.low.Load() }

// accountSize is what a registration, a key or a password may take in catalog
// and account records, in bytes.
const accountSize = 16 << 10

// Reserve reserves space for so many bytes before they are written, and reports
// whether there was as much above the minimum. written releases what the free
// space already reflects.
func (s *Space) Reserve(bytes uint64) (written func(), ok bool) {
	if s == nil {
		return func() {}, true
	}
	n := int64(bytes)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.low.Load() {
		return nil, false
	}
	if s.room < n {
		free, _, err := s.free()
		if err != nil {
			s.log.Error("cannot read the free space", "error", err)
			return nil, false
		}
		s.room = int64(min(free, math.MaxInt64)) - int64(min(s.min, math.MaxInt64)) - s.pending
	}
	if s.room < n {
		return nil, false
	}
	s.room -= n
	s.pending += n
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pending -= n
	}, true
}

// OnLow has f called each time space gets low, and now if it is: what will be
// needed on a full disk can be allocated while there is still some. f must not
// block.
func (s *Space) OnLow(f func()) {
	s.onLow.Store(&f)
	if s.low.Load() {
		f()
	}
}

// Full says that a write found no room: the reserve goes at once.
func (s *Space) Full() {
	if s == nil {
		return
	}
	s.setLow(true, 0)
	s.release()
}

// Watch looks at the free space each interval until ctx is done.
func (s *Space) Watch(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.check()
		}
	}
}

func (s *Space) check() {
	free, _, err := s.free()
	if err != nil {
		s.log.Error("cannot read the free space", "error", err)
		return
	}
	s.mu.Lock()
	s.room = int64(min(free, math.MaxInt64)) - int64(min(s.min, math.MaxInt64)) - s.pending
	s.mu.Unlock()
	switch {
	case free < min(s.min, reserveSize):
		s.setLow(true, free)
		s.release()
	case free < s.min:
		s.setLow(true, free)
	default:
		// Without its reserve there is no space again: what the reserve gave
		// up is not for new content.
		there, err := s.restore(free)
		if err != nil {
			s.log.Warn("cannot make the reserve file", "error", err)
		}
		s.setLow(!there, free)
	}
}

func (s *Space) setLow(low bool, free uint64) {
	if s.low.Swap(low) == low {
		return
	}
	if low {
		if f := s.onLow.Load(); f != nil {
			(*f)()
		}
		s.log.Warn("little space is left: new uploads are refused", "free", free, "min_free", s.min)
	} else {
		s.log.Info("there is space again: uploads are served", "free", free)
	}
}

func (s *Space) release() {
	err := os.Remove(s.reserve)
	if err == nil {
		s.log.Warn("released the reserve file for the catalog")
	} else if !errors.Is(err, fs.ErrNotExist) {
		s.log.Error("failed to release the reserve file", "error", err)
	}
}

// restore makes the reserve file where there is none and room for it, and
// reports whether it is there.
func (s *Space) restore(free uint64) (there bool, err error) {
	if _, err := os.Stat(s.reserve); err == nil {
		return true, nil
	}
	if free < s.min+reserveSize {
		return false, nil
	}
	f, err := os.OpenFile(s.reserve, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return false, err
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for n := 0; n < reserveSize; n += len(block) {
		if _, err := f.Write(block); err != nil {
			return false, errors.Join(fmt.Errorf("filling the reserve file: %w", err), os.Remove(s.reserve))
		}
	}
	return true, f.Sync()
}
