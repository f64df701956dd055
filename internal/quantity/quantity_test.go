package quantity_test

import (
	"testing"
	"time"

	"coffer/internal/quantity"
)

func TestBytes(t *testing.T) {
	for n, want := range map[quantity.Bytes]string{0: "0", 1: "1", 1000: "1000", 1024: "1KiB", 1536: "1536", 1 << 30: "1GiB", 3 << 19: "1536KiB", 1 << 50: "1024TiB"} {
		if got := n.String(); got != want {
			t.Errorf("%d: %s", n, got)
		}
		if back, err := quantity.ParseBytes(want); err != nil || back != n {
			t.Errorf("%s is read as %d, %v", want, back, err)
		}
	}
	for _, text := range []string{"", "much", "-1", "1XiB"} {
		if err := new(quantity.Bytes).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is a size", text)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", time.Second: "1s", 10 * time.Minute: "10m", 90 * time.Minute: "1h30m",
		168 * time.Hour: "168h", time.Hour + time.Second: "1h0m1s", 1500 * time.Millisecond: "1.5s"} {
		if got := quantity.FormatDuration(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}
