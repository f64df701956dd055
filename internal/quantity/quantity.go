// Package quantity is how people write sizes and times: in flags, in the
// console, and where either is shown again. It knows no setting.
package quantity

import (
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Bytes is a number of bytes, written like 4096, 16MiB or 1GiB.
type Bytes uint64

// ParseBytes reads a size.
func ParseBytes(text string) (Bytes, error) {
	n, err := humanize.ParseBytes(text)
	return Bytes(n), err
}

// UnmarshalText reads a size.
func (b *Bytes) UnmarshalText(text []byte) (err error) {
	*b, err = ParseBytes(string(text))
	return err
}

// String is the size in the largest unit of which it is a multiple.
func (b Bytes) String() string {
	units := []string{"", "KiB", "MiB", "GiB", "TiB"}
	n, i := uint64(b), 0
	for n > 0 && n%1024 == 0 && i < len(units)-1 {
		n, i = n/1024, i+1
	}
	return strconv.FormatUint(n, 10) + units[i]
}

// FormatDuration writes a duration without parts that are zero at its end.
func FormatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
