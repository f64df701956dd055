package program

import (
	"fmt"
	"strconv"
)

// Size is a number of bytes as people read it, in three digits: "0 bytes",
// "1 byte", "12.4 MB". The web client and the console write it alike.
func Size(bytes uint64) string {
	if bytes == 1 {
		return "1 byte"
	}
	units := []string{"bytes", "kB", "MB", "GB", "TB", "PB", "EB"}
	value, unit := float64(bytes), 0
	for value >= 999.5 && unit < len(units)-1 { // 999.5 of a unit would be written as 1000 of it
		value /= 1000
		unit++
	}
	digits := 2
	switch {
	case unit == 0 || value >= 99.95:
		digits = 0
	case value >= 9.995:
		digits = 1
	}
	return strconv.FormatFloat(value, 'f', digits, 64) + " " + units[unit]
}

// Checksum is a cksum as people read it: in decimal, as POSIX's cksum prints it,
// and in hexadecimal, as the HTTP API has it. The web client, the console and
// the C++ client write it alike.
func Checksum(sum uint32) string { return fmt.Sprintf("%d (0x%08x)", sum, sum) }
