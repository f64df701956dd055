// Package fair bounds what anybody can ask for, so that nobody takes it all. A
// Queue is for work that is dear: few things are done at a time, those who wait
// take turns by whom they are for, and what would have to wait for too long is
// refused at once. A Gate bounds what is under way.
package fair

import (
	"context"
	"errors"
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
// waits for one turn of each other, however much those ask.
type Queue struct {
	limits Limits

	mu      sync.Mutex
	free    int
	waiting int
	lines   map[string][]*ticket // the oldest first; none is empty
	turns   []string             // the sources that wait, the next one first
}

// A ticket is somebody who waits.
type ticket struct {
	called chan struct{} // closed when it gets a slot, or is refused
	err    error         // set before called is closed
}

// NewQueue makes a queue.
func NewQueue(limits Limits) *Queue {
	return &Queue{limits: limits, free: limits.Slots, lines: make(map[string][]*ticket)}
}

// Acquire waits for a slot, and returns what gives it back, or ErrBusy at once.
// Who waits may be refused later, for a source of which fewer wait.
func (q *Queue) Acquire(ctx context.Context, source string) (release func(), err error) {
	t, err := q.enter(source)
	if err != nil {
		return nil, err
	}
	select {
	case <-t.called:
	case <-ctx.Done():
		if q.leave(source, t) {
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

func (q *Queue) enter(source string) (*ticket, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := &ticket{called: make(chan struct{})}
	if q.free > 0 {
		q.free--
		close(t.called)
		return t, nil
	}
	line := q.lines[source]
	if len(line) >= q.limits.PerSource || q.waiting >= q.limits.Waiting && !q.makeRoomLocked(len(line)+1) {
		return nil, ErrBusy
	}
	if len(line) == 0 {
		q.turns = append(q.turns, source)
	}
	q.lines[source] = append(line, t)
	q.waiting++
	return t, nil
}

// makeRoomLocked refuses the newest of the source of which most wait, if those
// are more than than.
func (q *Queue) makeRoomLocked(than int) bool {
	longest := ""
	for source, line := range q.lines {
		if len(line) > than {
			longest, than = source, len(line)
		}
	}
	line := q.lines[longest]
	if len(line) == 0 {
		return false
	}
	last := line[len(line)-1]
	q.lines[longest] = line[:len(line)-1]
	q.waiting--
	last.err = ErrBusy
	close(last.called)
	return true
}

// leave takes a ticket out that gave up, unless it was called already.
func (q *Queue) leave(source string, t *ticket) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, other := range q.lines[source] {
		if other != t {
			continue
		}
		q.waiting--
		q.lines[source] = append(q.lines[source][:i], q.lines[source][i+1:]...)
		if len(q.lines[source]) == 0 {
			q.forgetLocked(source)
		}
		return true
	}
	return false
}

func (q *Queue) forgetLocked(source string) {
	delete(q.lines, source)
	for i, other := range q.turns {
		if other == source {
			q.turns = append(q.turns[:i], q.turns[i+1:]...)
			return
		}
	}
}

// release gives a slot to the next source whose turn it is.
func (q *Queue) release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.turns) == 0 {
		q.free++
		return
	}
	source := q.turns[0]
	q.turns = q.turns[1:]
	line := q.lines[source]
	q.waiting--
	if len(line) > 1 {
		q.lines[source] = line[1:]
		q.turns = append(q.turns, source)
	} else {
		delete(q.lines, source)
	}
	close(line[0].called)
}

// Waiting is how many wait.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}
