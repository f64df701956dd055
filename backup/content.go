package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"coffer/client"
	"coffer/protocol"
	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
	"coffer/seal"
)

// Sizes of what is read back, in bytes.
const (
	rangeSize = 64 << 20
	chunkSize = 256 << 10
	ahead     = 8 // chunks fetched before they are asked for
)

// fetch reads a file's whole ciphertext. It reads ahead, and continues at the
// same offset when the connection breaks. Its goroutine ends when the reader
// has returned an error, or was closed.
type fetch struct {
	cancel context.CancelFunc
	chunks chan []byte // closed at the end
	free   chan []byte
	err    error // set before chunks is closed: io.EOF or what went wrong

	chunk, rest []byte
}

// An origin is where versions are read back from: a server, or an export.
type origin interface {
	Keys
	info(ctx context.Context, name string, version uint32) (*protocol.FileInfo, error)
	// content reads a version's whole ciphertext.
	content(ctx context.Context, info *protocol.FileInfo, progress Progress) (ciphertext, error)
}

// Keys open session keys: those of an account, which a [client.Session] has.
type Keys interface {
	// Fingerprint is the SHA-256 of the account's public key in DER.
	Fingerprint() [32]byte
	// Unwrap opens a session key that was wrapped with the OAEP hash.
	Unwrap(hash uint8, wrapped []byte) (crypt.SessionKey, error)
}

// A ciphertext is being read. Close waits for what reads ahead.
type ciphertext interface {
	io.Reader
	Close()
}

// online is a server as an origin.
type online struct{ *client.Session }

func (o online) info(ctx context.Context, name string, version uint32) (*protocol.FileInfo, error) {
	return Info(ctx, o.Session, name, version)
}

func (o online) content(ctx context.Context, info *protocol.FileInfo, progress Progress) (ciphertext, error) {
	return newFetch(ctx, o.Session, info, progress), nil
}

func newFetch(ctx context.Context, session *client.Session, info *protocol.FileInfo, progress Progress) *fetch {
	ctx, cancel := context.WithCancel(ctx)
	f := &fetch{cancel: cancel, chunks: make(chan []byte, ahead), free: make(chan []byte, ahead+2)}
	for range cap(f.free) {
		f.free <- make([]byte, chunkSize)
	}
	go func() {
		defer close(f.chunks)
		if f.err = f.run(ctx, session, info, progress); f.err == nil {
			f.err = io.EOF
		}
	}()
	return f
}

func (f *fetch) run(ctx context.Context, session *client.Session, info *protocol.FileInfo, progress Progress) error {
	var offset uint64
	for offset < info.Size {
		err := session.Do(ctx, func(conn *client.Conn) error {
			m := protocol.ReadFile{Version: info.Version, Offset: offset, Length: rangeSize, Name: info.Name}
			answer, content, err := conn.ReadFile(ctx, session.Client(), m)
			if err != nil {
				return err
			}
			defer content.Close()
			if answer.Size != info.Size || answer.Version != info.Version {
				return fmt.Errorf("%w: content of a different version", client.ErrProtocol)
			}
			before := offset
			for {
				n, err := f.one(ctx, content)
				offset += uint64(n)
				if offset > info.Size {
					return fmt.Errorf("%w: more content than announced", client.ErrProtocol)
				}
				progress.report(Receiving, int64(offset), int64(info.Size))
				if err == io.EOF {
					break
				}
				if err != nil {
					return err
				}
			}
			if offset == before {
				return fmt.Errorf("%w: content is missing", client.ErrProtocol)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the content: %w", err)
		}
	}
	return nil
}

// one passes a chunk on.
func (f *fetch) one(ctx context.Context, content io.Reader) (int, error) {
	var chunk []byte
	select {
	case chunk = <-f.free:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	n, err := io.ReadFull(content, chunk[:chunkSize])
	if err == io.ErrUnexpectedEOF {
		err = io.EOF // of this range; a broken connection is another error
	}
	f.chunks <- chunk[:n] // never full for long: as many as are free or being read
	return n, err
}

func (f *fetch) Read(p []byte) (int, error) {
	for len(f.rest) == 0 {
		if f.chunk != nil {
			f.free <- f.chunk
			f.chunk = nil
		}
		chunk, ok := <-f.chunks
		if !ok {
			return 0, f.err
		}
		f.chunk, f.rest = chunk, chunk
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// Close ends the goroutine and waits for it.
func (f *fetch) Close() {
	f.cancel()
	for range f.chunks {
	}
}

// checked passes on a plaintext and at its end says whether it is the one that
// was backed up.
type checked struct {
	r    io.Reader
	info *protocol.FileInfo
	sum  cksum.Digest
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.sum.Write(p[:n])
	switch {
	case c.sum.Len() > c.info.OriginalSize:
		return 0, fmt.Errorf("%w: more content than announced", ErrChecksum)
	case errors.Is(err, crypt.ErrPadding) || errors.Is(err, crypt.ErrTruncated):
		return n, fmt.Errorf("%w: %w", ErrChecksum, err)
	case err == io.EOF && (c.sum.Len() != c.info.OriginalSize || c.sum.Sum32() != c.info.Cksum):
		return n, ErrChecksum
	}
	return n, err
}

// errOpaque: content of unknown format is sealed, but not to this identity.
var errOpaque = errors.New("sealed for a different identity")

// A stored file is being read back: its content, checked and opened.
type stored struct {
	io.Reader // of the content, as it was before it was sealed
	content   ciphertext
	plain     *checked
	info      *protocol.FileInfo
	sum       hash.Hash // of the ciphertext
	size      uint64    // of the content that was read
}

// Read reads the content and counts it.
func (s *stored) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.size += uint64(n)
	return n, err
}

// openStored begins to read a version back. raw leaves content of unknown
// format unchanged.
func openStored(ctx context.Context, from origin, info *protocol.FileInfo, id *seal.Identity, take takes, progress Progress) (*stored, error) {
	if info.KeyFingerprint != from.Fingerprint() {
		return nil, ErrOtherKey
	}
	key, err := from.Unwrap(info.OAEPHash, info.WrappedKey)
	if err != nil {
		return nil, err
	}
	s := &stored{info: info, sum: sha256.New()}
	if s.content, err = from.content(ctx, info, progress); err != nil {
		return nil, err
	}
	s.plain = &checked{r: crypt.NewDecryptReader(io.TeeReader(s.content, s.sum), key), info: info}
	if err := s.unseal(info.Format, id, take); err != nil {
		s.content.Close()
		return nil, err
	}
	return s, nil
}

// takes says what content is handed out.
type takes struct {
	unsealed bool // what is not sealed, where there is an identity to seal to
	raw      bool // returns content of unknown format unchanged
}

func (s *stored) unseal(format protocol.Format, id *seal.Identity, take takes) error {
	buffered := bufio.NewReaderSize(s.plain, chunkSize)
	s.Reader = buffered
	switch format {
	case protocol.FormatSealedFile, protocol.FormatSealedFolder:
		if id == nil {
			return ErrNoIdentity
		}
	case protocol.FormatUnknown:
		prefix, err := buffered.Peek(seal.PrefixSize)
		if err != nil && err != io.EOF {
			return err
		}
		if id == nil || take.raw {
			return nil
		}
		if !seal.IsSealed(prefix) {
			return take.refusal()
		}
	default:
		if id == nil {
			return nil
		}
		return take.refusal()
	}
	opened, err := seal.Open(buffered, *id)
	if format == protocol.FormatUnknown && take.unsealed && errors.Is(err, seal.ErrWrongIdentity) {
		return errOpaque
	}
	if err != nil {
		return err
	}
	s.Reader = opened
	return nil
}

// refusal is the error for content that is not sealed.
func (t takes) refusal() error {
	if t.unsealed {
		return nil
	}
	return ErrUnsealed
}

// finish reads to the end of the plaintext, where its checksum is compared, and
// then the SHA-256 of the ciphertext.
func (s *stored) finish() error {
	if _, err := io.Copy(io.Discard, s.plain); err != nil {
		return err
	}
	if [sha256.Size]byte(s.sum.Sum(nil)) != s.info.SHA256 {
		return fmt.Errorf("%w: the SHA-256 of the ciphertext differs", ErrChecksum)
	}
	return nil
}

// readStored passes the content of a version to use and reports an error if
// not all of it is as it was backed up. It returns how much content there was.
func readStored(ctx context.Context, from origin, info *protocol.FileInfo, id *seal.Identity, unsealed bool, progress Progress, use func(io.Reader) error) (uint64, error) {
	s, err := openStored(ctx, from, info, id, takes{unsealed: unsealed}, progress)
	if errors.Is(err, errOpaque) {
		s, err = openStored(ctx, from, info, id, takes{unsealed: unsealed, raw: true}, progress)
	}
	if err != nil {
		return 0, err
	}
	defer s.content.Close()
	if err := use(s); err != nil {
		return 0, err
	}
	return s.size, s.finish()
}
