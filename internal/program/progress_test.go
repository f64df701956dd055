package program

import (
	"testing"
	"time"
)

func TestProgressLine(t *testing.T) {
	for _, test := range []struct {
		done, total int64
		want        string
	}{
		{1 << 20, 4 << 20, "sending [======                  ]  25% 1.05 MB, 524 kB/s, 6s left"},
		{4 << 20, 4 << 20, "sending [========================] 100% 4.19 MB, 2.10 MB/s"},
		{1 << 20, -1, "sending 1.05 MB, 524 kB/s"},
	} {
		if got := progressLine("sending", test.done, test.total, 2*time.Second); got != test.want {
			t.Errorf("got  %q\nwant %q", got, test.want)
		}
	}
}
