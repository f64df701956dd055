package program

import "github.com/dustin/go-humanize"

// Count is a number of things, in words: "1 version", "1,234 versions".
func Count[N ~int | ~int64 | ~uint32 | ~uint64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(int64(n)) + " " + many
}
