package take

import (
	"os"
	"time"

	"coffer/snapshot/scan"
)

// A File is an open file, for tests that open others.
type File = file

// WithClock has a run take the time from elsewhere.
func (o Options) WithClock(now func() time.Time) Options {
	o.now = now
	return o
}

// WithOpen has a run open files in another way.
func (o Options) WithOpen(open func(*scan.Item) (File, scan.Stat, error)) Options {
	o.open = open
	return o
}

var _ File = (*os.File)(nil)
