package fileattr

import (
	"bytes"
	"io"
	"os"
)

// HoleSize is the least run of zeros that becomes a hole, in bytes.
const HoleSize = 4096

var zeroBlock [HoleSize]byte

// SparseWriter writes a new file and leaves zeros out, which a hole reads as.
type SparseWriter struct {
	f    *os.File
	hole int64 // zeros at the end that were left out
}

// NewSparseWriter makes a writer of an empty file.
func NewSparseWriter(f *os.File) *SparseWriter { return &SparseWriter{f: f} }

// Write writes a piece of content and says how much of it took room.
func (h *SparseWriter) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		n := 0
		for n < len(p) && !IsZero(p[n:min(n+HoleSize, len(p))]) {
			n += min(HoleSize, len(p)-n)
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
		for n < len(p) && IsZero(p[n:min(n+HoleSize, len(p))]) {
			n += min(HoleSize, len(p)-n)
		}
		h.hole += int64(n)
		p = p[n:]
	}
	return written, nil
}

// IsZero reports whether a block of at most [HoleSize] bytes is all zeros.
func IsZero(block []byte) bool { return bytes.Equal(block, zeroBlock[:len(block)]) }

// skip goes to the end of the hole.
func (h *SparseWriter) skip() error {
	if h.hole == 0 {
		return nil
	}
	_, err := h.f.Seek(h.hole, io.SeekCurrent)
	h.hole = 0
	return err
}

// Finish makes the hole at the end part of the file.
func (h *SparseWriter) Finish() error {
	if h.hole == 0 {
		return nil
	}
	end, err := h.f.Seek(h.hole, io.SeekCurrent)
	if err != nil {
		return err
	}
	return h.f.Truncate(end)
}
