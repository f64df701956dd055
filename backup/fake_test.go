package backup

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"coffer/client"
	"coffer/protocol"
	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
)

// fake is a server for one account, in memory, with faults.
type fake struct {
	t    *testing.T
	priv *rsa.PrivateKey
	ln   net.Listener
	wg   sync.WaitGroup

	mu       sync.Mutex
	conns    map[net.Conn]bool
	session  crypt.SessionKey
	key      crypt.SessionKey
	wrapped  []byte
	format   protocol.Format
	packets  map[uint32][]byte
	total    uint32
	attempts uint8
	files    map[string]*fakeFile
	begun    int
	received int
	canceled int

	// faults
	wrongSums int                     // verifications that fail
	cutAt     map[int]bool            // cut the connection at the nth packet received
	onCut     func(f *fake)           // what else happens then
	refuse    *protocol.Failure       // instead of beginning an upload
	cutRead   map[int]bool            // cut the nth read in its middle
	damage    func(ciphertext []byte) // of what is committed
	reads     int
}

type fakeFile struct {
	info protocol.FileInfo
	data []byte
}

func newFake(t *testing.T) (*fake, *client.Session) {
	t.Helper()
	priv, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, priv: priv, ln: ln, conns: map[net.Conn]bool{}, files: map[string]*fakeFile{}}
	f.wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns[nc] = true
			f.mu.Unlock()
			f.wg.Go(func() { defer nc.Close(); f.serve(nc) })
		}
	})
	session, err := client.NewSession(client.Credentials{Addr: ln.Addr().String(), Name: "me", Key: priv},
		client.SessionOptions{MinBackoff: time.Millisecond, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		session.Close()
		ln.Close()
		f.mu.Lock()
		for nc := range f.conns {
			nc.Close()
		}
		f.mu.Unlock()
		f.wg.Wait()
	})
	return f, session
}

func (f *fake) serve(nc net.Conn) {
	for {
		h, err := protocol.ReadRequestHeader(nc)
		if err != nil {
			return
		}
		payload := make([]byte, h.Size)
		if _, err := io.ReadFull(nc, payload); err != nil {
			return
		}
		f.mu.Lock()
		answer, content, cut := f.answer(h.Code, payload)
		f.mu.Unlock()
		if cut && content == nil {
			return
		}
		b := append(protocol.AppendResponse(nil, answer, uint32(len(content))), content...)
		if cut {
			b = b[:len(b)-len(content)/2]
		}
		if _, err := nc.Write(b); err != nil || cut {
			return
		}
	}
}

func (f *fake) newKey() (crypt.SessionKey, []byte) {
	key, err := crypt.NewSessionKey()
	if err != nil {
		f.t.Error(err)
	}
	wrapped, err := crypt.Wrap(&f.priv.PublicKey, crypt.SHA256, key)
	if err != nil {
		f.t.Error(err)
	}
	return key, wrapped
}

func (f *fake) decode(m protocol.Decoder, p []byte) {
	if err := m.DecodePayload(p); err != nil {
		f.t.Errorf("%v: %v", m.Code(), err)
	}
}

func (f *fake) answer(code protocol.Code, p []byte) (m protocol.Message, content []byte, cut bool) {
	switch code {
	case protocol.CodeReconnect:
		var wrapped []byte
		f.session, wrapped = f.newKey()
		return &protocol.Reconnected{WrappedKey: wrapped}, nil, false
	case protocol.CodeChallenge:
		return &protocol.ChallengeIssued{}, nil, false
	case protocol.CodeProve:
		if !f.session.VerifyProof(make([]byte, 32), p) {
			return &protocol.Failure{Status: protocol.StatusUnauthenticated}, nil, false
		}
		return &protocol.Done{}, nil, false
	case protocol.CodeBeginUpload:
		if f.refuse != nil {
			return f.refuse, nil, false
		}
		var begin protocol.BeginUpload
		f.decode(&begin, p)
		f.begun++
		f.key, f.wrapped = f.newKey()
		f.packets, f.total, f.attempts, f.format = map[uint32][]byte{}, 0, protocol.MaxAttempts, begin.Format
		return &protocol.UploadBegun{Upload: protocol.UploadID{byte(f.begun)}, MaxPacket: 1 << 20, WrappedKey: f.wrapped}, nil, false
	case protocol.CodeUploadPacket:
		var packet protocol.UploadPacket
		f.decode(&packet, p[:21])
		if packet.Upload != (protocol.UploadID{byte(f.begun)}) || f.packets == nil {
			return &protocol.Failure{Status: protocol.StatusNotFound}, nil, false
		}
		f.received++
		if f.cutAt[f.received] {
			if f.onCut != nil {
				f.onCut(f)
			}
			return nil, nil, true
		}
		f.packets[packet.Number] = bytes.Clone(p[21:])
		if packet.Last {
			f.total = packet.Number
		}
		return f.state(), nil, false
	case protocol.CodeGetUpload:
		if f.packets == nil {
			return &protocol.Failure{Status: protocol.StatusNotFound}, nil, false
		}
		return f.state(), nil, false
	case protocol.CodeCancelUpload:
		f.canceled++
		f.packets = nil
		return &protocol.Done{}, nil, false
	case protocol.CodeVerifyUpload:
		return f.verify(p), nil, false
	case protocol.CodeGetFile:
		var ask protocol.GetFile
		f.decode(&ask, p)
		if file := f.files[ask.Name]; file != nil {
			return &file.info, nil, false
		}
		return &protocol.Failure{Status: protocol.StatusNotFound, Message: "no such file"}, nil, false
	case protocol.CodeReadFile:
		var read protocol.ReadFile
		f.decode(&read, p)
		file := f.files[read.Name]
		f.reads++
		end := min(uint64(len(file.data)), read.Offset+100_000)
		return &protocol.FileContent{Version: 1, Size: uint64(len(file.data)), Offset: read.Offset}, file.data[read.Offset:end], f.cutRead[f.reads]
	}
	f.t.Errorf("unexpected %v", code)
	return &protocol.Error{}, nil, false
}

func (f *fake) state() *protocol.UploadState {
	top := f.total
	for n := range f.packets {
		top = max(top, n)
	}
	s := &protocol.UploadState{Total: f.total, Received: uint32(len(f.packets))}
	for n := uint32(1); n <= top; n++ {
		if f.packets[n] == nil {
			s.MissingCount++
			s.Missing = append(s.Missing, protocol.Range{From: n, To: n})
		}
	}
	s.Complete = f.total > 0 && s.MissingCount == 0
	return s
}

func (f *fake) verify(p []byte) protocol.Message {
	var m protocol.VerifyUpload
	f.decode(&m, p)
	var data []byte
	for n := uint32(1); n <= f.total; n++ {
		data = append(data, f.packets[n]...)
	}
	d := crypt.NewDecrypter(f.key)
	plain, err := d.Finish(d.Append(nil, data))
	if err != nil {
		f.t.Error(err)
	}
	sum := cksum.Sum(plain)
	if f.wrongSums > 0 {
		f.wrongSums--
		f.attempts--
		f.packets, f.total = map[uint32][]byte{}, 0
		return &protocol.VerifyResult{AttemptsLeft: f.attempts, Cksum: ^sum}
	}
	if sum != m.Cksum {
		f.t.Errorf("checksum %d, and the client says %d", sum, m.Cksum)
	}
	if f.damage != nil {
		f.damage(data)
	}
	der, err := x509.MarshalPKIXPublicKey(&f.priv.PublicKey)
	if err != nil {
		f.t.Error(err)
	}
	f.files["x"] = &fakeFile{data: data, info: protocol.FileInfo{
		FileEntry: protocol.FileEntry{Version: 1, Size: uint64(len(data)), OriginalSize: uint64(len(plain)),
			Cksum: sum, SHA256: sha256.Sum256(data), Format: f.format, Verified: true, Name: "x"},
		KeyFingerprint: sha256.Sum256(der), WrappedKey: f.wrapped,
	}}
	return &protocol.VerifyResult{Verified: true, Cksum: sum, Version: 1}
}

// backUp backs up with small packets.
func backUp(t *testing.T, session *client.Session, source Source, opts Options) (Result, error) {
	t.Helper()
	opts.PacketSize = 1024
	return Backup(context.Background(), session, "x", source, opts)
}
