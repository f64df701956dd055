package backup

import (
	"context"
	"hash"

	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
)

// A packet is a piece of the ciphertext.
type packet struct {
	number uint32 // from 1
	last   bool
	data   []byte
	acked  bool // owned by the window
}

// cutter is the end of the pipeline that reads: what is written to it is
// checksummed, encrypted and cut into packets. All packets are alike in size
// but the last, which Close makes.
type cutter struct {
	ctx     context.Context
	enc     *crypt.Encrypter
	size    int           // plaintext bytes in a packet, a multiple of the block
	free    <-chan []byte // buffers with a capacity of size and two blocks more
	packets chan<- *packet

	sum    cksum.Digest // of the plaintext
	sha    hash.Hash    // of the ciphertext
	number uint32
	buf    []byte
	filled int // plaintext bytes in buf
}

func (c *cutter) Write(p []byte) (int, error) {
	written := len(p)
	c.sum.Write(p)
	for len(p) > 0 {
		if err := c.buffer(); err != nil {
			return 0, err
		}
		n := min(len(p), c.size-c.filled)
		c.buf = c.enc.Append(c.buf, p[:n])
		c.filled += n
		p = p[n:]
		if c.filled == c.size {
			if err := c.flush(false); err != nil {
				return 0, err
			}
		}
	}
	return written, nil
}

// Close sends the last packet, which has at least the padding.
func (c *cutter) Close() error {
	if err := c.buffer(); err != nil {
		return err
	}
	c.buf = c.enc.Finish(c.buf)
	return c.flush(true)
}

// buffer makes sure that there is one to fill.
func (c *cutter) buffer() error {
	if c.buf != nil {
		return nil
	}
	select {
	case b := <-c.free:
		c.buf = b[:0]
		return nil
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
}

func (c *cutter) flush(last bool) error {
	c.number++
	c.sha.Write(c.buf)
	p := &packet{number: c.number, last: last, data: c.buf}
	c.buf, c.filled = nil, 0
	select {
	case c.packets <- p:
		return nil
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
}
