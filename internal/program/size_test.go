package program

import "testing"

func TestSize(t *testing.T) {
	for bytes, want := range map[uint64]string{
		0: "0 bytes", 1: "1 byte", 2: "2 bytes", 999: "999 bytes", 1000: "1.00 kB", 1024: "1.02 kB",
		9994: "9.99 kB", 9995: "10.0 kB", 99_949: "99.9 kB", 99_950: "100 kB", 999_499: "999 kB", 999_500: "1.00 MB",
		12_400_000: "12.4 MB", 1 << 30: "1.07 GB", 1 << 63: "9.22 EB",
	} {
		if got := Size(bytes); got != want {
			t.Errorf("%d bytes are %q, want %q", bytes, got, want)
		}
	}
	for sum, want := range map[uint32]string{0: "0 (0x00000000)", 0x1a2b: "6699 (0x00001a2b)", 1510679601: "1510679601 (0x5a0b2431)", 1<<32 - 1: "4294967295 (0xffffffff)"} {
		if got := Checksum(sum); got != want {
			t.Errorf("checksum %s, want %s", got, want)
		}
	}
}
