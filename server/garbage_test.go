package server_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"coffer/protocol"
	"coffer/server"
)

// goodFrames are requests of every kind, for garbage to be made of.
func goodFrames(w *wire) (frames [][]byte) {
	for _, m := range []protocol.Message{
		&protocol.Challenge{}, &protocol.Prove{}, &protocol.BeginUpload{Name: "f"}, &protocol.UploadPacket{Number: 1},
		&protocol.GetUpload{}, listAll(), &protocol.GetFile{Name: "f"}, &protocol.ReadFile{Name: "f"},
		&protocol.SignIn{Name: "x"}, &protocol.VerifyUpload{}, &protocol.PutKeyBundle{}, &protocol.DeleteFile{Name: "z"},
	} {
		frames = append(frames, protocol.AppendRequest(nil, w.id, m, 0))
	}
	frames = append(frames, w.frames("f", content(1, 3000), 700)...)
	for code := uint16(1025); code <= 1031; code++ {
		if code != 1028 {
			frames = append(frames, append(w.header(code, 255), field("client")...))
		}
	}
	return frames
}

func mutate(random *rand.Rand, frame []byte) []byte {
	f := bytes.Clone(frame)
	for range random.IntN(4) {
		f[random.IntN(len(f))] = byte(random.Uint32())
	}
	if random.IntN(20) == 0 {
		f = f[:random.IntN(len(f))]
	}
	return f
}

// The server outlives garbage, at a constant size. COFFER_TEST_FRAMES sets how
// many frames are sent.
func TestGarbage(t *testing.T) {
	total := 20_000
	if s := os.Getenv("COFFER_TEST_FRAMES"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		total = n
	}
	c := startCore(t, func(cfg *server.Config) {
		cfg.RegistrationRate = 0
		cfg.IdleTimeout, cfg.MaxPacket, cfg.MaxUploads = 2*time.Second, 1<<20, 16
	})
	w := c.newClient("client")
	frames := goodFrames(w)
	const perConn, workers = 50, 4
	run := func(seed uint64, n int) {
		var all sync.WaitGroup
		for worker := range uint64(workers) {
			all.Go(func() {
				random := rand.New(rand.NewPCG(seed, worker))
				for range n / workers / perConn {
					nc, err := net.Dial("tcp", c.public)
					if err != nil {
						t.Error(err)
						return
					}
					var reading sync.WaitGroup
					reading.Go(func() { io.Copy(io.Discard, nc) })
					for range perConn {
						nc.SetWriteDeadline(time.Now().Add(patience))
						if _, err := nc.Write(mutate(random, frames[random.IntN(len(frames))])); err != nil {
							break
						}
					}
					nc.(*net.TCPConn).CloseWrite()
					reading.Wait()
					nc.Close()
				}
			})
		}
		all.Wait()
	}
	run(1, total/2)
	before := heap()
	run(2, total/2)
	if after := heap(); after > before+16<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	good := c.proven("good")
	good.store("f", content(2, 5000), 700)
	good.expectStored("f", content(2, 5000))
}

// pipes is a listener whose connections are made in memory.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case nc := <-p.conns:
		return nc, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func FuzzConnection(f *testing.F) {
	c := startCore(f, func(cfg *server.Config) { cfg.IdleTimeout, cfg.MaxPacket = time.Second, 1<<20 })
	for _, frame := range goodFrames(c.newClient("client")) {
		f.Add(frame)
	}
	l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	ctx := f.Context()
	var serving sync.WaitGroup
	serving.Go(func() { c.srv.Serve(ctx, l, nil) })
	f.Cleanup(serving.Wait)
	f.Fuzz(func(t *testing.T, in []byte) {
		near, far := net.Pipe()
		l.conns <- far
		var reading sync.WaitGroup
		reading.Go(func() { io.Copy(io.Discard, near) })
		near.SetWriteDeadline(time.Now().Add(5 * time.Second))
		near.Write(in)
		near.Close()
		reading.Wait()
	})
}
