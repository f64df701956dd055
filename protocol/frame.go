package protocol

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// ErrVersion: the header bears another protocol version.
var ErrVersion = errors.New("not protocol version 3")

// A ClientID names a client in every request header. It is part of what proves
// an identity, so it prints as a fingerprint.
type ClientID [16]byte

// Format prints a fingerprint of the id, whatever the verb.
func (id ClientID) Format(f fmt.State, _ rune) { io.WriteString(f, id.LogValue().String()) }

// LogValue logs a fingerprint of the id.
func (id ClientID) LogValue() slog.Value {
	sum := sha256.Sum256(id[:])
	return slog.StringValue("client:" + hex.EncodeToString(sum[:4]))
}

// An UploadID names an upload.
type UploadID [16]byte

// String is the id in hexadecimal.
func (id UploadID) String() string { return hex.EncodeToString(id[:]) }

// A RequestHeader stands before each request's payload. See docs/protocol.md,
// Framing.
type RequestHeader struct {
	Client  ClientID
	Version uint8
	Code    Code
	Size    uint32 // of the payload, as the peer claims
}

// ReadRequestHeader reads a header. A version other than 3 is ErrVersion, with
// the header as it came. A connection that ends before the first byte is
// io.EOF, one that ends within the header io.ErrUnexpectedEOF.
func ReadRequestHeader(r io.Reader) (RequestHeader, error) {
	var b [RequestHeaderSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return RequestHeader{}, err
	}
	h := RequestHeader{
		Client:  ClientID(b[:16]),
		Version: b[16],
		Code:    Code(binary.LittleEndian.Uint16(b[17:])),
		Size:    binary.LittleEndian.Uint32(b[19:]),
	}
	if h.Version != Version {
		return h, ErrVersion
	}
	return h, nil
}

// Append appends the header's 23 bytes to b.
func (h RequestHeader) Append(b []byte) []byte {
	b = append(b, h.Client[:]...)
	b = append(b, h.Version)
	b = binary.LittleEndian.AppendUint16(b, uint16(h.Code))
	return binary.LittleEndian.AppendUint32(b, h.Size)
}

// A ResponseHeader stands before each response's payload. See
// docs/protocol.md, Framing.
type ResponseHeader struct {
	Version uint8
	Code    Code
	Size    uint32 // of the payload, as the peer claims
}

// ReadResponseHeader reads a header, with errors as of ReadRequestHeader.
func ReadResponseHeader(r io.Reader) (ResponseHeader, error) {
	var b [ResponseHeaderSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return ResponseHeader{}, err
	}
	h := ResponseHeader{
		Version: b[0],
		Code:    Code(binary.LittleEndian.Uint16(b[1:])),
		Size:    binary.LittleEndian.Uint32(b[3:]),
	}
	if h.Version != Version {
		return h, ErrVersion
	}
	return h, nil
}

// Append appends the header's 7 bytes to b.
func (h ResponseHeader) Append(b []byte) []byte {
	b = append(b, h.Version)
	b = binary.LittleEndian.AppendUint16(b, uint16(h.Code))
	return binary.LittleEndian.AppendUint32(b, h.Size)
}

// A Message can be sent: it knows its code and its payload. Content that
// follows a payload (packets, file content) is not part of the message.
type Message interface {
	Code() Code
	// AppendPayload appends the encoded payload to b.
	AppendPayload(b []byte) []byte
}

// A Decoder is a message that can be read back from its payload. Whatever
// decodes encodes to the same bytes.
type Decoder interface {
	Message
	// DecodePayload sets the message from exactly its payload, without the
	// content that may follow. It does not keep p.
	DecodePayload(p []byte) error
}

// AppendRequest appends a whole request to b, but for contentSize bytes of
// content that the caller sends behind it.
func AppendRequest(b []byte, id ClientID, m Message, contentSize uint32) []byte {
	start := len(b)
	b = RequestHeader{Client: id, Version: Version, Code: m.Code()}.Append(b)
	b = m.AppendPayload(b)
	size := uint32(len(b)-start-RequestHeaderSize) + contentSize
	binary.LittleEndian.PutUint32(b[start+19:], size)
	return b
}

// AppendResponse appends a whole response to b, but for contentSize bytes of
// content that the caller sends behind it.
func AppendResponse(b []byte, m Message, contentSize uint32) []byte {
	start := len(b)
	b = ResponseHeader{Version: Version, Code: m.Code()}.Append(b)
	b = m.AppendPayload(b)
	size := uint32(len(b)-start-ResponseHeaderSize) + contentSize
	binary.LittleEndian.PutUint32(b[start+3:], size)
	return b
}

// ReadPayload reads a payload of size bytes and decodes it into m. Memory
// grows with what arrives, not with size.
func ReadPayload(r io.Reader, size uint32, m Decoder) error {
	p, err := readExact(r, int64(size))
	if err != nil {
		return fmt.Errorf("reading the payload of %v: %w", m.Code(), err)
	}
	if err := m.DecodePayload(p); err != nil {
		return fmt.Errorf("decoding %v: %w", m.Code(), err)
	}
	return nil
}

// readAtOnce is the size up to which a claimed length is believed.
const readAtOnce = 4 << 10

func readExact(r io.Reader, size int64) ([]byte, error) {
	if size <= readAtOnce {
		p := make([]byte, size)
		_, err := io.ReadFull(r, p)
		if err == io.EOF && size > 0 {
			err = io.ErrUnexpectedEOF
		}
		return p, err
	}
	p, err := io.ReadAll(io.LimitReader(r, size))
	if err == nil && int64(len(p)) < size {
		err = io.ErrUnexpectedEOF
	}
	return p, err
}
