// Package fair limits what each caller can use, so that nobody uses everything.
// A Queue is for expensive work: few things are done at a time, waiting callers
// take turns by key, and work that would wait for too long is refused at once.
// A Gate limits concurrent work.
package fair

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrBusy: too many wait already, in all or of the same source.
var ErrBusy = errors.New("too many are waiting")

// Limits bound a queue.
type Limits struct {
	Slots     int // how many work at a time
	Waiting   int // how many wait in all
	PerSource int // how many of one source wait
}

// A Queue hands out slots. Its sources take turns, so that one that asks once
// waits for one turn of each other, however much those ask. Who is known has a
// lane apart, which every other slot goes to while anybody waits there.
type Queue struct {
	limits Limits

	mu      sync.Mutex
	free    int
	waiting int
	others  lane
	known   lane
	turn    bool // the next slot is for the others, if any wait
}

// A lane is where sources wait for their turns.
type lane struct {
	lines map[string][]*ticket // the oldest first; none is empty
	turns []string             // the sources that wait, the next one first
}

// A ticket is a waiting caller.
type ticket struct {
	called chan struct{} // closed when it gets a slot, or is refused
	err    error         // set before called is closed
}

// NewQueue makes a queue.
func NewQueue(limits Limits) *Queue {
	return &Queue{limits: limits, free: limits.Slots, others: newLane(), known: newLane()}
}

func newLane() lane { return lane{lines: make(map[string][]*ticket)} }

// Acquire waits for a slot, and returns what gives it back, or ErrBusy at once.
// Who waits may be refused later, for a source of which fewer wait.
func (q *Queue) Acquire(ctx context.Context, source string) (release func(), err error) {
	return q.acquire(ctx, &q.others, source)
}

// AcquireKnown is Acquire for a source that is known to mean well: it waits for
// few others, and is not refused for them.
func (q *Queue) AcquireKnown(ctx context.Context, source string) (release func(), err error) {
	return q.acquire(ctx, &q.known, source)
}

func (q *Queue) acquire(ctx context.Context, l *lane, source string) (release func(), err error) {
	t, err := q.enter(l, source)
	if err != nil {
		return nil, err
	}
	select {
	case <-t.called:
	case <-ctx.Done():
		if q.leave(l, source, t) {
			return nil, ctx.Err()
		}
		<-t.called // it was called in the meantime
		if t.err == nil {
			q.release()
		}
		return nil, ctx.Err()
	}
	if t.err != nil {
		return nil, t.err
	}
	return sync.OnceFunc(q.release), nil
}

func (q *Queue) enter(l *lane, source string) (*ticket, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := &ticket{called: make(chan struct{})}
	if q.free > 0 {
		q.free--
		close(t.called)
		return t, nil
	}
	waiting := len(l.lines[source])
	if waiting >= q.limits.PerSource || q.waiting >= q.limits.Waiting && !q.makeRoomLocked(l, waiting+1) {
		return nil, ErrBusy
	}
	l.add(source, t)
	q.waiting++
	return t, nil
}

// makeRoomLocked refuses one who waits, for one who comes to a lane: the newest
// of the source of which most wait, if those are more than than. For the known
// any of the others gives way.
func (q *Queue) makeRoomLocked(l *lane, than int) bool {
	var last *ticket
	if l == &q.known {
		last = q.others.dropLast(0)
	}
	if last == nil {
		last = l.dropLast(than)
	}
	if last == nil {
		return false
	}
	q.waiting--
	last.err = ErrBusy
	close(last.called)
	return true
}

// leave takes a ticket out that gave up, unless it was called already.
func (q *Queue) leave(l *lane, source string, t *ticket) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !l.remove(source, t) {
		return false
	}
	q.waiting--
	return true
}

// release gives a slot to the next source whose turn it is.
func (q *Queue) release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := &q.known
	if len(l.turns) == 0 || q.turn && len(q.others.turns) > 0 {
		l = &q.others
	}
	if len(l.turns) == 0 {
		q.free++
		return
	}
	q.turn = l == &q.known
	q.waiting--
	close(l.next().called)
}

// add puts a ticket at the end of its source's line.
func (l *lane) add(source string, t *ticket) {
	line := l.lines[source]
	if len(line) == 0 {
		l.turns = append(l.turns, source)
	}
	l.lines[source] = append(line, t)
}

// next takes the ticket out whose turn it is.
func (l *lane) next() *ticket {
	source := l.turns[0]
	l.turns = l.turns[1:]
	line := l.lines[source]
	if len(line) > 1 {
		l.lines[source] = line[1:]
		l.turns = append(l.turns, source)
	} else {
		delete(l.lines, source)
	}
	return line[0]
}

// dropLast takes the newest ticket out of the longest line, nil if none is
// longer than than.
func (l *lane) dropLast(than int) *ticket {
	longest := ""
	for source, line := range l.lines {
		if len(line) > than {
			longest, than = source, len(line)
		}
	}
	line := l.lines[longest]
	if len(line) == 0 {
		return nil
	}
	last := line[len(line)-1]
	l.remove(longest, last)
	return last
}

// remove takes a ticket out, and reports whether it was there.
func (l *lane) remove(source string, t *ticket) bool {
	line := l.lines[source]
	i := slices.Index(line, t)
	if i < 0 {
		return false
	}
	line = slices.Delete(line, i, i+1)
	l.lines[source] = line
	if len(line) == 0 {
		delete(l.lines, source)
		l.turns = slices.DeleteFunc(l.turns, func(other string) bool { return other == source })
	}
	return true
}

// Waiting is how many wait.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}
