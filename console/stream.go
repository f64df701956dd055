package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	// heartbeat is how long a stream may be silent: proxies hang up on silence,
	// and a page takes it for an end.
	heartbeat = 15 * time.Second
	// retry is what browsers wait before they connect anew, in milliseconds.
	retry = 1000
	// gathered is how many bytes of events go out at once at most, or about.
	gathered = 64 << 10
)

// A stream is an answer of Server-Sent Events. Its owner is the handler: it is
// not for use by several goroutines.
type stream struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	beat *time.Ticker
	buf  bytes.Buffer

	timeout time.Duration // for the reader to take an event; after that it is gone, or as good as
}

// errNoBody: the caller wants to know only how a stream would begin.
var errNoBody = errors.New("a stream was asked for its header alone")

// newStream begins an answer.
func (c *Console) newStream(w http.ResponseWriter, r *http.Request) (*stream, error) {
	s := &stream{w: w, rc: http.NewResponseController(w), timeout: c.cfg.WriteTimeout, beat: time.NewTicker(heartbeat)}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // proxies must not gather events
	if err := s.rc.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("begin a stream: %w", err)
	}
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil, errNoBody
	}
	fmt.Fprintf(&s.buf, "retry: %d\n\n", retry)
	return s, s.flush()
}

// send gathers an event, which goes out with the next flush: in a flood, many
// go out at once. An id of 0 is none.
func (s *stream) send(event string, id int64, data any) error {
	s.buf.WriteString("event: " + event + "\n")
	if id > 0 {
		s.buf.WriteString("id: " + strconv.FormatInt(id, 10) + "\n")
	}
	s.buf.WriteString("data: ")
	if err := json.NewEncoder(&s.buf).Encode(data); err != nil { // on one line, and with its end
		return fmt.Errorf("encode an event: %w", err)
	}
	s.buf.WriteByte('\n')
	if s.buf.Len() < gathered {
		return nil
	}
	return s.flush()
}

// comment shows that the stream lives.
func (s *stream) comment() error {
	s.buf.WriteString(":\n\n")
	return s.flush()
}

// flush sends what was gathered.
func (s *stream) flush() error {
	if s.buf.Len() == 0 {
		return nil
	}
	defer s.buf.Reset()
	s.beat.Reset(heartbeat)
	if err := s.rc.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return err
	}
	if _, err := s.w.Write(s.buf.Bytes()); err != nil {
		return err
	}
	return s.rc.Flush()
}

func (s *stream) close() { s.beat.Stop() }

// lastEvent is the id that a reader saw last, given by the browser; 0 if there
// is none, or none that was ever given.
func lastEvent(given *string) int64 {
	if given == nil {
		return 0
	}
	id, err := strconv.ParseInt(*given, 10, 64)
	if err != nil || id < 0 {
		return 0
	}
	return id
}
