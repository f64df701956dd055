package e2e

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"coffer/protocol"
)

// A fault looks at what goes from clients to the server, a piece at a time,
// and may alter it. It returns how many bytes of the piece still go through
// before the connection is cut, or all. Calls come one at a time.
type fault func(conn int, piece []byte) (through int)

// newProxy makes an address that leads to another by way of a fault.
func newProxy(t *testing.T, target string, f fault) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: target, fault: f, open: make(map[net.Conn]bool)}
	p.running.Go(func() { p.accept(l) })
	t.Cleanup(func() {
		l.Close()
		p.cutAll()
		p.running.Wait()
	})
	return l.Addr().String()
}

type proxy struct {
	target  string
	running sync.WaitGroup

	faults sync.Mutex // held while fault runs
	fault  fault

	mu     sync.Mutex // guards what follows
	open   map[net.Conn]bool
	closed bool
}

func (p *proxy) accept(l net.Listener) {
	for number := 0; ; number++ {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		if !p.add(client, server) {
			return
		}
		p.running.Go(func() {
			defer p.cut(client, server)
			p.forward(server, client, number)
		})
		p.running.Go(func() {
			defer p.cut(client, server)
			io.Copy(client, server) // ends when either side does; nothing is to be done about why
		})
	}
}

// forward copies from the client to the server until one of them, or the
// fault, ends it.
func (p *proxy) forward(server io.Writer, client io.Reader, number int) {
	buf := make([]byte, 32<<10)
	for {
		n, err := client.Read(buf)
		p.faults.Lock()
		through := p.fault(number, buf[:n])
		p.faults.Unlock()
		if _, err := server.Write(buf[:through]); err != nil {
			return
		}
		if err != nil || through < n {
			return
		}
	}
}

func (p *proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		if p.closed {
			conn.Close()
			continue
		}
		p.open[conn] = true
	}
	return !p.closed
}

func (p *proxy) cut(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		conn.Close()
		delete(p.open, conn)
	}
}

func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for conn := range p.open {
		conn.Close()
	}
}

// cutEvery cuts the connection each time so many bytes went through, mid-packet,
// up to a number of times. before is called before each cut.
func cutEvery(bytes, times int, before func()) fault {
	done := 0
	return func(_ int, piece []byte) int {
		if times == 0 || done+len(piece) < bytes {
			done += len(piece)
			return len(piece)
		}
		through := bytes - done
		done = 0
		times--
		before()
		return through
	}
}

// corrupt flips a bit in the content of the first packet of an upload, so many
// times.
func corrupt(times int) fault {
	streams := make(map[int]*frames)
	return func(conn int, piece []byte) int {
		if streams[conn] == nil {
			streams[conn] = new(frames)
		}
		streams[conn].each(piece, func(code protocol.Code, offset uint32, b *byte) {
			const inContent = 16 + 4 + 1 + 100 // upload id, number, last, and a few
			if code == protocol.CodeUploadPacket && offset == inContent && streams[conn].number == 1 && times > 0 {
				times--
				*b ^= 0x10
			}
		})
		return len(piece)
	}
}

// frames follows the requests on one connection.
type frames struct {
	header []byte // of the request under way
	offset uint32 // in its payload
	number uint32 // of the packet, once its bytes were seen
}

// each calls f for every byte of a payload.
func (s *frames) each(piece []byte, f func(code protocol.Code, offset uint32, b *byte)) {
	for i := range piece {
		if len(s.header) < protocol.RequestHeaderSize {
			s.header = append(s.header, piece[i])
			s.offset, s.number = 0, 0
		} else {
			if s.offset >= 16 && s.offset < 20 {
				s.number |= uint32(piece[i]) << (8 * (s.offset - 16))
			}
			f(protocol.Code(binary.LittleEndian.Uint16(s.header[17:])), s.offset, &piece[i])
			s.offset++
		}
		if len(s.header) == protocol.RequestHeaderSize && s.offset == binary.LittleEndian.Uint32(s.header[19:]) {
			s.header = s.header[:0]
		}
	}
}
