//go:build !purego

package crypt

import "sync"

// roundKeys are the 15 keys of AES-256 in the order in which they are used.
type roundKeys [15][16]byte

// schedule is a key made ready for use; it is never written after. Where the
// processor has AES instructions, CBC runs in assembly: the standard library
// goes block by block, which costs decryption most of its speed.
type schedule struct {
	enc, dec roundKeys
	portable *portable // nil where the assembly runs
}

// hasAES reports whether this processor has AES instructions. It is asked
// once: under a hypervisor the question costs a microsecond.
var hasAES = sync.OnceValue(cpuHasAES)

func newSchedule(key *SessionKey) *schedule {
	if !hasAES() {
		return &schedule{portable: newPortable(key)}
	}
	s := new(schedule)
	expandKey(key, &s.enc, &s.dec)
	return s
}

// encrypt encrypts the whole blocks of src to dst, of the same length, after
// the ciphertext block iv, which it replaces by the last one of dst. dst and
// src are the same bytes or do not overlap.
func (s *schedule) encrypt(iv *[BlockSize]byte, dst, src []byte) {
	if s.portable != nil {
		s.portable.encrypt(iv, dst, src)
		return
	}
	if blocks := len(src) / BlockSize; blocks > 0 {
		encryptBlocks(&s.enc, iv, &dst[:len(src)][0], &src[0], blocks)
	}
}

// decrypt is the inverse of encrypt; it replaces iv by the last block of src.
func (s *schedule) decrypt(iv *[BlockSize]byte, dst, src []byte) {
	if s.portable != nil {
		s.portable.decrypt(iv, dst, src)
		return
	}
	if blocks := len(src) / BlockSize; blocks > 0 {
		decryptBlocks(&s.dec, iv, &dst[:len(src)][0], &src[0], blocks)
	}
}

// cpuHasAES reports whether the processor has AES instructions.
//
//go:noescape
func cpuHasAES() bool

// expandKey sets enc and dec to the round keys of key.
//
//go:noescape
func expandKey(key *SessionKey, enc, dec *roundKeys)

// encryptBlocks encrypts blocks blocks, at least one.
//
//go:noescape
func encryptBlocks(keys *roundKeys, iv *[16]byte, dst, src *byte, blocks int)

// decryptBlocks decrypts blocks blocks, at least one.
//
//go:noescape
func decryptBlocks(keys *roundKeys, iv *[16]byte, dst, src *byte, blocks int)
