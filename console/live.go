package console

import (
	"context"
	"net/http"
	"time"

	"coffer/console/contract"
	"coffer/server/admin"
	"coffer/server/metrics"
	"coffer/store"
)

// maxReplay is how many activities a stream makes up for at most.
const maxReplay = 1000

// GetStats returns the current figures: GET /api/stats.
func (c *Console) GetStats(w http.ResponseWriter, r *http.Request) {
	stats := c.core.Stats(r.Context())
	c.answers.Reply(w, r, http.StatusOK, c.stats(&stats), nil)
}

func (c *Console) stats(m *admin.Stats) contract.Stats {
	settings := c.core.Settings()
	return contract.Stats{
		At: m.At.UTC(), Started: m.Started.UTC(), UptimeSeconds: float64(m.At.Sub(m.Started).Seconds()), Version: m.Version,
		Listen: c.cfg.Listen, Tls: c.cfg.ClientTLS, Closing: m.Closing, RegistrationOpen: settings.RegistrationOpen,
		Database: contract.State(m.Database), Storage: contract.State(m.Storage),
		Connections: m.Connections, Connected: m.Connected, Gateways: m.Gateways, Sessions: m.InSession, Suspended: m.Suspended, Uploads: m.Uploads,
		Clients: m.Clients, Files: m.Files, Versions: m.Versions, Verified: m.Verified, Bytes: m.Bytes,
		BytesReceived: int64(m.Received), BytesSent: int64(m.Sent), Requests: int64(m.Requests), Failures: int64(m.Failures),
		ReceiveRate: float64(m.PerSecond.Received), SendRate: float64(m.PerSecond.Sent),
		RequestRate: float64(m.PerSecond.Requests), FailureRate: float64(m.PerSecond.Failures),
		DiskTotal: int64(m.DiskTotal), DiskFree: int64(m.Free), Scrub: scrubState(m.Scrub, settings.ScrubRate),
	}
}

// GetHistory returns the figures of the last hour or day: GET /api/history.
func (c *Console) GetHistory(w http.ResponseWriter, r *http.Request, params contract.GetHistoryParams) {
	h := contract.History{Window: contract.HistoryWindowHour, StepSeconds: 10, Samples: []contract.Sample{}}
	window := metrics.LastHour
	if params.Window != nil && *params.Window == contract.GetHistoryParamsWindowDay {
		h.Window, h.StepSeconds, window = contract.HistoryWindowDay, 60, metrics.LastDay
	}
	for _, s := range c.core.History(window) {
		h.Samples = append(h.Samples, contract.Sample{At: s.At.UTC(), Connections: s.Connections, Received: int64(s.Received),
			Sent: int64(s.Sent), Requests: int64(s.Requests), Failures: int64(s.Failures)})
	}
	c.answers.Reply(w, r, http.StatusOK, h, nil)
}

// ListActivities lists what happened: GET /api/activities.
func (c *Console) ListActivities(w http.ResponseWriter, r *http.Request, params contract.ListActivitiesParams) {
	f := store.ActivityFilter{Before: value(params.Before, 0), Limit: value(params.Limit, 100)}
	f.Outcome = store.Outcome(value(params.Outcome, ""))
	for _, kind := range value(params.Kind, nil) {
		f.Kinds = append(f.Kinds, store.ActivityKind(kind))
	}
	var list []store.Activity
	var err error
	if params.Client != nil {
		list, err = c.core.ActivitiesOf(r.Context(), *params.Client, f)
	} else {
		list, err = c.core.Activities(r.Context(), f)
	}
	answer := contract.ActivityList{Activities: c.activities(r.Context(), list)}
	if len(list) == f.Limit {
		answer.Next = &list[len(list)-1].ID
	}
	c.answers.Reply(w, r, http.StatusOK, answer, err)
}

func (c *Console) activities(ctx context.Context, list []store.Activity) []contract.Activity {
	answer := make([]contract.Activity, 0, len(list))
	for _, a := range list {
		answer = append(answer, c.activity(ctx, a))
	}
	return answer
}

func (c *Console) activity(ctx context.Context, a store.Activity) contract.Activity {
	answer := contract.Activity{Id: a.ID, At: a.At.UTC(), Kind: contract.ActivityKind(a.Kind), Outcome: contract.Outcome(a.Outcome),
		File: nonZero(a.File), Version: nonZero(int64(a.Version)), Bytes: nonZero(a.Bytes),
		TookSeconds: nonZero(float64(a.Took.Seconds())), Detail: nonZero(a.Detail), Address: nonZero(a.Address)}
	switch {
	case a.Client != (store.ClientID{}):
		ref := c.clientRef(ctx, a.Name, a.Client.Fingerprint())
		answer.Client = &ref
	case a.Name != "":
		answer.Client = &contract.ClientRef{Name: a.Name}
	}
	return answer
}

// clientRef names a client, and the client that it resembles. If the names
// cannot be compared, the latter is left out.
func (c *Console) clientRef(ctx context.Context, name, fingerprint string) contract.ClientRef {
	ref := contract.ClientRef{Name: name, Fingerprint: fingerprint}
	like, err := c.core.Lookalike(ctx, name)
	if err != nil {
		c.log.Debug("a client's name could not be compared with others", "error", err)
		return ref
	}
	ref.LooksLike = nonZero(like)
	return ref
}

// GetEvents sends figures and activities as they come: GET /api/events.
func (c *Console) GetEvents(w http.ResponseWriter, r *http.Request, params contract.GetEventsParams) {
	events := c.core.Subscribe(r.Context())
	s, err := c.newStream(w, r)
	if err != nil {
		c.log.Debug("a stream of the console could not begin", "error", err)
		return
	}
	defer s.close()
	live := &liveEvents{c: c, stream: s, transfers: true} // a reader that comes back may still show some
	if err := live.begin(r.Context(), lastEvent(params.LastEventID)); err != nil {
		c.log.Debug("a stream of the console ended", "error", err)
		return
	}
	for {
		var err error
		select {
		case <-r.Context().Done():
			return
		case <-c.closing:
			return
		case <-s.beat.C:
			err = s.comment()
		case event, open := <-events:
			if !open {
				return
			}
			err = live.sendAll(r.Context(), event, events)
		}
		if err != nil {
			c.log.Debug("a stream of the console ended", "error", err)
			return
		}
	}
}

// liveEvents sends one reader what the core reports.
type liveEvents struct {
	c      *Console
	stream *stream

	replayedTo int64 // id of the last activity that was replayed
	transfers  bool  // there were some
	scrub      admin.ScrubState
}

// begin sends the figures, and the activities that followed the one that the
// reader saw last.
func (l *liveEvents) begin(ctx context.Context, last int64) error {
	stats := l.c.core.Stats(ctx)
	if err := l.send(ctx, admin.Event{Stats: &stats}); err != nil {
		return err
	}
	if last == 0 {
		return l.stream.flush()
	}
	list, err := l.c.core.Activities(ctx, store.ActivityFilter{After: last, Limit: maxReplay + 1})
	if err != nil {
		l.c.log.Warn("a stream of the console cannot make up for what was missed", "error", err)
		if err := l.stream.send("missed", 0, contract.MissedEvent{}); err != nil {
			return err
		}
	}
	if len(list) > maxReplay {
		list = list[:maxReplay]
		if err := l.stream.send("missed", 0, contract.MissedEvent{}); err != nil {
			return err
		}
	}
	for i := len(list) - 1; i >= 0; i-- {
		l.replayedTo = list[i].ID
		if err := l.stream.send("activity", list[i].ID, l.c.activity(ctx, list[i])); err != nil {
			return err
		}
	}
	return l.stream.flush()
}

// sendAll sends an event and the ones that wait behind it.
func (l *liveEvents) sendAll(ctx context.Context, event admin.Event, events <-chan admin.Event) error {
	for open := true; open; {
		if err := l.send(ctx, event); err != nil {
			return err
		}
		select {
		case event, open = <-events:
		default:
			open = false
		}
	}
	return l.stream.flush()
}

func (l *liveEvents) send(ctx context.Context, event admin.Event) error {
	if event.Missed > 0 {
		if err := l.stream.send("missed", 0, contract.MissedEvent{Missed: int64(event.Missed)}); err != nil {
			return err
		}
	}
	switch {
	case event.Activity != nil && event.Activity.ID > l.replayedTo:
		return l.stream.send("activity", event.Activity.ID, l.c.activity(ctx, *event.Activity))
	case event.Stats != nil:
		return l.sendStats(ctx, event.Stats)
	}
	return nil
}

// sendStats sends the figures, and what changes as often as they do.
func (l *liveEvents) sendStats(ctx context.Context, m *admin.Stats) error {
	if err := l.stream.send("stats", 0, l.c.stats(m)); err != nil {
		return err
	}
	if m.Uploads > 0 || l.transfers {
		list := l.c.core.Transfers()
		l.transfers = len(list) > 0
		if err := l.stream.send("transfers", 0, contract.TransferEvent{Transfers: l.c.transferList(ctx, list)}); err != nil {
			return err
		}
	}
	if m.Scrub != l.scrub {
		l.scrub = m.Scrub
		return l.stream.send("scrub", 0, scrubState(m.Scrub, l.c.core.Settings().ScrubRate))
	}
	return nil
}

// value is what p points to, or else a default.
func value[T any](p *T, byDefault T) T {
	if p == nil {
		return byDefault
	}
	return *p
}

// nonZero points to v, and to nothing if v is zero.
func nonZero[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// when points to a time in UTC, and to nothing if it is zero.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
