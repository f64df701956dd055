package console

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	keptRecords = 10_000
	// What one record may take in memory is bounded: a stack is cut.
	maxText       = 4 << 10 // bytes of a message or a value
	maxAttributes = 64
)

// A Record is something that was logged.
type Record struct {
	ID         int64 // ascending, from 1
	At         time.Time
	Level      slog.Level
	Message    string
	Attributes []Attribute // in the order in which they were logged
}

// An Attribute is a key and a value that a record bears. What stood in a group
// has its key behind the group's and a dot.
type Attribute struct{ Key, Value string }

// A Log keeps the last records that were logged. Its zero value is empty and
// ready.
type Log struct {
	mu    sync.Mutex
	ring  []Record // the record with an id stands at its remainder
	last  int64    // id of the newest record, 0 if there is none
	grown chan struct{}
}

// Handler returns a handler that keeps what it hands on. What next is not
// enabled for is not kept either.
func (l *Log) Handler(next slog.Handler) slog.Handler { return &handler{log: l, next: next} }

func (l *Log) add(r Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	r.ID = l.last
	if len(l.ring) < keptRecords {
		l.ring = append(l.ring, r)
	} else {
		l.ring[(r.ID-1)%keptRecords] = r
	}
	if l.grown != nil {
		close(l.grown)
		l.grown = nil
	}
}

// Last is the id of the newest record, 0 if there is none.
func (l *Log) Last() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Grown returns a channel that is closed at the next record.
func (l *Log) Grown() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.grown == nil {
		l.grown = make(chan struct{})
	}
	return l.grown
}

// oldestLocked is the id of the oldest record that is kept, last+1 if none is.
func (l *Log) oldestLocked() int64 { return l.last - int64(len(l.ring)) + 1 }

// Before returns up to limit records that a filter lets pass and whose ids are
// lower than before, the newest first; with 0, from the newest on.
func (l *Log) Before(before int64, limit int, f LogFilter) []Record {
	f = f.prepared()
	l.mu.Lock()
	defer l.mu.Unlock()
	if before <= 0 || before > l.last {
		before = l.last + 1
	}
	var found []Record
	for id := before - 1; id >= l.oldestLocked() && len(found) < limit; id-- {
		if r := l.ring[(id-1)%keptRecords]; f.passes(r) {
			found = append(found, r)
		}
	}
	return found
}

// Since returns the records that a filter lets pass and whose ids are higher
// than after, the oldest first; up to where it looked; and how many after it
// are not kept any more.
func (l *Log) Since(after int64, f LogFilter) (found []Record, upTo, missed int64) {
	f = f.prepared()
	l.mu.Lock()
	defer l.mu.Unlock()
	if after < 0 || after > l.last {
		after = 0 // of an earlier run
	}
	if first := l.oldestLocked(); after+1 < first {
		missed, after = first-after-1, first-1
	}
	for id := after + 1; id <= l.last; id++ {
		if r := l.ring[(id-1)%keptRecords]; f.passes(r) {
			found = append(found, r)
		}
	}
	return found, l.last, missed
}

// A LogFilter says which records are asked for. The zero filter asks for those
// from info on.
type LogFilter struct {
	Level  slog.Level // the least severe
	Client []string   // values of which an attribute must be one; empty: any
	Text   string     // in the message or an attribute, in any case
}

// prepared is the filter with what is looked for as passes wants it.
func (f LogFilter) prepared() LogFilter {
	f.Text = strings.ToLower(f.Text)
	return f
}

func (f LogFilter) passes(r Record) bool {
	if r.Level < f.Level {
		return false
	}
	if len(f.Client) > 0 && !slices.ContainsFunc(r.Attributes, func(a Attribute) bool { return slices.Contains(f.Client, a.Value) }) {
		return false
	}
	if f.Text == "" || contains(r.Message, f.Text) {
		return true
	}
	return slices.ContainsFunc(r.Attributes, func(a Attribute) bool { return contains(a.Key, f.Text) || contains(a.Value, f.Text) })
}

// contains reports whether text has lower in it, in any case.
func contains(text, lower string) bool { return strings.Contains(strings.ToLower(text), lower) }

// handler keeps records and hands them on.
type handler struct {
	log    *Log
	next   slog.Handler
	prefix string // of keys: the open groups
	attrs  []Attribute
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	kept := Record{At: r.Time, Level: r.Level, Message: cut(r.Message), Attributes: slices.Clip(h.attrs)}
	r.Attrs(func(a slog.Attr) bool {
		kept.Attributes = appendAttr(kept.Attributes, h.prefix, a)
		return true
	})
	h.log.add(kept)
	return h.next.Handle(ctx, r)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.next = h.next.WithAttrs(attrs)
	with.attrs = slices.Clip(h.attrs)
	for _, a := range attrs {
		with.attrs = appendAttr(with.attrs, h.prefix, a)
	}
	return &with
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	with := *h
	with.next, with.prefix = h.next.WithGroup(name), h.prefix+name+"."
	return &with
}

// appendAttr resolves an attribute, so that what is kept is what its value says
// of itself and no more: a secret prints as a fingerprint.
func appendAttr(list []Attribute, prefix string, a slog.Attr) []Attribute {
	value := a.Value.Resolve()
	switch {
	case a.Equal(slog.Attr{}) || len(list) >= maxAttributes:
		return list
	case value.Kind() == slog.KindGroup:
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, one := range value.Group() {
			list = appendAttr(list, prefix, one)
		}
		return list
	}
	return append(list, Attribute{cut(prefix + a.Key), cut(value.String())})
}

// cut bounds a text, and makes it valid UTF-8.
func cut(text string) string {
	if len(text) > maxText {
		text = text[:maxText] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
