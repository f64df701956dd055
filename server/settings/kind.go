package settings

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"coffer/internal/quantity"
)

// A Kind is a sort of value. All values of a kind are written, read and shown
// alike, on the command line and in the console.
type Kind string

// The kinds.
const (
	Duration Kind = "duration"
	Bytes    Kind = "bytes"
	Count    Kind = "count"
	Switch   Kind = "switch" // open or closed
	Level    Kind = "level"  // of logging
)

// A form is how values of one kind are read and shown.
type form[T any] struct {
	kind   Kind
	parse  func(text string) (T, error)
	format func(T) string
}

func durations() form[time.Duration] {
	return form[time.Duration]{Duration, time.ParseDuration, quantity.FormatDuration}
}

func sizes() form[int] {
	return form[int]{Bytes, func(text string) (int, error) {
		n, err := quantity.ParseBytes(text)
		return int(min(n, 1<<62)), err
	}, func(n int) string { return quantity.Bytes(n).String() }}
}

func counts() form[int] { return form[int]{Count, strconv.Atoi, strconv.Itoa} }

func switches() form[bool] {
	return form[bool]{Switch, func(text string) (bool, error) {
		if text != "open" && text != "closed" {
			return false, fmt.Errorf("%q is neither open nor closed", text)
		}
		return text == "open", nil
	}, func(open bool) string {
		if open {
			return "open"
		}
		return "closed"
	}}
}

func levels() form[slog.Level] {
	return form[slog.Level]{Level, func(text string) (l slog.Level, err error) {
		return l, l.UnmarshalText([]byte(text))
	}, func(l slog.Level) string { return strings.ToLower(l.String()) }}
}

// A bound returns why a value cannot be, "" if it can.
type bound[T any] func(T) string

func free[T any](T) string { return "" }

func atLeast(n int) bound[int] {
	return func(v int) string {
		switch {
		case v >= n:
			return ""
		case n == 0:
			return "not negative"
		}
		return fmt.Sprintf("at least %d", n)
	}
}

func notNegative(d time.Duration) string {
	if d < 0 {
		return "not negative"
	}
	return ""
}

func aSecond(d time.Duration) string {
	if d < time.Second {
		return "at least a second"
	}
	return ""
}

func aMinuteOrNever(d time.Duration) string {
	if d != 0 && d < time.Minute {
		return "at least a minute, or 0 for never"
	}
	return ""
}

// between bounds a size that may be 0, which is no limit.
func between(least, most int) bound[int] {
	return func(n int) string {
		if n != 0 && (n < least || n > most) {
			return fmt.Sprintf("from %v to %v, or 0 for no limit", quantity.Bytes(least), quantity.Bytes(most))
		}
		return ""
	}
}

func named(l slog.Level) string {
	if !slices.Contains([]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}, l) {
		return "one of debug, info, warn, error"
	}
	return ""
}
