package pack

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/bits"

	"filippo.io/age"

	"coffer/snapshot"
)

// Full is the content from which on a pack is closed.
const Full = 16 << 20

// ErrNoRoom: the frame does not fit into this pack, but into an empty one.
var ErrNoRoom = errors.New("the pack is full")

// A Writer writes one pack: frames go in, the sealed bytes come out. It holds
// one STREAM chunk of age's, 64 KiB. A Writer that is dropped leaves nothing
// behind but what it has written.
type Writer struct {
	sealed sealedBytes
	age    io.WriteCloser
	header int64 // what comes before the content, in sealed bytes
	size   int64 // of the content
}

// sealedBytes hashes and counts what goes to the pack's file.
type sealedBytes struct {
	dst  io.Writer
	hash hash.Hash
	n    int64
}

func (s *sealedBytes) Write(p []byte) (int, error) {
	n, err := s.dst.Write(p)
	s.hash.Write(p[:n])
	s.n += int64(n)
	return n, err
}

// NewWriter begins a pack that is sealed to a recipient and written to dst.
func NewWriter(dst io.Writer, to age.Recipient) (*Writer, error) {
	w := &Writer{sealed: sealedBytes{dst: dst, hash: sha256.New()}}
	sealer, err := age.Encrypt(&w.sealed, to)
	if err != nil {
		return nil, fmt.Errorf("begin a pack: %w", err)
	}
	w.age, w.header = sealer, w.sealed.n
	return w, nil
}

// Add writes the frame of a chunk of size bytes, and returns its place. The
// place's pack is zero: the pack has an id once it is closed. Frames that
// [Full] announced too late fail with ErrNoRoom.
func (w *Writer) Add(id snapshot.ChunkID, size int, frame []byte) (snapshot.Place, error) {
	if size <= 0 || size > snapshot.MaxChunk || len(frame) == 0 || len(frame) > snapshot.MaxFrame {
		return snapshot.Place{}, fmt.Errorf("add to a pack: %w", snapshot.ErrTooLarge)
	}
	if w.size > 0 && w.size+int64(len(frame)) > maxContent {
		return snapshot.Place{}, fmt.Errorf("add to a pack: %w", ErrNoRoom)
	}
	place := snapshot.Place{Offset: uint32(w.size), Length: uint32(len(frame)), Size: uint32(size), ID: id}
	if _, err := w.age.Write(frame); err != nil {
		return snapshot.Place{}, fmt.Errorf("add to a pack: %w", err)
	}
	w.size += int64(len(frame))
	return place, nil
}

// maxContent leaves room for a last frame of any size, and for padding.
const maxContent = Full + snapshot.MaxFrame

// Size is how much content has been added.
func (w *Writer) Size() int64 { return w.size }

// Full reports whether the pack is large enough to be closed.
func (w *Writer) Full() bool { return w.size >= Full }

// Close pads and completes the pack, and returns its id and how many bytes were
// written to its file.
func (w *Writer) Close() (id snapshot.PackID, size int64, err error) {
	if err := w.pad(); err != nil {
		return id, 0, fmt.Errorf("close a pack: %w", err)
	}
	if err := w.age.Close(); err != nil {
		return id, 0, fmt.Errorf("close a pack: %w", err)
	}
	w.sealed.hash.Sum(id[:0])
	return id, w.sealed.n, nil
}

// pad writes a skippable frame of zeros that makes the sealed size a Padmé one.
func (w *Writer) pad() error {
	const frameHeader = 8
	zeros := paddedContent(w.header, w.size+frameHeader) - w.size - frameHeader
	header := binary.LittleEndian.AppendUint32(nil, paddingMagic)
	header = binary.LittleEndian.AppendUint32(header, uint32(zeros))
	if _, err := w.age.Write(header); err != nil {
		return err
	}
	_, err := io.CopyN(w.age, zeroes{}, zeros)
	return err
}

// zeroes is an endless reader of zeros.
type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// paddedContent is the least content, of least bytes or more, with which a pack
// has a Padmé size.
func paddedContent(header, least int64) int64 {
	for size := padme(sealedSize(header, least)); ; size = padme(size + 1) {
		if content, ok := contentSize(header, size); ok {
			return content
		}
	}
}

// Sizes of age's STREAM: content is sealed in chunks.
const (
	streamContent = 64 << 10
	streamTag     = 16
	streamSealed  = streamContent + streamTag
	streamNonce   = 16 // between header and first chunk
)

// sealedSize is the size of an age file of so much content, which is not empty.
func sealedSize(header, content int64) int64 {
	chunks := (content + streamContent - 1) / streamContent
	return header + content + chunks*streamTag
}

// contentSize is how much content a file of that size has; not every size has one.
func contentSize(header, sealed int64) (content int64, ok bool) {
	chunks := (sealed - header + streamSealed - 1) / streamSealed
	content = sealed - header - chunks*streamTag
	return content, content > (chunks-1)*streamContent
}

// padme rounds a size up, by 12 per cent at most, so that all sizes together
// say no more than log log n bits (Nikitin and others, PURBs, 2019).
func padme(size int64) int64 {
	exponent := bits.Len64(uint64(size)) - 1
	significant := bits.Len64(uint64(exponent))
	mask := int64(1)<<(exponent-significant) - 1
	return (size + mask) &^ mask
}
