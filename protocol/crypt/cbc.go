package crypt

import (
	"errors"
	"slices"
	"unsafe"
)

// BlockSize is the length of an AES block in bytes.
const BlockSize = 16

// Errors of [Decrypter.Finish].
var (
	ErrTruncated = errors.New("ciphertext is not a whole number of blocks, or empty")
	ErrPadding   = errors.New("ciphertext does not end in valid padding")
)

// CiphertextLen returns the length of the ciphertext of plain bytes: padding
// adds 1 to 16 of them. The result fits as long as plain is below 2^64 - 16.
func CiphertextLen(plain uint64) uint64 { return plain - plain%BlockSize + BlockSize }

// chain is one CBC stream whose chunks are cut anywhere: it holds back what
// does not make a block yet. The schedule is shared between clones and never
// written; all else is the stream's own.
type chain struct {
	schedule *schedule
	iv       [BlockSize]byte // the last ciphertext block that went through
	held     [BlockSize]byte // nHeld bytes wait here
	nHeld    int
	blocks   uint64 // that went through
}

// direction says what advance does to the blocks.
type direction bool

const (
	encrypting direction = false
	decrypting direction = true
)

// advance appends to dst the first ready bytes, whole blocks, of what is held
// and chunk, en- or decrypted, and holds the rest, at most a block. It is
// correct however dst's spare capacity and chunk overlap, and copies nothing
// but the ends where they do not, or where nothing is held and they start at
// the same byte.
func (c *chain) advance(dir direction, dst, chunk []byte, ready int) []byte {
	if ready == 0 {
		c.nHeld += copy(c.held[c.nHeld:], chunk)
		return dst
	}
	dst = slices.Grow(dst, ready)
	out := dst[len(dst) : len(dst)+ready]
	dst = dst[:len(dst)+ready]

	var rest [BlockSize]byte // saved before out overwrites it
	src, nRest := chunk[:ready-c.nHeld], copy(rest[:], chunk[ready-c.nHeld:])

	switch {
	case c.nHeld == 0 && &out[0] == &src[0]:
		// In place, block for block.
	case overlap(out, src):
		copy(out[c.nHeld:], src)
		copy(out, c.held[:c.nHeld])
		src = out
	case c.nHeld > 0:
		n := copy(c.held[c.nHeld:], src)
		c.crypt(dir, out[:BlockSize], c.held[:])
		out, src = out[BlockSize:], src[n:]
	}
	c.crypt(dir, out, src)

	c.held, c.nHeld = rest, nRest
	c.blocks += uint64(ready / BlockSize)
	return dst
}

// crypt en- or decrypts the whole blocks of src to dst, of the same length;
// they are the same bytes or do not overlap.
func (c *chain) crypt(dir direction, dst, src []byte) {
	if len(src) == 0 {
		return
	}
	if dir == encrypting {
		c.schedule.encrypt(&c.iv, dst, src)
	} else {
		c.schedule.decrypt(&c.iv, dst, src)
	}
}

// overlap reports whether a and b share memory.
func overlap(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	startA, startB := uintptr(unsafe.Pointer(&a[0])), uintptr(unsafe.Pointer(&b[0]))
	return startA < startB+uintptr(len(b)) && startB < startA+uintptr(len(a))
}

// Encrypter turns a plaintext, chunk by chunk, into its ciphertext: one
// AES-256-CBC stream with zero IV and PKCS#7 padding. It is not safe for
// concurrent use.
type Encrypter struct{ chain }

// NewEncrypter returns an Encrypter at the start of a plaintext.
func NewEncrypter(key SessionKey) *Encrypter {
	return &Encrypter{chain{schedule: newSchedule(&key)}}
}

// Append takes the next bytes of the plaintext, appends to dst the ciphertext
// of all complete blocks, and returns it. Up to 15 bytes wait for the rest of
// their block. It allocates only where dst has less than len(plaintext)+15
// bytes of spare capacity, which may overlap plaintext: Append(p[:0], p)
// encrypts in place.
func (e *Encrypter) Append(dst, plaintext []byte) []byte {
	return e.advance(encrypting, dst, plaintext, (e.nHeld+len(plaintext))&^(BlockSize-1))
}

// Finish appends the last block, which has the padding, to dst. The stream
// stays where it was.
func (e *Encrypter) Finish(dst []byte) []byte {
	last, iv := e.held, e.iv
	padding := BlockSize - e.nHeld
	for i := e.nHeld; i < BlockSize; i++ {
		last[i] = byte(padding)
	}
	e.schedule.encrypt(&iv, last[:], last[:])
	return append(dst, last[:]...)
}

// Len returns how many bytes of plaintext were taken so far.
func (e *Encrypter) Len() uint64 { return e.blocks*BlockSize + uint64(e.nHeld) }

// Clone returns an independent Encrypter at the same place. It costs a copy of
// some 60 bytes.
func (e *Encrypter) Clone() *Encrypter {
	c := *e
	return &c
}

// Decrypter turns what an [Encrypter] made, cut into any chunks, back into
// plaintext. It is not safe for concurrent use.
type Decrypter struct {
	chain
	padding int // found by Finish; 0 before
}

// NewDecrypter returns a Decrypter at the start of a ciphertext.
func NewDecrypter(key SessionKey) *Decrypter {
	return &Decrypter{chain: chain{schedule: newSchedule(&key)}}
}

// Append takes the next bytes of the ciphertext, appends to dst the plaintext
// that is certain so far, and returns it. The last 1 to 16 bytes of ciphertext
// are held back, because they may be padding. It allocates only where dst has
// less than len(ciphertext)+15 bytes of spare capacity, which may overlap
// ciphertext: Append(p[:0], p) decrypts in place.
func (d *Decrypter) Append(dst, ciphertext []byte) []byte {
	if len(ciphertext) == 0 {
		return dst
	}
	d.padding = 0
	return d.advance(decrypting, dst, ciphertext, (d.nHeld+len(ciphertext)-1)&^(BlockSize-1))
}

// Finish checks the padding of the last block and appends the plaintext in
// front of it to dst. It fails with [ErrTruncated] where the ciphertext cannot
// be complete, and with [ErrPadding] where the padding is not exactly PKCS#7's;
// dst is then returned as it came. The stream stays where it was.
//
// Who could send a ciphertext again and again and see which error comes could
// decrypt it so; the protocol lets only the holder of the key send one.
func (d *Decrypter) Finish(dst []byte) ([]byte, error) {
	if d.nHeld != BlockSize {
		return dst, ErrTruncated
	}
	last, iv := d.held, d.iv
	d.schedule.decrypt(&iv, last[:], last[:])
	padding := int(last[BlockSize-1])
	if padding < 1 || padding > BlockSize {
		return dst, ErrPadding
	}
	for _, b := range last[BlockSize-padding:] {
		if int(b) != padding {
			return dst, ErrPadding
		}
	}
	d.padding = padding
	return append(dst, last[:BlockSize-padding]...), nil
}

// Len returns how many bytes of plaintext came out so far, those of a
// successful Finish included.
func (d *Decrypter) Len() uint64 {
	if d.padding > 0 {
		return d.blocks*BlockSize + uint64(BlockSize-d.padding)
	}
	return d.blocks * BlockSize
}

// Padding returns how many bytes of padding Finish found, 1 to 16, or 0 as
// long as it did not.
func (d *Decrypter) Padding() int { return d.padding }

// Clone returns an independent Decrypter at the same place. It costs a copy of
// some 60 bytes.
func (d *Decrypter) Clone() *Decrypter {
	c := *d
	return &c
}
