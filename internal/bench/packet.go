package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"coffer/protocol"
	"coffer/protocol/crypt"
)

// baseClient speaks the base protocol, as deployed clients do.
type baseClient struct {
	nc  net.Conn
	r   *bufio.Reader
	id  protocol.ClientID
	key crypt.SessionKey
	out []byte
}

// zeros is how many zeros are encrypted at once.
const zeros = 64 << 10

// register connects and registers a client.
func register(addr, name string, key *rsa.PrivateKey) (*baseClient, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &baseClient{nc: nc, r: bufio.NewReader(nc)}
	field, err := protocol.NewField(name)
	if err != nil {
		return nil, err
	}
	var registered protocol.Registered
	if err := c.ask(&protocol.Register{Name: field}, &registered); err != nil {
		return nil, err
	}
	c.id = registered.Client
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	var received protocol.KeyReceived
	if err := c.ask(&protocol.SendPublicKey{Name: field, DER: der}, &received); err != nil {
		return nil, err
	}
	c.key, err = crypt.Unwrap(key, crypt.SHA256, received.WrappedKey)
	return c, err
}

func (c *baseClient) ask(m protocol.Message, answer protocol.Decoder) error {
	if _, err := c.nc.Write(protocol.AppendRequest(nil, c.id, m, 0)); err != nil {
		return err
	}
	return c.await(answer)
}

func (c *baseClient) await(answer protocol.Decoder) error {
	h, err := protocol.ReadResponseHeader(c.r)
	if err != nil {
		return err
	}
	if h.Code != answer.Code() {
		return fmt.Errorf("answered with %v", h.Code)
	}
	return protocol.ReadPayload(c.r, h.Size, answer)
}

// send sends size zeros as a file in one packet, and confirms it.
func (c *baseClient) send(name string, size int64) error {
	field, err := protocol.NewField(name)
	if err != nil {
		return err
	}
	total := crypt.CiphertextLen(uint64(size))
	m := &protocol.SendFile{ContentSize: uint32(total), OriginalSize: uint32(size), Number: 1, Total: 1, Name: field}
	if c.out == nil {
		c.out = make([]byte, 0, 2*zeros)
	}
	out := protocol.AppendRequest(c.out[:0], c.id, m, uint32(total))
	enc := crypt.NewEncrypter(c.key)
	var b [zeros]byte
	for left := size; left > 0; {
		n := min(left, zeros)
		out = enc.Append(out, b[:n])
		left -= n
		if left == 0 {
			break // the rest goes out with the padding
		}
		if _, err := c.nc.Write(out); err != nil {
			return err
		}
		out = out[:0]
	}
	if _, err := c.nc.Write(enc.Finish(out)); err != nil {
		return err
	}
	var received protocol.FileReceived
	if err := c.await(&received); err != nil {
		return err
	}
	return c.ask(&protocol.ChecksumOK{Name: field}, new(protocol.Acknowledged))
}

func (b *bench) onePacket(ctx context.Context) error {
	return b.packets(ctx, 1, b.size, "peak memory, one packet")
}

func (b *bench) manyPackets(ctx context.Context) error {
	return b.packets(ctx, 64, b.many, "peak memory, 64 uploads at once")
}

// packets sends n files, each in one packet, at once.
func (b *bench) packets(ctx context.Context, n int, size int64, name string) (err error) {
	dir := filepath.Join(b.tmp, "packets")
	defer os.RemoveAll(dir)
	core, err := b.start(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, core.stop()) }()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	var group errgroup.Group
	for i := range n {
		group.Go(func() error {
			c, err := register(core.addr, fmt.Sprintf("client %d", i), key)
			if err != nil {
				return err
			}
			defer c.nc.Close()
			return c.send("zeros", size)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	peak, err := core.memory("VmHWM")
	if err != nil {
		return err
	}
	b.report(fmt.Sprintf("%s (%d MiB each)", name, size>>20), peak/(1<<20), "MiB")
	return nil
}
