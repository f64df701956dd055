package console

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"coffer/console/contract"
	"coffer/internal/httpkit"
	"coffer/store"
)

// ListLogs lists log records: GET /api/logs.
func (c *Console) ListLogs(w http.ResponseWriter, r *http.Request, params contract.ListLogsParams) {
	f, err := c.logFilter(r, params.Level, params.Client, params.Text)
	if err != nil {
		c.answers.Fail(w, r, err)
		return
	}
	limit := value(params.Limit, 200)
	list := c.cfg.Records.Before(value(params.Before, 0), limit, f)
	answer := contract.LogList{Records: make([]contract.LogRecord, 0, len(list))}
	for _, one := range list {
		answer.Records = append(answer.Records, logRecord(one))
	}
	if len(list) == limit {
		answer.Next = &list[len(list)-1].ID
	}
	c.answers.Reply(w, r, http.StatusOK, answer, nil)
}

// logFilter reads what the calls about the log have in common. A client that
// is named by its name is in the log by its fingerprint.
func (c *Console) logFilter(r *http.Request, level *contract.LogLevel, client *contract.LogClient, text *contract.LogText) (LogFilter, error) {
	f := LogFilter{Level: slog.LevelDebug, Text: value(text, "")}
	if level != nil {
		if err := f.Level.UnmarshalText([]byte(*level)); err != nil {
			return f, err // the contract allows no such level
		}
	}
	if client == nil {
		return f, nil
	}
	f.Client = []string{*client, "client:" + *client}
	switch known, err := c.core.Client(r.Context(), *client); {
	case err == nil:
		f.Client = append(f.Client, "client:"+known.Fingerprint)
	case !errors.Is(err, store.ErrNoClient):
		return f, err
	}
	return f, nil
}

func logRecord(r Record) contract.LogRecord {
	answer := contract.LogRecord{Id: r.ID, At: r.At.UTC(), Level: logLevel(r.Level), Message: r.Message, Attributes: make([]contract.LogAttribute, 0, len(r.Attributes))}
	for _, a := range r.Attributes {
		answer.Attributes = append(answer.Attributes, contract.LogAttribute(a))
	}
	return answer
}

// logLevel is the contract's level that is not above one of slog's.
func logLevel(l slog.Level) contract.LogLevel {
	switch {
	case l < slog.LevelInfo:
		return contract.LogLevelDebug
	case l < slog.LevelWarn:
		return contract.LogLevelInfo
	case l < slog.LevelError:
		return contract.LogLevelWarn
	}
	return contract.LogLevelError
}

// DownloadLogs sends log records, one a line: GET /api/logs/download.
func (c *Console) DownloadLogs(w http.ResponseWriter, r *http.Request, params contract.DownloadLogsParams) {
	f, err := c.logFilter(r, params.Level, params.Client, params.Text)
	if err != nil {
		c.answers.Fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Content-Disposition", `attachment; filename="coffer-log-`+time.Now().UTC().Format("20060102T150405Z")+`.jsonl"`)
	list, _, _ := c.cfg.Records.Since(0, f)
	lines := json.NewEncoder(httpkit.SteadyWriter(w, c.cfg.WriteTimeout))
	for _, one := range list {
		if err := lines.Encode(logRecord(one)); err != nil {
			c.log.Debug("the log did not reach its reader", "error", err)
			return
		}
	}
}

// GetLogEvents sends log records as they arrive: GET /api/logs/events.
func (c *Console) GetLogEvents(w http.ResponseWriter, r *http.Request, params contract.GetLogEventsParams) {
	f, err := c.logFilter(r, params.Level, params.Client, params.Text)
	if err != nil {
		c.answers.Fail(w, r, err)
		return
	}
	at := c.cfg.Records.Last()
	if params.LastEventID != nil {
		at = lastEvent(params.LastEventID)
	}
	s, err := c.newStream(w, r)
	if err != nil {
		c.log.Debug("a stream of the console could not begin", "error", err)
		return
	}
	defer s.close()
	for {
		grown := c.cfg.Records.Grown()
		if at, err = c.sendLogs(s, at, f); err != nil {
			c.log.Debug("a stream of the console ended", "error", err)
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-c.closing:
			return
		case <-s.beat.C:
			err = s.comment()
		case <-grown:
		}
		if err != nil {
			c.log.Debug("a stream of the console ended", "error", err)
			return
		}
	}
}

// sendLogs sends what was logged after at, and returns how far it came.
func (c *Console) sendLogs(s *stream, at int64, f LogFilter) (int64, error) {
	list, upTo, missed := c.cfg.Records.Since(at, f)
	if missed > 0 {
		if err := s.send("missed", 0, contract.MissedEvent{Missed: missed}); err != nil {
			return upTo, err
		}
	}
	for _, one := range list {
		if err := s.send("log", one.ID, logRecord(one)); err != nil {
			return upTo, err
		}
	}
	return upTo, s.flush()
}
