package pack

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"coffer/snapshot"
)

// A Compressor makes zstd frames of chunks. Safe for concurrent use: workers
// share one.
type Compressor struct{ zstd *zstd.Encoder }

// NewCompressor returns a Compressor for so many workers at once. Its memory is
// some MiB a worker.
func NewCompressor(workers int) (*Compressor, error) {
	enc, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(max(1, workers)),
		zstd.WithSingleSegment(true),
		zstd.WithEncoderCRC(false), // the chunk id proves more
		zstd.WithWindowSize(snapshot.MaxChunk),
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("prepare compression: %w", err)
	}
	return &Compressor{enc}, nil
}

// Compress appends to dst the frame of a chunk, which is at most
// snapshot.MaxChunk long and not empty. What does not compress is stored as it
// is, at the speed of memory.
func (c *Compressor) Compress(dst, plaintext []byte) []byte {
	if len(plaintext) == 0 || len(plaintext) > snapshot.MaxChunk {
		panic(fmt.Sprintf("pack: a chunk of %d bytes", len(plaintext)))
	}
	if incompressible(plaintext) {
		return appendRaw(dst, plaintext)
	}
	return c.zstd.EncodeAll(plaintext, dst)
}

// Numbers of the zstd format (RFC 8878).
const (
	frameMagic   = 0xFD2FB528
	paddingMagic = 0x184D2A50
	// singleSegment64: one segment, content size of 4 bytes, no checksum, no
	// dictionary.
	singleSegment64 = 2<<6 | 1<<5
	maxBlock        = 128 << 10
	lastBlock       = 1 // and type 0: raw
)

// appendRaw appends a frame of raw blocks.
func appendRaw(dst, plaintext []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, frameMagic)
	dst = append(dst, singleSegment64)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(plaintext)))
	for len(plaintext) > 0 {
		n := min(len(plaintext), maxBlock)
		header := uint32(n) << 3
		if n == len(plaintext) {
			header |= lastBlock
		}
		dst = append(dst, byte(header), byte(header>>8), byte(header>>16))
		dst = append(dst, plaintext[:n]...)
		plaintext = plaintext[n:]
	}
	return dst
}

// incompressible reports whether samples of a chunk look random: media,
// archives, encrypted files. It errs towards compressing.
func incompressible(plaintext []byte) bool {
	const sample, least = 4 << 10, 32 << 10
	if len(plaintext) < least {
		return false
	}
	var counts [256]uint32
	step := len(plaintext) / 4
	for at := 0; at+sample <= len(plaintext); at += step {
		for _, c := range plaintext[at : at+sample] {
			counts[c]++
		}
	}
	// The chi-squared statistic of bytes: about 255 for random ones, and more
	// than 1,000 for anything that entropy coding makes a per cent of.
	var total, squares uint64
	for _, n := range counts {
		total += uint64(n)
		squares += uint64(n) * uint64(n)
	}
	return squares*256-total*total < 400*total
}

// A decompressor opens frames. Safe for concurrent use.
type decompressor struct{ zstd *zstd.Decoder }

func newDecompressor() (*decompressor, error) {
	dec, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(0),
		zstd.WithDecoderMaxWindow(snapshot.MaxChunk),
		zstd.WithDecoderMaxMemory(snapshot.MaxChunk),
		// Nothing is written beyond the room that there is for a chunk.
		zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, fmt.Errorf("prepare decompression: %w", err)
	}
	return &decompressor{dec}, nil
}

var errFrame = errors.New("no frame of a chunk")

// open returns the chunk of size bytes that is in a frame, in dst if that has
// room. It writes size bytes at most, whatever the frame says.
func (d *decompressor) open(dst, frame []byte, size int) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(frame); err != nil || h.Skippable || h.DictionaryID != 0 || !h.HasFCS || h.FrameContentSize != uint64(size) {
		return nil, errFrame
	}
	if cap(dst) < size {
		dst = make([]byte, 0, size)
	}
	chunk, err := d.zstd.DecodeAll(frame, dst[:0:size])
	if err != nil {
		return nil, fmt.Errorf("decompress a chunk: %w", err)
	}
	if len(chunk) != size {
		return nil, errFrame
	}
	return chunk, nil
}
