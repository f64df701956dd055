package snapshot

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// A Time is seconds and nanoseconds since 1970, of any year. The zero Time is
// not known.
type Time struct {
	Sec   int64
	Nsec  uint32 // added to Sec, also before 1970
	Known bool
}

// Unix is the time of seconds and nanoseconds, as a system call returns them.
func Unix(sec int64, nsec uint32) Time { return Time{sec, nsec, true} }

// TimeOf is the time of a time.Time.
func TimeOf(t time.Time) Time { return Unix(t.Unix(), uint32(t.Nanosecond())) }

// Time is the time as a time.Time; the zero time.Time if it is not known.
func (t Time) Time() time.Time {
	if !t.Known {
		return time.Time{}
	}
	return time.Unix(t.Sec, int64(t.Nsec))
}

const second = 1_000_000_000

// append appends the exact decimal number: "1764341261.123456789", "0", "-0.500000000".
func (t Time) append(dst []byte) []byte {
	sec, nsec := t.Sec, t.Nsec
	if sec < 0 && nsec > 0 {
		// -1 s and 500 ms is half a second before 1970.
		sec, nsec = sec+1, second-nsec
		if sec == 0 {
			dst = append(dst, '-')
		}
	}
	dst = strconv.AppendInt(dst, sec, 10)
	if nsec == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := uint32(second / 10); unit > 0; unit /= 10 {
		dst = append(dst, byte('0'+nsec/unit%10))
	}
	return dst
}

// String is the time as the format has it.
func (t Time) String() string {
	if !t.Known {
		return ""
	}
	return string(t.append(nil))
}

// check refuses a time that cannot be written.
func (t Time) check() error {
	if t.Nsec >= second || t.Sec == math.MinInt64 {
		return malformed("an impossible time")
	}
	return nil
}

// parseTime reads what append writes, and nothing else.
func parseTime(text string) (Time, error) {
	whole, fraction, hasFraction := strings.Cut(text, ".")
	whole, negative := strings.CutPrefix(whole, "-")
	sec, err := parseDigits(whole, math.MaxInt64)
	if err != nil || whole[0] == '0' && len(whole) > 1 {
		return Time{}, malformed("a time that is not a number")
	}
	var nsec uint64
	if hasFraction {
		if nsec, err = parseDigits(fraction, second-1); err != nil || len(fraction) != 9 || nsec == 0 {
			return Time{}, malformed("a time without nine digits of nanoseconds")
		}
	}
	switch {
	case !negative:
		return Unix(int64(sec), uint32(nsec)), nil
	case sec == 0 && nsec == 0:
		return Time{}, malformed("a negative zero")
	case nsec > 0:
		return Unix(-int64(sec)-1, second-uint32(nsec)), nil
	default:
		return Unix(-int64(sec), 0), nil
	}
}

// parseDigits reads a number of digits alone.
func parseDigits(text string, limit uint64) (value uint64, err error) {
	for i := range len(text) {
		digit := uint64(text[i] - '0')
		if digit > 9 || value > (limit-digit)/10 {
			return 0, malformed("no number up to %d", limit)
		}
		value = value*10 + digit
	}
	if text == "" {
		return 0, malformed("no number")
	}
	return value, nil
}
