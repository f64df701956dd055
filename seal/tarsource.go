package seal

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"coffer/internal/fileattr"
)

const (
	blockSize = 512           // of tar, in bytes
	endSize   = 2 * blockSize // of the zeros that end an archive

	// maxTrailer is how many more zeros may follow the end; tar programs fill
	// up their last record.
	maxTrailer = 1 << 20
)

// tarSource reads the entries of a compressed archive and is strict about its
// end, which archive/tar is not: there has to be one, and nothing after it.
type tarSource struct {
	raw     *rawBytes
	zstd    *zstd.Decoder
	plain   *plainBytes
	tar     *tar.Reader
	padding int64 // between the entry's content and the next header
}

func newTarSource(ctx context.Context, r io.Reader, progress func(int64)) (*tarSource, error) {
	raw := &rawBytes{source: source{r: r}, ctx: ctx, progress: progress}
	// At a concurrency of one the decoder starts no goroutines.
	decoder, err := zstd.NewReader(bufio.NewReaderSize(raw, copySize),
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, err
	}
	plain := &plainBytes{r: decoder, ctx: ctx}
	return &tarSource{raw: raw, zstd: decoder, plain: plain, tar: tar.NewReader(plain)}, nil
}

func (s *tarSource) Close() { s.zstd.Close() }

// next gives the next entry; the content of the one before has been read. Its
// io.EOF means that the archive is complete and the last of its bytes was read.
func (s *tarSource) next() (*tar.Header, error) {
	contentEnd := s.plain.read + s.padding
	header, err := s.tar.Next()
	switch {
	case err == io.EOF:
		return nil, s.end(contentEnd)
	case err != nil && !errors.Is(err, tar.ErrInsecurePath): // names are checked by localName
		return nil, s.failure(err)
	case isSparse(header):
		return nil, refuse(header.Name, "is a sparse file")
	}
	s.padding = 0
	if header.Typeflag == tar.TypeReg {
		s.padding = -header.Size & (blockSize - 1)
	}
	return header, nil
}

// Read reads the content of the entry that next gave.
func (s *tarSource) Read(p []byte) (int, error) {
	n, err := s.tar.Read(p)
	if err != nil && err != io.EOF {
		err = s.failure(err)
	}
	return n, err
}

// end returns io.EOF after a whole archive, and an error if it was cut short.
func (s *tarSource) end(contentEnd int64) error {
	if s.plain.read-contentEnd < endSize || s.plain.zeros < endSize {
		return fmt.Errorf("%w: its end is missing", ErrDamagedArchive)
	}
	trailer, err := io.Copy(io.Discard, io.LimitReader(s.plain, maxTrailer+1))
	if err != nil {
		return s.failure(err)
	}
	if trailer > maxTrailer || s.plain.zeros < trailer {
		return fmt.Errorf("%w: it has data after its end", ErrDamagedArchive)
	}
	return io.EOF
}

// failure says whether the archive could not be read or is no archive.
func (s *tarSource) failure(err error) error {
	switch {
	case s.plain.ctx.Err() != nil:
		return s.plain.ctx.Err()
	case s.raw.err != nil:
		return fmt.Errorf("read the archive: %w", s.raw.err)
	default:
		return fmt.Errorf("%w: %w", ErrDamagedArchive, err)
	}
}

// isSparse reports a file with holes: a few bytes that stand for any number of
// zeros. [Archive] makes none.
func isSparse(header *tar.Header) bool {
	for key := range header.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return header.Typeflag == tar.TypeGNUSparse
}

// rawBytes is the archive as it comes.
type rawBytes struct {
	source
	ctx      context.Context
	read     int64
	progress func(int64)
}

func (r *rawBytes) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.source.Read(p)
	r.read += int64(n)
	if n > 0 && r.progress != nil {
		r.progress(r.read)
	}
	return n, err
}

// plainBytes is the archive decompressed. It looks at its context too, since a
// few bytes can become very many.
type plainBytes struct {
	r     io.Reader
	ctx   context.Context
	read  int64
	zeros int64 // how many of the last bytes read are zero
}

func (p *plainBytes) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := p.r.Read(b)
	p.read += int64(n)
	zeros := trailingZeros(b[:n])
	if zeros == n {
		zeros += int(min(p.zeros, maxTrailer+endSize))
	}
	p.zeros = int64(zeros)
	return n, err
}

// trailingZeros is how many of the last bytes are zero. It compares whole
// blocks where it can: most of a sparse file is nothing else.
func trailingZeros(b []byte) int {
	rest := b
	for len(rest) >= fileattr.HoleSize && fileattr.IsZero(rest[len(rest)-fileattr.HoleSize:]) {
		rest = rest[:len(rest)-fileattr.HoleSize]
	}
	return len(b) - len(bytes.TrimRight(rest, "\x00"))
}
