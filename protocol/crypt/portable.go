package crypt

import (
	"crypto/aes"
	"crypto/cipher"
)

// portable runs CBC over the standard library's AES, on any machine.
type portable struct{ block cipher.Block }

func newPortable(key *SessionKey) *portable {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("crypt: AES refuses a key of 32 bytes: " + err.Error())
	}
	return &portable{block}
}

// encrypt encrypts the whole blocks of src to dst, of the same length, after
// the ciphertext block iv, which it replaces by the last one of dst. dst and
// src are the same bytes or do not overlap.
func (p *portable) encrypt(iv *[BlockSize]byte, dst, src []byte) {
	cryptBuffered(cipher.NewCBCEncrypter(p.block, copyOf(iv)), dst, src)
	*iv = lastBlock(dst)
}

// decrypt is the inverse of encrypt; it replaces iv by the last block of src.
func (p *portable) decrypt(iv *[BlockSize]byte, dst, src []byte) {
	next := lastBlock(src)
	cryptBuffered(cipher.NewCBCDecrypter(p.block, copyOf(iv)), dst, src)
	*iv = next
}

// bufferSize bounds the buffer of cryptBuffered.
const bufferSize = 4096

// cryptBuffered runs src through mode to dst by way of a buffer: the compiler
// cannot see through the interface, and would put every buffer that a caller
// hands to this package on the heap.
func cryptBuffered(mode cipher.BlockMode, dst, src []byte) {
	buf := make([]byte, min(len(src), bufferSize))
	for len(src) > 0 {
		n := copy(buf, src)
		mode.CryptBlocks(buf[:n], buf[:n])
		copy(dst, buf[:n])
		dst, src = dst[n:], src[n:]
	}
}

func lastBlock(p []byte) [BlockSize]byte { return [BlockSize]byte(p[len(p)-BlockSize:]) }

func copyOf(block *[BlockSize]byte) []byte { return append([]byte(nil), block[:]...) }
