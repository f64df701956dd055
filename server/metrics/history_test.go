package metrics

import (
	"testing"
	"time"
)

// Samples add up: to what was counted, in each window, for as far back as it
// goes.
func TestHistory(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	h := &history{looked: now}
	var total Counters
	const samples = 3 * 24 * 3600 / 10
	for i := range samples {
		now = now.Add(sampleInterval)
		total.Received += uint64(i)
		total.Requests += 2
		h.sample(now, i%7, total)
	}
	if len(h.hour) != 360 || len(h.day) != 1440 {
		t.Fatalf("%d and %d samples", len(h.hour), len(h.day))
	}
	for _, list := range [][]Sample{h.hour, h.day} {
		step := list[1].At.Sub(list[0].At)
		received := uint64(0)
		for i, one := range list {
			if want := now.Add(-time.Duration(len(list)-1-i) * step); !one.At.Equal(want) {
				t.Fatalf("sample %d of %d is of %v, want %v", i, len(list), one.At, want)
			}
			if one.Requests != 2*uint64(step/sampleInterval) || one.Failures != 0 {
				t.Errorf("sample %d: %+v", i, one)
			}
			received += one.Received
		}
		first := uint64(samples) - uint64(len(list))*uint64(step/sampleInterval)
		if want := total.Received - first*(first-1)/2; received != want {
			t.Errorf("%d bytes in %d samples, want %d", received, len(list), want)
		}
	}
	if got := h.rates(now.Add(time.Second), Counters{Received: total.Received + 500, Requests: total.Requests}); got != (Rates{Received: 500}) {
		t.Errorf("rates: %+v", got)
	}
	if got := h.rates(now.Add(1100*time.Millisecond), total); got.Received != 500 {
		t.Errorf("rates, asked again at once: %+v", got)
	}
}
