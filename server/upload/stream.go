package upload

import (
	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
	"crypto/sha256"
	"encoding"
	"hash"
)

// A stream is what the ciphertext runs through, in order: the checksum of the
// stored bytes, decryption, and the plaintext's checksum. Plaintext exists
// nowhere but in the buffer that is being worked on.
type stream struct {
	size int64 // ciphertext bytes so far
	sha  hash.Hash
	dec  *crypt.Decrypter
	sum  *cksum.Digest
}

func newStream(key crypt.SessionKey) stream {
	return stream{sha: sha256.New(), dec: crypt.NewDecrypter(key), sum: cksum.New()}
}

func (s *stream) write(ciphertext, scratch []byte) {
	s.size += int64(len(ciphertext))
	s.sha.Write(ciphertext)
	s.sum.Write(s.dec.Append(scratch[:0], ciphertext))
}

// clone copies the stream, to return to when a packet breaks off.
func (s *stream) clone() stream {
	state, err := s.sha.(encoding.BinaryMarshaler).MarshalBinary()
	sha := sha256.New()
	if err == nil {
		err = sha.(encoding.BinaryUnmarshaler).UnmarshalBinary(state)
	}
	if err != nil {
		panic(err) // crypto/sha256 promises that it can
	}
	sum := *s.sum
	return stream{size: s.size, sha: sha, dec: s.dec.Clone(), sum: &sum}
}

// An ending is what a stream comes to.
type ending struct {
	plain  uint64 // bytes
	cksum  uint32 // of the plaintext
	sha256 [32]byte
}

// finish ends the stream, and fails if the padding is wrong. The stream is as
// before: more may follow.
func (s *stream) finish() (ending, error) {
	var last [2 * crypt.BlockSize]byte
	defer clear(last[:])
	rest, err := s.dec.Finish(last[:0])
	if err != nil {
		return ending{}, err
	}
	sum := *s.sum
	sum.Write(rest)
	return ending{plain: s.dec.Len(), cksum: sum.Sum32(), sha256: [32]byte(s.sha.Sum(nil))}, nil
}
