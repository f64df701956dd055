package protocol

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"testing"
)

// helloOf is the ClientHello that a client with these settings sends.
func helloOf(t *testing.T, conf *tls.Config) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	go func() {
		tls.Client(theirs, conf).Handshake() // ends when ours is closed
		theirs.Close()
	}()
	defer ours.Close()
	head := make([]byte, 5)
	if _, err := io.ReadFull(ours, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(ours, body); err != nil {
		t.Fatal(err)
	}
	return append(head, body...)
}

func speaksTLS(b []byte) bool { return SpeaksTLS(bufio.NewReaderSize(bytes.NewReader(b), 512)) }

func TestSpeaksTLS(t *testing.T) {
	hello := helloOf(t, &tls.Config{InsecureSkipVerify: true})
	for name, conf := range map[string]*tls.Config{
		"any":   {InsecureSkipVerify: true},
		"named": {ServerName: "backup.example.org"},
		"old":   {InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12},
	} {
		if !speaksTLS(helloOf(t, conf)) {
			t.Errorf("%s: a ClientHello is not seen", name)
		}
	}

	// A ClientHello whose random reads like a header of this protocol.
	for _, m := range []Message{&Reconnect{}, &SendFile{}, &NamedPacket{}, &SendPublicKey{DER: make([]byte, 160)}} {
		mimic := bytes.Clone(hello)
		copy(mimic[16:], AppendRequest(nil, ClientID{}, m, 500)[16:RequestHeaderSize])
		if limit, _ := m.Code().Limit(); !limit.Allows(binary.LittleEndian.Uint32(mimic[19:])) {
			binary.LittleEndian.PutUint32(mimic[19:], limit.Min)
		}
		if !speaksTLS(mimic) {
			t.Errorf("%v: a ClientHello with an unlucky random is not seen", m.Code())
		}
	}

	// Requests whose client id reads like a ClientHello, the more the better.
	for length := 1; length <= 16; length++ {
		id := ClientID(bytes.Repeat([]byte{0xA7}, 16))
		copy(id[:length], hello)
		for _, m := range []Message{
			&Register{Name: field(t, "ada")}, &Reconnect{Name: field(t, "a name with spaces in it")},
			&SendFile{ContentSize: 16, OriginalSize: 3, Number: 1, Total: 1, Name: field(t, "notes/today at eight.txt")},
			&SendFile{ContentSize: 16, OriginalSize: 3, Number: 1, Total: 1, Name: field(t, "n")},
			&ChecksumOK{Name: field(t, "n")}, &Challenge{}, &Prove{}, &GetAccount{},
		} {
			content := make([]byte, 16)
			if limit, _ := m.Code().Limit(); !limit.Content {
				content = nil
			}
			if speaksTLS(append(AppendRequest(nil, id, m, uint32(len(content))), content...)) {
				t.Errorf("%v with an id that has the first %d bytes of a ClientHello is taken for TLS", m.Code(), length)
			}
		}
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "a record's first byte": {0x16}, "HTTP": []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"another handshake message": append([]byte{0x16, 3, 1, 2, 0, 2, 0, 1, 0xFC, 3, 3}, make([]byte, 600)...),
		"an alert":                  {0x15, 3, 1, 0, 2, 2, 40},
		"zeros":                     make([]byte, 300),
	} {
		if speaksTLS(b) {
			t.Errorf("%s is taken for TLS", name)
		}
	}
}

// Whatever comes, looking takes nothing away.
func FuzzSpeaksTLS(f *testing.F) {
	f.Add([]byte{0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3})
	f.Add(AppendRequest(nil, ClientID{0x16, 3, 1}, &Challenge{}, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(b), 512)
		SpeaksTLS(r)
		if rest, err := io.ReadAll(r); err != nil || !bytes.Equal(rest, b) {
			t.Errorf("%x became %x, %v", b, rest, err)
		}
	})
}
