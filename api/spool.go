package api

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// spoolMemory is how much of a packet stays in memory, in bytes.
const spoolMemory = 256 << 10

// A spool takes in the content of a packet of which it is not yet known where
// it goes: small ones in memory, larger ones in a file.
type spool struct {
	dir   string
	limit int64 // most bytes
	size  int64
	small bytes.Buffer
	file  *os.File // nil while small holds all
}

// Write takes in the next bytes. Over the limit it fails with a problem.
func (s *spool) Write(p []byte) (int, error) {
	if s.size+int64(len(p)) > s.limit {
		return 0, packetTooLarge(s.limit)
	}
	if s.file == nil && s.size+int64(len(p)) > spoolMemory {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	var n int
	var err error
	if s.file != nil {
		n, err = s.file.Write(p)
	} else {
		n, err = s.small.Write(p)
	}
	s.size += int64(n)
	if err != nil {
		return n, &problem{kind: kindInternal, message: "the gateway has no room for the packet", cause: err}
	}
	return n, nil
}

// spill moves what is in memory to a file.
func (s *spool) spill() error {
	file, err := os.CreateTemp(s.dir, "coffer-gateway-*")
	if err == nil {
		s.file = file
		_, err = file.Write(s.small.Bytes())
	}
	if err != nil {
		return &problem{kind: kindInternal, message: "the gateway has no room for the packet", cause: err}
	}
	s.small = bytes.Buffer{}
	return nil
}

// reader reads the packet from its beginning.
func (s *spool) reader() io.Reader {
	if s.file != nil {
		return io.NewSectionReader(s.file, 0, s.size)
	}
	return bytes.NewReader(s.small.Bytes())
}

// Close drops the packet.
func (s *spool) Close() error {
	if s.file == nil {
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}
