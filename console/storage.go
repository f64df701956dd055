package console

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"time"

	"coffer/console/contract"
	"coffer/internal/httpkit"
	"coffer/internal/openapi"
	"coffer/internal/problem"
	"coffer/server/admin"
	"coffer/store"
)

// GetStorage returns disk space, and what uses it: GET /api/storage.
func (c *Console) GetStorage(w http.ResponseWriter, r *http.Request) {
	largest, _, err := c.core.Clients(r.Context(), store.ClientQuery{Sort: store.SortByBytes, Descending: true, Limit: 10})
	if err != nil {
		c.answers.Fail(w, r, err)
		return
	}
	dropped, err := c.core.Activities(r.Context(), store.ActivityFilter{Kinds: []store.ActivityKind{store.ActivityUploadDropped}, Limit: 20})
	if err != nil {
		c.answers.Fail(w, r, err)
		return
	}
	m := c.core.Stats(r.Context())
	s := contract.Storage{State: contract.State(m.Storage), DiskTotal: int64(m.DiskTotal), DiskFree: int64(m.Free), MinFree: c.cfg.MinFree,
		Files: m.Files, Versions: m.Versions, Verified: m.Verified, Unverified: m.Versions - m.Verified, Bytes: m.Bytes,
		Dropped: c.activities(r.Context(), dropped), Largest: clients(largest), Scrub: scrubState(m.Scrub, c.core.Settings().ScrubRate),
		Report: scrubReport(c.core.LastScrub())}
	for _, one := range c.core.Transfers() {
		s.Unfinished++
		s.UnfinishedBytes += one.Bytes
	}
	c.answers.Reply(w, r, http.StatusOK, s, nil)
}

// GetScrub returns the state of integrity checks: GET /api/scrub.
func (c *Console) GetScrub(w http.ResponseWriter, r *http.Request) {
	c.answers.Reply(w, r, http.StatusOK, contract.Scrub{State: c.scrubState(), Report: scrubReport(c.core.LastScrub())}, nil)
}

// StartScrub starts an integrity check: POST /api/scrub.
func (c *Console) StartScrub(w http.ResponseWriter, r *http.Request) {
	body, err := openapi.Decode[contract.ScrubRequest](r)
	if err != nil {
		c.answers.Fail(w, r, err)
		return
	}
	err = c.core.StartScrub(value(body.Collect, false))
	if errors.Is(err, admin.ErrRunning) {
		err = problem.New(problem.Conflict, "an integrity check is running already")
	}
	c.answers.Reply(w, r, http.StatusAccepted, c.scrubState(), err)
}

// StopScrub stops the integrity check that runs: DELETE /api/scrub.
func (c *Console) StopScrub(w http.ResponseWriter, r *http.Request, _ contract.StopScrubParams) {
	err := c.core.StopScrub()
	if errors.Is(err, admin.ErrNotRunning) {
		err = nil // which is what was asked for
	}
	c.answers.Reply(w, r, http.StatusNoContent, nil, err)
}

func (c *Console) scrubState() contract.ScrubState {
	return scrubState(c.core.ScrubState(), c.core.Settings().ScrubRate)
}

func scrubState(m admin.ScrubState, rateLimit int) contract.ScrubState {
	answer := contract.ScrubState{Running: m.Running, Scheduled: m.Scheduled, Collect: m.Collect, Started: when(m.Started), DoneBytes: m.Done,
		TotalBytes: m.Total, Versions: int64(m.Versions), Rate: float64(m.Rate), RateLimit: int64(rateLimit), Findings: m.Findings, Next: when(m.Next)}
	if m.Running && m.Rate > 0 && m.Total > 0 {
		left := float64(float64(m.Total-m.Done) / m.Rate)
		answer.SecondsLeft = &left
	}
	return answer
}

func scrubReport(m *admin.ScrubReport) *contract.ScrubReport {
	if m == nil {
		return nil
	}
	answer := &contract.ScrubReport{Started: m.Started.UTC(), Ended: m.Ended.UTC(), Complete: !m.Stopped && m.Error == "", Stopped: m.Stopped,
		Scheduled: m.Scheduled, Collect: m.Collect, Error: nonZero(m.Error), Versions: int64(m.Counts.Versions), Bytes: m.Counts.Bytes,
		Missing: int64(m.Counts.Missing), Damaged: int64(m.Counts.Damaged), Orphans: int64(m.Counts.Orphans), Freed: m.Counts.Freed,
		Findings: make([]contract.Finding, 0, len(m.Findings))}
	for _, f := range m.Findings {
		one := contract.Finding{Fault: contract.FindingFault(f.Fault), File: f.File, Version: nonZero(int64(f.Version)), Bytes: f.Size, Blob: string(f.Blob), Detail: f.Detail}
		if f.Fingerprint != "" {
			one.Client = &contract.ClientRef{Name: f.Client, Fingerprint: f.Fingerprint}
		}
		answer.Findings = append(answer.Findings, one)
	}
	return answer
}

// ListBackups lists copies of the catalog: GET /api/backups.
func (c *Console) ListBackups(w http.ResponseWriter, r *http.Request) {
	list, err := c.core.Backups()
	answer := contract.BackupList{Backups: make([]contract.Backup, 0, len(list))}
	for _, b := range list {
		answer.Backups = append(answer.Backups, backup(b))
	}
	c.answers.Reply(w, r, http.StatusOK, answer, err)
}

func backup(b admin.BackupInfo) contract.Backup {
	return contract.Backup{Name: b.Name, Created: b.Created.UTC(), Bytes: b.Size}
}

// CreateBackup copies the catalog: POST /api/backups. That may take longer than
// other calls.
func (c *Console) CreateBackup(w http.ResponseWriter, r *http.Request, _ contract.CreateBackupParams) {
	rc := http.NewResponseController(w)
	if err := errors.Join(rc.SetReadDeadline(time.Time{}), rc.SetWriteDeadline(time.Time{})); err != nil {
		c.answers.Fail(w, r, err)
		return
	}
	made, err := c.core.Backup(r.Context())
	switch {
	case errors.Is(err, admin.ErrRunning):
		err = problem.New(problem.Conflict, "a backup is being made already")
	case errors.Is(err, admin.ErrNoBackups):
		err = problem.New(problem.Conflict, "this server makes no backups of its catalog")
	}
	c.answers.Reply(w, r, http.StatusCreated, backup(made), err)
}

// DownloadBackup sends a copy of the catalog: GET /api/backups/{name}.
func (c *Console) DownloadBackup(w http.ResponseWriter, r *http.Request, name string) {
	f, err := c.core.OpenBackup(openapi.Unescape(name))
	if err != nil {
		c.answers.Fail(w, r, backupProblem(err))
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		c.answers.Fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/vnd.sqlite3")
	h.Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	h.Set("Content-Disposition", `attachment; filename="`+info.Name()+`"`)
	if _, err := io.Copy(httpkit.SteadyWriter(w, c.cfg.WriteTimeout), f); err != nil {
		c.log.Debug("a backup did not reach its reader", "error", err)
		panic(http.ErrAbortHandler) // it must not look whole
	}
}

// RemoveBackup removes a copy of the catalog: DELETE /api/backups/{name}.
func (c *Console) RemoveBackup(w http.ResponseWriter, r *http.Request, name string, _ contract.RemoveBackupParams) {
	c.answers.Reply(w, r, http.StatusNoContent, nil, backupProblem(c.core.RemoveBackup(openapi.Unescape(name))))
}

func backupProblem(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return problem.New(problem.NotFound, "no such backup")
	}
	return err
}
