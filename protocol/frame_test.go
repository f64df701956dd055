package protocol

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

func TestHeaderBytes(t *testing.T) {
	id := ClientID{0: 0x01, 15: 0x10}
	request := RequestHeader{Client: id, Version: 3, Code: CodeSendFile, Size: 0x0A0B0C0D}
	if got, want := hex.EncodeToString(request.Append(nil)),
		"01"+strings.Repeat("00", 14)+"10"+"03"+"0404"+"0d0c0b0a"; got != want {
		t.Errorf("request header = %s, want %s", got, want)
	}
	response := ResponseHeader{Version: 3, Code: CodeFileReceived, Size: 0x0A0B0C0D}
	if got, want := hex.EncodeToString(response.Append(nil)), "03"+"4306"+"0d0c0b0a"; got != want {
		t.Errorf("response header = %s, want %s", got, want)
	}
}

// headerReaders read a header, whole or in single bytes, and encode it again.
var headerReaders = []struct {
	name string
	raw  []byte
	// version is where the version stands in raw.
	version int
	read    func(io.Reader) ([]byte, error)
}{
	{
		"request", RequestHeader{Client: sampleClient, Version: 3, Code: CodeRegister, Size: 255}.Append(nil), 16,
		func(r io.Reader) ([]byte, error) {
			h, err := ReadRequestHeader(r)
			return h.Append(nil), err
		},
	},
	{
		"response", ResponseHeader{Version: 3, Code: CodeError, Size: 0}.Append(nil), 0,
		func(r io.Reader) ([]byte, error) {
			h, err := ReadResponseHeader(r)
			return h.Append(nil), err
		},
	},
}

func TestReadHeader(t *testing.T) {
	for _, header := range headerReaders {
		t.Run(header.name, func(t *testing.T) {
			for n := range header.raw {
				want := io.ErrUnexpectedEOF
				if n == 0 {
					want = io.EOF
				}
				if _, err := header.read(bytes.NewReader(header.raw[:n])); err != want {
					t.Errorf("%d bytes: %v, want %v", n, err, want)
				}
			}
			got, err := header.read(iotest.OneByteReader(bytes.NewReader(header.raw)))
			if err != nil || !bytes.Equal(got, header.raw) {
				t.Errorf("byte by byte: %x, %v, want %x", got, err, header.raw)
			}
			broken := errors.New("connection reset")
			if _, err := header.read(iotest.ErrReader(broken)); err != broken {
				t.Errorf("a broken connection: %v, want %v", err, broken)
			}
			for _, version := range []byte{0, 1, 2, 4, 0xFF} {
				raw := bytes.Clone(header.raw)
				raw[header.version] = version
				got, err := header.read(bytes.NewReader(raw))
				if !errors.Is(err, ErrVersion) || !bytes.Equal(got, raw) {
					t.Errorf("version %d: %x, %v, want the header as it came and ErrVersion", version, got, err)
				}
			}
		})
	}
}

// The announced size covers the message and the content that follows it, and
// appending leaves alone what was in the buffer.
func TestAppendWithContent(t *testing.T) {
	m := &UploadPacket{Upload: sampleUpload, Number: 1}
	raw := AppendRequest([]byte("before"), sampleClient, m, 1<<20)
	h, err := ReadRequestHeader(strings.NewReader(strings.TrimPrefix(string(raw), "before")))
	if err != nil || h.Size != uploadPacketSize+1<<20 || h.Client != sampleClient {
		t.Errorf("request header = %+v, %v", h, err)
	}
	c := &FileContent{Version: 1, Size: 2, Offset: 3}
	raw = AppendResponse([]byte("before"), c, 1<<20)
	r, err := ReadResponseHeader(strings.NewReader(strings.TrimPrefix(string(raw), "before")))
	if err != nil || r.Size != fileContentSize+1<<20 {
		t.Errorf("response header = %+v, %v", r, err)
	}
}

func TestReadPayload(t *testing.T) {
	bundle := bytes.Repeat([]byte("0123456789abcdef"), MaxKeyBundle/16)
	tests := []struct {
		name    string
		arrives string
		size    uint32
		into    Decoder
		want    error
	}{
		{"nothing wanted, nothing there", "", 0, &Error{}, nil},
		{"a small payload", string(sampleClient[:]), 16, &Registered{}, nil},
		{"what follows is left alone", string(sampleClient[:]) + "next", 16, &Registered{}, nil},
		{"a large payload", string(bundle), MaxKeyBundle, &KeyBundle{}, nil},
		{"nothing of a small payload", "", 16, &Registered{}, io.ErrUnexpectedEOF},
		{"half a small payload", "12345678", 16, &Registered{}, io.ErrUnexpectedEOF},
		{"nothing of a large payload", "", MaxKeyBundle, &KeyBundle{}, io.ErrUnexpectedEOF},
		{"half a large payload", string(bundle[:MaxKeyBundle/2]), MaxKeyBundle, &KeyBundle{}, io.ErrUnexpectedEOF},
		{"a payload that does not decode", "12345678", 8, &Registered{}, ErrMalformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := strings.NewReader(test.arrives)
			if err := ReadPayload(r, test.size, test.into); !errors.Is(err, test.want) {
				t.Fatalf("ReadPayload = %v, want %v", err, test.want)
			}
			if test.want != nil {
				return
			}
			if got := test.into.AppendPayload(nil); string(got) != test.arrives[:test.size] {
				t.Errorf("read %x", got)
			}
			if r.Len() != len(test.arrives)-int(test.size) {
				t.Errorf("%d bytes are left", r.Len())
			}
		})
	}
}

// allocatedBy returns how many bytes f allocates on average.
func allocatedBy(f func()) uint64 {
	const runs = 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / runs
}

// A peer that claims 4 GiB and sends 10 bytes costs what 10 bytes cost.
func TestReadPayloadDoesNotBelieveTheClaim(t *testing.T) {
	allocated := allocatedBy(func() {
		err := ReadPayload(strings.NewReader("0123456789"), MaxPayload, new(SendPublicKey))
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("ReadPayload = %v, want io.ErrUnexpectedEOF", err)
		}
	})
	if allocated > 64<<10 {
		t.Errorf("%d bytes allocated for 10 bytes that claim to be 4 GiB", allocated)
	}
}

// A list that claims 65,535 entries costs what its bytes cost.
func TestDecodeDoesNotBelieveCounts(t *testing.T) {
	for _, m := range []Decoder{&FileList{}, &UploadList{}} {
		payload := append(make([]byte, len(m.AppendPayload(nil))-2), 0xFF, 0xFF)
		allocated := allocatedBy(func() {
			if err := m.DecodePayload(payload); !errors.Is(err, ErrMalformed) {
				t.Errorf("%v: %v, want ErrMalformed", m.Code(), err)
			}
		})
		if allocated > 4<<10 {
			t.Errorf("%v: %d bytes allocated for a count alone", m.Code(), allocated)
		}
	}
}

// A client id must not reach a log in any of the ways in which values do.
func TestClientIDDoesNotPrintItself(t *testing.T) {
	id := ClientID([]byte("sixteen secrets!"))
	wrapped := fmt.Errorf("request of %v: %w", id, io.EOF)
	printed := map[string]string{
		"Sprint":      fmt.Sprint(id),
		"LogValue":    id.LogValue().String(),
		"error":       wrapped.Error(),
		"in a struct": fmt.Sprintf("%v %+v %#v", Registered{id}, &Registered{id}, &Registered{id}),
		"in a header": fmt.Sprintf("%v %+v %#v", RequestHeader{Client: id}, RequestHeader{Client: id}, RequestHeader{Client: id}),
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%#x", "% x", "%d", "%o", "%b", "%c", "%U", "%40s"} {
		printed[verb] = fmt.Sprintf(verb, id)
		printed[verb+" of a pointer"] = fmt.Sprintf(verb, &id)
		printed[verb+" in a slice"] = fmt.Sprintf(verb, []ClientID{id})
	}
	var text, json strings.Builder
	for _, h := range []slog.Handler{slog.NewTextHandler(&text, nil), slog.NewJSONHandler(&json, nil)} {
		slog.New(h).Info("request", "client", id, slog.Group("from", "id", id), "plain", slog.AnyValue(id))
	}
	printed["slog text"], printed["slog json"] = text.String(), json.String()

	for how, got := range printed {
		for _, secret := range spellings(id) {
			if strings.Contains(strings.ToLower(got), secret) {
				t.Errorf("%s shows the id: %q", how, got)
			}
		}
		if !strings.Contains(got, "client:") {
			t.Errorf("%s shows no fingerprint: %q", how, got)
		}
	}
	if other := (ClientID{}); fmt.Sprint(other) == fmt.Sprint(id) {
		t.Error("two ids have one fingerprint")
	}
}

// spellings are the ways in which the first bytes of an id could be printed,
// in lower case.
func spellings(id ClientID) []string {
	const telling = 4 // bytes that no fingerprint has by accident
	start := id[:telling]
	spelled := []string{string(start)}
	for _, format := range []string{"%x", "% x", "%d", "%o", "%b", "%U"} {
		spelled = append(spelled, strings.ToLower(strings.Trim(fmt.Sprintf(format, start), "[]")))
	}
	return append(spelled, "0x73, 0x69", "115,105", "115, 105")
}

func TestUploadIDString(t *testing.T) {
	if got, want := (UploadID{0: 0xAB, 15: 0xCD}).String(), "ab0000000000000000000000000000cd"; got != want {
		t.Errorf("String = %s, want %s", got, want)
	}
}
