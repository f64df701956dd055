package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"coffer/server/admin"
	"coffer/store"
)

// A reader learns how much it missed before it gets more events, and gets no
// event twice.
func TestMissedEvents(t *testing.T) {
	w := httptest.NewRecorder()
	live := &liveEvents{replayedTo: 5, stream: &stream{w: w, rc: http.NewResponseController(untimed{w}), beat: time.NewTicker(time.Hour)}}
	for _, event := range []admin.Event{
		{Activity: &store.Activity{ID: 5, Detail: "made up for"}},
		{Activity: &store.Activity{ID: 6, Detail: "next"}, Missed: 3},
	} {
		if err := live.send(t.Context(), event); err != nil {
			t.Fatal(err)
		}
	}
	if w.Body.Len() > 0 {
		t.Errorf("before it is flushed: %s", w.Body)
	}
	if err := live.stream.flush(); err != nil {
		t.Fatal(err)
	}
	if err := live.stream.comment(); err != nil {
		t.Fatal(err)
	}
	said := w.Body.String()
	if !strings.HasPrefix(said, "event: missed\ndata: {\"missed\":3}\n\nevent: activity\nid: 6\ndata: {") || !strings.HasSuffix(said, "}\n\n:\n\n") || strings.Contains(said, "made up for") {
		t.Errorf("%s", said)
	}
}

// untimed is an answer whose writes take no time.
type untimed struct{ *httptest.ResponseRecorder }

func (untimed) SetWriteDeadline(time.Time) error { return nil }

// FuzzLastEvent: whatever a browser sends is a number that was once given.
func FuzzLastEvent(f *testing.F) {
	for _, id := range []string{"", "0", "7", "-1", "1e9", "99999999999999999999", " 7", "+7"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if n := lastEvent(&id); n < 0 || n > 0 && !strings.ContainsAny(id, "123456789") {
			t.Fatalf("%q is %d", id, n)
		}
	})
}
