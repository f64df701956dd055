package take

import (
	"sync"
	"sync/atomic"
	"time"

	"coffer/snapshot"
	"coffer/snapshot/scan"
)

// counts are what a run has done so far.
type counts struct {
	new, modified, unchanged atomic.Uint64
	files, dirs, bytes       atomic.Uint64
	readBytes, added, stored atomic.Uint64
	sent                     atomic.Uint64 // packs
	unreadableCount          atomic.Uint64
	unsettled                atomic.Uint64

	mu         sync.Mutex
	unreadable []snapshot.Unreadable // guarded by mu
}

// leaveOut counts what could not be read.
func (c *counts) leaveOut(path, reason string) {
	c.unreadableCount.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unreadable) < snapshot.MaxUnreadable {
		c.unreadable = append(c.unreadable, snapshot.Unreadable{Path: path, Reason: reason})
	}
}

// progress reports how far a run is, a few times a second.
type progress struct {
	report func(Progress)
	counts *counts
	now    func() time.Time

	mu   sync.Mutex
	p    Progress  // guarded by mu
	next time.Time // guarded by mu
}

const progressEvery = 100 * time.Millisecond

func (p *progress) before(files, bytes uint64) { p.p.FilesBefore, p.p.BytesBefore = files, bytes }

// at says what is being read.
func (p *progress) at(path string) {
	if p.report == nil {
		return
	}
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if path != "" {
		p.p.Path = path
	}
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(progressEvery)
	p.say()
}

func (p *progress) last() {
	if p.report == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.say()
}

func (p *progress) say() {
	p.p.Files, p.p.Bytes = p.counts.files.Load(), p.counts.bytes.Load()
	p.p.Read, p.p.Sent = p.counts.readBytes.Load(), p.counts.stored.Load()
	p.report(p.p)
}

// leaveOutJob takes a file out of the counts that could not be read after all.
func (r *run) leaveOutJob(j *job) {
	r.files.Add(^uint64(0))
	r.bytes.Add(-j.counted)
	switch j.how {
	case New:
		r.new.Add(^uint64(0))
	case Modified:
		r.modified.Add(^uint64(0))
	case Unchanged:
		r.unchanged.Add(^uint64(0))
	}
	r.leaveOutEntry(j.path, j.failed)
}

// leaveOutEntry reports what is left out.
func (r *run) leaveOutEntry(path string, err error) {
	reason := scan.Reason(err)
	r.leaveOut(path, reason)
	if r.opts.Scan.Skipped != nil {
		r.opts.Scan.Skipped(path, reason)
	}
}

// tellChanged reports a file that changed while it was read.
func (r *run) tellChanged(path string) {
	r.unsettled.Add(1)
	if r.opts.Changed != nil {
		r.opts.Changed(path)
	}
}
