package seal

import (
	"bytes"
	"io"
	"os"
)

// holeSize is the least run of zeros that becomes a hole, in bytes.
const holeSize = 4096

var zeroBlock [holeSize]byte

// holes writes a new file and leaves zeros out, which a hole reads as.
type holes struct {
	f    *os.File
	hole int64 // zeros at the end that were left out
}

// write writes a piece of content and says how much of it took room.
func (h *holes) write(p []byte) (written int, err error) {
	for len(p) > 0 {
		n := 0
		for n < len(p) && !isZero(p[n:min(n+holeSize, len(p))]) {
			n += min(holeSize, len(p)-n)
		}
		if n > 0 {
			if err := h.skip(); err != nil {
				return written, err
			}
			if _, err := h.f.Write(p[:n]); err != nil {
				return written, err
			}
			written += n
		}
		p = p[n:]
		n = 0
		for n < len(p) && isZero(p[n:min(n+holeSize, len(p))]) {
			n += min(holeSize, len(p)-n)
		}
		h.hole += int64(n)
		p = p[n:]
	}
	return written, nil
}

func isZero(block []byte) bool { return bytes.Equal(block, zeroBlock[:len(block)]) }

// skip goes to the end of the hole.
func (h *holes) skip() error {
	if h.hole == 0 {
		return nil
	}
	_, err := h.f.Seek(h.hole, io.SeekCurrent)
	h.hole = 0
	return err
}

// finish makes the hole at the end part of the file.
func (h *holes) finish() error {
	if h.hole == 0 {
		return nil
	}
	end, err := h.f.Seek(h.hole, io.SeekCurrent)
	if err != nil {
		return err
	}
	return h.f.Truncate(end)
}
