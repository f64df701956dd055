package pack

import (
	"bytes"
	"cmp"
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"

	"coffer/snapshot"
)

// The errors that callers branch on. They come wrapped.
var (
	// ErrDamaged: a pack, or the chunk at a place in it, is not what was written.
	ErrDamaged = errors.New("the pack is damaged")
	// ErrWrongIdentity: the pack is sealed to another identity; ErrDamaged as
	// well, for nobody can tell.
	ErrWrongIdentity = snapshot.ErrWrongIdentity
)

// Fetch reads length bytes at offset of a sealed pack. It returns fewer only at
// the pack's end, and none beyond it. The bytes are the caller's. It is called by
// several goroutines at once.
type Fetch func(ctx context.Context, pack snapshot.PackID, offset int64, length int) ([]byte, error)

// A Reader reads chunks out of packs, of which it fetches what it needs. It
// keeps the keys of packs that it has opened. Safe for concurrent use.
type Reader struct {
	fetch Fetch
	keys  *snapshot.Keys
	id    age.Identity
	zstd  *decompressor
	plain sync.Pool // of *[]byte: content of a range

	mu     sync.Mutex
	opened map[snapshot.PackID]*opened // at most maxOpened
	header int                         // size of the header of the pack opened last; 0: none yet
}

// maxOpened is how many packs' keys are kept, some 200 bytes each. More than a
// restore comes back to: it visits each pack once.
const maxOpened = 16_384

// An opened pack can be decrypted from any of its STREAM chunks on.
type opened struct {
	aead   cipher.AEAD
	header int // where the first STREAM chunk begins
}

// NewReader returns a reader of packs that fetch returns, for chunks whose ids
// were made with keys.
func NewReader(fetch Fetch, keys *snapshot.Keys, id age.Identity) (*Reader, error) {
	zstd, err := newDecompressor()
	if err != nil {
		return nil, err
	}
	return &Reader{
		fetch: fetch, keys: keys, id: id, zstd: zstd,
		plain:  sync.Pool{New: func() any { return new([]byte) }},
		opened: make(map[snapshot.PackID]*opened),
	}, nil
}

// Chunk returns the chunk at a place. It fails with ErrDamaged if there is
// another one, or none.
func (r *Reader) Chunk(ctx context.Context, kind snapshot.Kind, place snapshot.Place) (chunk []byte, err error) {
	err = r.Chunks(ctx, kind, []snapshot.Place{place}, func(_ int, got []byte, err error) error {
		chunk = bytes.Clone(got)
		return err
	})
	return chunk, err
}

// Chunks calls visit for each of the places, which all are in one pack, in the
// order of their offsets: with the place's index, and its chunk, valid until
// visit returns, or why there is none. Places next to each other are fetched
// together. It returns the first error of visit, or of ctx.
func (r *Reader) Chunks(ctx context.Context, kind snapshot.Kind, places []snapshot.Place, visit func(i int, chunk []byte, err error) error) error {
	order := make([]int, len(places))
	for i := range order {
		if places[i].Pack != places[0].Pack {
			return errors.New("read chunks: their places are in several packs")
		}
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(places[a].Offset, places[b].Offset) })
	for len(order) > 0 {
		n := joined(places, order)
		if err := r.visitRange(ctx, kind, places, order[:n], visit); err != nil {
			return err
		}
		order = order[n:]
	}
	return nil
}

// What is joined into one range: places with less between them than a round
// trip is worth, up to a size that bounds memory.
const (
	maxGap   = 256 << 10
	maxRange = 4 << 20
)

// joined is how many of the ordered places are fetched together.
func joined(places []snapshot.Place, order []int) int {
	begin, end := rangeOf(places[order[0]])
	for n := 1; n < len(order); n++ {
		from, to := rangeOf(places[order[n]])
		if from > end+maxGap || to-begin > maxRange {
			return n
		}
		end = max(end, to)
	}
	return len(order)
}

// rangeOf is where a place's frame lies in the content of its pack.
func rangeOf(p snapshot.Place) (begin, end int64) {
	return int64(p.Offset), int64(p.Offset) + int64(p.Length)
}

// visitRange fetches the range that holds some places, and visits them.
func (r *Reader) visitRange(ctx context.Context, kind snapshot.Kind, places []snapshot.Place, order []int, visit func(int, []byte, error) error) error {
	buf := r.plain.Get().(*[]byte)
	defer r.plain.Put(buf)
	chunkBuf := r.plain.Get().(*[]byte)
	defer r.plain.Put(chunkBuf)

	begin, end := rangeOf(places[order[0]])
	for _, i := range order {
		_, to := rangeOf(places[i])
		end = max(end, to)
	}
	content, err := r.content(ctx, places[order[0]].Pack, begin, end, buf)
	for _, i := range order {
		chunk, err := r.chunk(kind, places[i], content, begin, err, chunkBuf)
		if err := visit(i, chunk, err); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// chunk takes one place's chunk out of content that begins at begin, and was
// cut short by err.
func (r *Reader) chunk(kind snapshot.Kind, p snapshot.Place, content []byte, begin int64, err error, buf *[]byte) ([]byte, error) {
	from, to := rangeOf(p)
	if to-begin > int64(len(content)) {
		if err == nil {
			err = fmt.Errorf("%w: it ends before a chunk does", ErrDamaged)
		}
		return nil, fmt.Errorf("read pack %s: %w", p.Pack.Hex(), err)
	}
	chunk, err := r.zstd.open(*buf, content[from-begin:to-begin], int(p.Size))
	if err != nil {
		return nil, fmt.Errorf("read pack %s: %w: %w", p.Pack.Hex(), ErrDamaged, err)
	}
	*buf = chunk
	if r.keys.ChunkID(kind, chunk) != p.ID {
		return nil, fmt.Errorf("read pack %s: %w: a chunk with another id", p.Pack.Hex(), ErrDamaged)
	}
	return chunk, nil
}

// content returns the content of a pack from begin to end, in the room of buf.
// With an error it returns what comes before the damage.
func (r *Reader) content(ctx context.Context, pack snapshot.PackID, begin, end int64, buf *[]byte) ([]byte, error) {
	first, last := begin/streamContent, (end-1)/streamContent
	p, sealed, err := r.sealed(ctx, pack, first, last)
	if err != nil {
		return nil, err
	}
	content, err := p.decrypt(sealed, first, (*buf)[:0])
	*buf = content
	return content[min(int64(len(content)), begin-first*streamContent):], err
}

// decrypt appends the content of STREAM chunks, of which the first one is given.
func (p *opened) decrypt(sealed []byte, index int64, buf []byte) ([]byte, error) {
	buf = slices.Grow(buf, len(sealed))
	for ; len(sealed) > 0; index++ {
		chunk := sealed[:min(len(sealed), streamSealed)]
		sealed = sealed[len(chunk):]
		plain, err := p.aead.Open(buf, streamNonceOf(index, notLast), chunk, nil)
		if err != nil && len(sealed) == 0 {
			plain, err = p.aead.Open(buf, streamNonceOf(index, last), chunk, nil)
		}
		if err != nil {
			return buf, ErrDamaged
		}
		buf = plain
	}
	return buf, nil
}

// Whether a STREAM chunk is the last of its file.
const (
	notLast = 0
	last    = 1
)

// streamNonceOf is the nonce of a STREAM chunk: its number, and whether it is
// the last one.
func streamNonceOf(index int64, lastFlag byte) []byte {
	var nonce [chacha20poly1305.NonceSize]byte
	binary.BigEndian.PutUint64(nonce[3:11], uint64(index))
	nonce[11] = lastFlag
	return nonce[:]
}

// unseal opens the header with which a pack begins, and keeps its keys.
func (r *Reader) unseal(pack snapshot.PackID, begin []byte) (*opened, error) {
	header, err := age.ExtractHeader(bytes.NewReader(begin))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if len(begin) < len(header)+streamNonce || !bytes.HasPrefix(begin, header) {
		return nil, fmt.Errorf("%w: it ends with its header", ErrDamaged)
	}
	fileKey, err := age.DecryptHeader(header, r.id)
	if err != nil {
		var noMatch *age.NoIdentityMatchError
		if errors.As(err, &noMatch) {
			// A changed header looks the same.
			return nil, fmt.Errorf("%w, or %w: %w", ErrDamaged, ErrWrongIdentity, err)
		}
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	nonce := begin[len(header) : len(header)+streamNonce]
	key, err := hkdf.Key(sha256.New, fileKey, nonce, "payload", chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive the key of a pack: %w", err)
	}
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		return nil, fmt.Errorf("derive the key of a pack: %w", err)
	}
	p := &opened{aead, len(header) + streamNonce}
	r.keep(pack, p)
	return p, nil
}

// Verify reads a whole sealed pack, and reports whether it is the one that the
// id names.
func Verify(sealed io.Reader, pack snapshot.PackID) error {
	h := sha256.New()
	if _, err := io.Copy(h, sealed); err != nil {
		return fmt.Errorf("read pack %s: %w", pack.Hex(), err)
	}
	if snapshot.PackID(h.Sum(nil)) != pack {
		return fmt.Errorf("read pack %s: %w", pack.Hex(), ErrDamaged)
	}
	return nil
}
