package console

import (
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// The log is a window over the last records, whatever is asked of it.
func TestLogWindow(t *testing.T) {
	var l Log
	if got := l.Before(0, 10, LogFilter{}); len(got) != 0 || l.Last() != 0 {
		t.Errorf("empty: %v", got)
	}
	if found, upTo, missed := l.Since(7, LogFilter{}); len(found) != 0 || upTo != 0 || missed != 0 {
		t.Errorf("empty: %v %d %d", found, upTo, missed)
	}
	const records = 2*keptRecords + 3
	for i := range records {
		l.add(Record{Message: strconv.Itoa(i + 1)})
	}
	for _, test := range []struct{ after, first, missed int64 }{
		{0, records - keptRecords + 1, records - keptRecords},
		{records - keptRecords - 1, records - keptRecords + 1, 1},
		{records - keptRecords, records - keptRecords + 1, 0},
		{records - 1, records, 0},
		{records + 9, records - keptRecords + 1, records - keptRecords}, // of an earlier run
	} {
		found, upTo, missed := l.Since(test.after, LogFilter{})
		if len(found) == 0 || found[0].ID != test.first || missed != test.missed || upTo != records || found[len(found)-1].ID != records {
			t.Errorf("since %d: %d records, up to %d, missed %d", test.after, len(found), upTo, missed)
		}
		for _, r := range found {
			if r.Message != strconv.FormatInt(r.ID, 10) {
				t.Fatalf("record %d says %s", r.ID, r.Message)
			}
		}
	}
	if got := l.Before(records-keptRecords+3, 10, LogFilter{}); len(got) != 2 || got[1].ID != records-keptRecords+1 {
		t.Errorf("the oldest: %v", got)
	}
	if got := l.Before(records+9, 2, LogFilter{}); len(got) != 2 || got[0].ID != records {
		t.Errorf("the newest: %v", got)
	}
}

// Handlers may be used by many at once, and readers beside them.
func TestLogConcurrently(t *testing.T) {
	var l Log
	log := slog.New(l.Handler(slog.NewTextHandler(io.Discard, nil)))
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			mine := log.With("writer", i)
			for range 1000 {
				mine.Info("x", "n", 1)
			}
		})
	}
	seen := 0
	for at := int64(0); seen < 4000; {
		grown := l.Grown()
		found, upTo, missed := l.Since(at, LogFilter{})
		if missed > 0 {
			t.Fatalf("missed %d", missed)
		}
		if seen += len(found); seen == 4000 {
			break
		}
		at = upTo
		<-grown
	}
	writers.Wait()
	for _, r := range l.Before(0, 4000, LogFilter{}) {
		if len(r.Attributes) != 2 || r.Attributes[0].Key != "writer" || r.Attributes[1].Key != "n" {
			t.Fatalf("%+v", r)
		}
	}
}

// One record takes bounded memory, and says nothing that its attributes do not
// say of themselves.
func TestLogBounds(t *testing.T) {
	var l Log
	log := slog.New(l.Handler(slog.NewTextHandler(io.Discard, nil)))
	var many []any
	for i := range 1000 {
		many = append(many, slog.Int(strconv.Itoa(i), i))
	}
	log.Info(strings.Repeat("x", 1<<20)+"\xff", many...)
	log.Info("\xff", "secret", secret("hunter2"), slog.Attr{}, slog.Group("", "in", "line"))
	got := l.Before(0, 2, LogFilter{})
	if len(got[1].Message) > maxText+len("…") || len(got[1].Attributes) != maxAttributes {
		t.Errorf("%d bytes, %d attributes", len(got[1].Message), len(got[1].Attributes))
	}
	if r := got[0]; r.Message != "\uFFFD" || len(r.Attributes) != 2 || r.Attributes[0].Value != "masked" || r.Attributes[1] != (Attribute{"in", "line"}) {
		t.Errorf("%+v", r)
	}
}

type secret string

func (secret) LogValue() slog.Value { return slog.StringValue("masked") }

func BenchmarkLog(b *testing.B) {
	var l Log
	log := slog.New(l.Handler(slog.DiscardHandler))
	kept := slog.New(l.Handler(slog.NewTextHandler(io.Discard, nil)))
	b.Run("off", func(b *testing.B) {
		for b.Loop() {
			log.Info("request", "code", 1028, "took", 3)
		}
	})
	b.Run("kept", func(b *testing.B) {
		for b.Loop() {
			kept.Info("request", "code", 1028, "took", 3)
		}
	})
}
