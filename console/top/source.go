package top

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"coffer/console/contract"
)

const (
	// silence is how long a stream may be silent before it counts as lost:
	// figures come each second.
	silence = 5 * time.Second
	// pause is how long a lost stream is left alone.
	pause = time.Second
	// keptActivities is how many activities are asked for and remembered.
	keptActivities = 100
)

// A Source is the console of a running server.
type Source struct {
	URL   string // without a slash at its end
	Token string
	HTTP  *http.Client
}

// A Snapshot is what the server says of itself at a moment.
type Snapshot struct {
	Stats      contract.Stats      `json:"stats"`
	Transfers  []contract.Transfer `json:"transfers"`
	Activities []contract.Activity `json:"activities"` // the newest first
}

// Snapshot asks once.
func (s *Source) Snapshot(ctx context.Context) (Snapshot, error) {
	var shot Snapshot
	var activities contract.ActivityList
	var transfers contract.TransferList
	if err := s.get(ctx, "/api/stats", &shot.Stats); err != nil {
		return shot, err
	}
	if err := s.get(ctx, "/api/transfers", &transfers); err != nil {
		return shot, err
	}
	if err := s.get(ctx, "/api/activities?limit="+strconv.Itoa(keptActivities), &activities); err != nil {
		return shot, err
	}
	shot.Transfers, shot.Activities = transfers.Transfers, activities.Activities
	return shot, nil
}

// clientsPage is how many clients are asked for at a time.
const clientsPage = 1000

// Clients are all clients, by their names.
func (s *Source) Clients(ctx context.Context) ([]contract.Client, error) {
	all := []contract.Client{}
	for {
		var page contract.ClientList
		if err := s.get(ctx, fmt.Sprintf("/api/clients?limit=%d&offset=%d", clientsPage, len(all)), &page); err != nil {
			return nil, fmt.Errorf("asking the console at %s: %w", s.URL, err)
		}
		all = append(all, page.Clients...)
		if len(page.Clients) < clientsPage {
			return all, nil
		}
	}
}

// open sends a request and returns the answer if it is what was asked for.
func (s *Source) open(ctx context.Context, path string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+s.Token)
	response, err := s.HTTP.Do(request)
	var failed *url.Error
	if errors.As(err, &failed) {
		return nil, failed.Err // without the address, which is shown elsewhere
	}
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	defer response.Body.Close()
	var p contract.Problem
	if err := json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&p); err != nil || p.Detail == "" {
		return nil, fmt.Errorf("the console answers %s", response.Status)
	}
	return nil, errors.New(p.Detail)
}

func (s *Source) get(ctx context.Context, path string, v any) error {
	body, err := s.open(ctx, path)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(v); err != nil {
		return fmt.Errorf("reading the console's answer: %w", err)
	}
	return nil
}

// Events of Watch, beside console.Stats, console.Activity and
// console.TransferEvent.
type (
	// connected is what there is as a stream begins.
	connected struct{ Snapshot }
	// lost is the end of a stream, or that none could begin.
	lost struct {
		at  time.Time
		err error
	}
)

// Watch emits what the server sends until ctx is done, connecting again
// whenever it has to.
func (s *Source) Watch(ctx context.Context, emit func(event any)) {
	for ctx.Err() == nil {
		err := s.stream(ctx, emit)
		if ctx.Err() != nil {
			return
		}
		emit(lost{time.Now(), err})
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// stream reads one stream to its end.
func (s *Source) stream(ctx context.Context, emit func(event any)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	deadline := time.AfterFunc(silence, func() { cancel(errors.New("the console says nothing any more")) })
	defer deadline.Stop()
	// The stream begins before the lists are asked for: nothing falls between.
	body, err := s.open(ctx, "/api/events")
	if err != nil {
		return cause(ctx, err)
	}
	defer body.Close()
	shot, err := s.Snapshot(ctx)
	if err != nil {
		return cause(ctx, err)
	}
	emit(connected{shot})
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 8<<20)
	for name := ""; lines.Scan(); {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			name = value
		case "data":
			deadline.Reset(silence)
			event, err := decode(name, []byte(value))
			if err != nil {
				return fmt.Errorf("reading the console's events: %w", err)
			}
			if event != nil {
				emit(event)
			}
		case "":
			name = ""
		}
	}
	if err := lines.Err(); err != nil {
		return cause(ctx, err)
	}
	return errors.New("the server has ended the stream")
}

// cause is why an operation failed that has a context.
func cause(ctx context.Context, err error) error {
	if why := context.Cause(ctx); why != nil {
		return why
	}
	return err
}

// decode reads an event, nil if it is of no interest.
func decode(name string, data []byte) (any, error) {
	switch name {
	case "stats":
		return parse[contract.Stats](data)
	case "activity":
		return parse[contract.Activity](data)
	case "transfers":
		return parse[contract.TransferEvent](data)
	}
	return nil, nil
}

func parse[T any](data []byte) (any, error) {
	var v T
	err := json.Unmarshal(data, &v)
	return v, err
}
