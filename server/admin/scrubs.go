package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"coffer/maintain"
	"coffer/server/metrics"
	"coffer/store"
)

// The errors of what runs one at a time.
var (
	// ErrRunning: it is running already.
	ErrRunning = errors.New("it is running already")
	// ErrNotRunning: it is not running.
	ErrNotRunning = errors.New("it is not running")
)

// scrubReportSetting is the key under which the catalog keeps the last report.
const scrubReportSetting = "scrub_report"

const (
	// maxFindings is how many findings a report names.
	maxFindings = 1000
	// notedFindings is how many of them are activities of their own.
	notedFindings = 100
	// scrubGrace is how long after a start the first scrub that is due begins.
	scrubGrace = time.Hour
)

// ScrubState is the state of the scrub.
type ScrubState struct {
	Running   bool
	Scheduled bool      // it began by itself
	Collect   bool      // orphans are removed
	Started   time.Time // zero unless running
	Done      int64     // bytes of blobs read back
	Total     int64
	Versions  int // file versions read back
	Findings  int
	Rate      float64   // bytes per second, recently
	Next      time.Time // when one begins by itself; zero: never
}

// A ScrubReport is what a scrub that ended has found.
type ScrubReport struct {
	Started   time.Time         `json:"started"`
	Ended     time.Time         `json:"ended"`
	Scheduled bool              `json:"scheduled"`
	Collect   bool              `json:"collect"`
	Stopped   bool              `json:"stopped"` // by the operator, before it was through
	Counts    maintain.Scrubbed `json:"counts"`
	Findings  []ScrubbedBlob    `json:"findings"`        // the first 1,000
	Error     string            `json:"error,omitempty"` // why it could not continue
}

// A ScrubbedBlob is a finding as a report keeps it.
type ScrubbedBlob struct {
	Fault       maintain.Fault `json:"fault"`
	Client      string         `json:"client"`      // name; empty if it is not known
	Fingerprint string         `json:"fingerprint"` // of the client's id
	File        string         `json:"file"`
	Version     uint32         `json:"version"` // 0 for an orphan
	Size        int64          `json:"size"`
	Blob        store.BlobRef  `json:"blob"`
	Detail      string         `json:"detail"`
}

// scrubs runs scrubs, one at a time: on a schedule and when asked.
type scrubs struct {
	s     *Service
	limit *maintain.ReadLimit
	wake  chan struct{} // something of the below has changed

	mu     sync.Mutex
	asked  bool // a scrub is to begin
	state  ScrubState
	cancel context.CancelCauseFunc // of the one that runs
	pace   metrics.Pace
	last   *ScrubReport
}

// errStopped is why a scrub ends that the operator stopped.
var errStopped = errors.New("stopped by the operator")

func newScrubs(s *Service) *scrubs {
	return &scrubs{s: s, limit: maintain.NewReadLimit(0), wake: make(chan struct{}, 1)}
}

// load reads the last report.
func (sc *scrubs) load(ctx context.Context) error {
	text, err := sc.s.deps.Catalog.Setting(ctx, scrubReportSetting)
	if err == nil && text != nil {
		err = json.Unmarshal(text, &sc.last)
	}
	if err != nil {
		return fmt.Errorf("reading the last scrub's report: %w", err)
	}
	return nil
}

// follow puts the settings in force.
func (sc *scrubs) follow() {
	sc.limit.Set(sc.s.deps.Settings.Values().ScrubRate)
	sc.reschedule()
}

// reschedule looks again at when the next one is due.
func (sc *scrubs) reschedule() {
	select {
	case sc.wake <- struct{}{}:
	default:
	}
}

// nextLocked is when a scrub begins by itself, the zero time for never.
func (sc *scrubs) nextLocked() time.Time {
	interval := sc.s.deps.Settings.Values().ScrubInterval
	if interval == 0 {
		return time.Time{}
	}
	// After a start there is more important work, and many starts do not make
	// many scrubs.
	next := sc.s.started.Add(min(interval, scrubGrace))
	if sc.last != nil && sc.last.Started.Add(interval).After(next) {
		next = sc.last.Started.Add(interval)
	}
	return next
}

// run begins scrubs when they are due until ctx is done.
func (sc *scrubs) run(ctx context.Context) {
	for {
		sc.mu.Lock()
		next, asked := sc.nextLocked(), sc.asked
		sc.mu.Unlock()
		switch now := time.Now(); {
		case asked || !next.IsZero() && !now.Before(next):
			sc.scrub(ctx)
			if ctx.Err() != nil {
				return
			}
			continue
		}
		wait := time.NewTimer(time.Until(next))
		if next.IsZero() {
			wait.Stop()
		}
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-sc.wake:
		case <-wait.C:
		}
		wait.Stop()
	}
}

// scrub runs one scrub and keeps what it found.
func (sc *scrubs) scrub(ctx context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	sc.mu.Lock()
	if !sc.asked {
		sc.state = ScrubState{Running: true, Scheduled: true, Started: time.Now()}
	}
	sc.asked, sc.cancel, sc.pace = false, cancel, metrics.Pace{}
	began := sc.state
	sc.mu.Unlock()

	s := sc.s
	s.deps.Log.Info("scrub begins", "scheduled", began.Scheduled, "collect", began.Collect)
	report := &ScrubReport{Started: began.Started, Scheduled: began.Scheduled, Collect: began.Collect, Findings: []ScrubbedBlob{}}
	opts := maintain.ScrubOptions{Collect: began.Collect, Progress: sc.progress, Limit: sc.limit,
		Unfinished: max(maintain.UnfinishedBlobs, 2*s.deps.Settings.Values().UploadTTL)} // an upload that may still be confirmed is no orphan
	var err error
	report.Counts, err = maintain.Scrub(ctx, s.deps.Catalog, s.deps.Blobs, opts, func(f maintain.Finding) error {
		sc.found(report, f)
		return nil
	})
	report.Ended = time.Now()
	report.Stopped = errors.Is(context.Cause(ctx), errStopped)
	shutdown := ctx.Err() != nil && !report.Stopped
	if err != nil && !report.Stopped {
		report.Error = err.Error()
	}
	if !shutdown { // one that is cut off says nothing, and begins again
		sc.keep(context.WithoutCancel(ctx), report)
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.state, sc.cancel = ScrubState{}, nil
	if !shutdown {
		sc.last = report
	}
}

// progress notes how far the scrub is.
func (sc *scrubs) progress(done, total int64) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.s.deps.Metrics.Scrubbed.Add(uint64(done - sc.state.Done))
	sc.state.Done, sc.state.Total = done, total
	sc.state.Versions++
}

// found notes what is wrong with a blob.
func (sc *scrubs) found(report *ScrubReport, f maintain.Finding) {
	sc.mu.Lock()
	sc.state.Findings++
	sc.mu.Unlock()
	known := f.Client.ID != (store.ClientID{})
	one := ScrubbedBlob{Fault: f.Fault, Client: f.Client.Name, File: f.Name, Version: f.Number, Size: f.Size, Blob: f.Blob, Detail: f.Detail}
	if known {
		one.Fingerprint = f.Client.ID.Fingerprint()
	}
	if len(report.Findings) < maxFindings {
		report.Findings = append(report.Findings, one)
	}
	if f.Fault == maintain.FaultOrphan {
		return // which harms nobody
	}
	sc.s.deps.Metrics.ScrubFaults.Add(1)
	sc.s.deps.Log.Error("a blob is not what was stored", "fault", f.Fault, "client", f.Client.ID, "blob", f.Blob, "detail", f.Detail)
	if len(report.Findings) <= notedFindings {
		sc.s.deps.Feed.Note(store.Activity{Kind: store.ActivityScrub, Outcome: store.OutcomeFailed, Client: f.Client.ID, Name: f.Client.Name,
			File: f.Name, Version: f.Number, Bytes: f.Size, Detail: string(f.Fault) + ": " + f.Detail})
	}
}

// keep stores the report of a scrub that ended, and announces it.
func (sc *scrubs) keep(ctx context.Context, report *ScrubReport) {
	s := sc.s
	text, err := json.Marshal(report)
	if err == nil {
		err = s.deps.Catalog.SetSetting(ctx, scrubReportSetting, text)
	}
	if err != nil {
		s.deps.Log.Error("cannot keep the scrub's report", "error", err)
	}
	c := report.Counts
	outcome := store.OutcomeOK
	detail := fmt.Sprintf("%s read back: %d damaged, %d missing; %s", plural(c.Versions, "version", "versions"),
		c.Damaged, c.Missing, plural(c.Orphans, "orphan", "orphans"))
	switch {
	case report.Error != "":
		outcome, detail = store.OutcomeFailed, detail+"; it could not go on, and the log says why"
		s.deps.Log.Error("the scrub could not go on", "error", report.Error)
	case !c.Sound():
		outcome = store.OutcomeFailed
	case report.Stopped:
		outcome, detail = store.OutcomeWarning, detail+"; stopped by the operator"
	}
	s.deps.Log.Info("scrub ended", "versions", c.Versions, "damaged", c.Damaged, "missing", c.Missing, "orphans", c.Orphans, "stopped", report.Stopped)
	s.deps.Feed.Note(store.Activity{Kind: store.ActivityScrub, Outcome: outcome, Bytes: c.Bytes, Took: report.Ended.Sub(report.Started), Detail: detail})
}

// StartScrub begins a scrub, or returns ErrRunning.
func (s *Service) StartScrub(collect bool) error {
	sc := s.scrubs
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.state.Running {
		return ErrRunning
	}
	sc.asked = true
	sc.state = ScrubState{Running: true, Collect: collect, Started: time.Now()}
	sc.reschedule()
	return nil
}

// StopScrub stops the scrub that runs, or returns ErrNotRunning.
func (s *Service) StopScrub() error {
	sc := s.scrubs
	sc.mu.Lock()
	defer sc.mu.Unlock()
	switch {
	case !sc.state.Running:
		return ErrNotRunning
	case sc.cancel == nil: // it has not begun
		sc.asked, sc.state = false, ScrubState{}
	default:
		sc.cancel(errStopped)
	}
	return nil
}

// ScrubState returns the state of the scrub.
func (s *Service) ScrubState() ScrubState {
	sc := s.scrubs
	sc.mu.Lock()
	defer sc.mu.Unlock()
	state := sc.state
	state.Next = sc.nextLocked()
	if state.Running {
		state.Rate = sc.pace.Look(time.Now(), state.Done)
	}
	return state
}

// LastScrub is the report of the last scrub that ended, nil if none did.
func (s *Service) LastScrub() *ScrubReport {
	s.scrubs.mu.Lock()
	defer s.scrubs.mu.Unlock()
	return s.scrubs.last
}
