package protocol

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"coffer/protocol/cksum"
)

// hexBytes are bytes that JSON spells in hexadecimal.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// vectors were made by independent programs; see their "about".
type vectors struct {
	ClientID   hexBytes            `json:"client_id"`
	SessionKey hexBytes            `json:"session_key"`
	Wrapped    map[string]hexBytes `json:"oaep_wrapped_session_key"`
	Messages   []struct {
		What  string
		Bytes hexBytes
	}
	PlaintextLength int    `json:"upload_plaintext_length"`
	UploadCksum     uint32 `json:"upload_cksum"`
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	var v vectors
	if err := json.Unmarshal(readTestdata(t, "vectors.json"), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Messages) == 0 || len(v.ClientID) != 16 || len(v.SessionKey) != 32 || len(v.Wrapped) == 0 {
		t.Fatal("testdata/vectors.json is empty or incomplete")
	}
	return v
}

func readTestdata(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func field(t testing.TB, name string) Field {
	t.Helper()
	f, err := NewField(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// golden is what a vector says, in the words of this package.
type golden struct {
	header  ClientID // of a request
	message Decoder
	content int // bytes that follow the message
}

func goldens(t *testing.T, v vectors) map[string]golden {
	id := ClientID(v.ClientID)
	john, report := field(t, "john_doe"), field(t, "report 2026.pdf")
	wrapped := []byte(v.Wrapped["rsa1024_e65537_sha256"])
	return map[string]golden{
		"1025 register john_doe": {message: &Register{Name: john}},
		"1600 registered":        {message: &Registered{Client: id}},
		"1601 register refused":  {message: &RegisterRefused{}},
		"1026 send public key, 162 bytes": {header: id, message: &SendPublicKey{
			Name: john, DER: readTestdata(t, "rsa1024_e65537.pub.der")}},
		"1026 send public key, 160 bytes": {header: id, message: &SendPublicKey{
			Name: john, DER: readTestdata(t, "rsa1024_e17.pub.der")}},
		"1602 session key":      {message: &KeyReceived{Client: id, WrappedKey: wrapped}},
		"1027 reconnect":        {header: id, message: &Reconnect{Name: john}},
		"1605 reconnected":      {message: &Reconnected{Client: id, WrappedKey: wrapped}},
		"1606 reconnect denied": {message: &ReconnectDenied{Client: id}},
		"1028 packet 1 of 2, 20 of 48 bytes of ciphertext": {header: id, content: 20, message: &SendFile{
			ContentSize: 20, OriginalSize: 40, Number: 1, Total: 2, Name: report}},
		"1028 packet 2 of 2, 28 of 48 bytes of ciphertext": {header: id, content: 28, message: &SendFile{
			ContentSize: 28, OriginalSize: 40, Number: 2, Total: 2, Name: report}},
		"1603 file received": {message: &FileReceived{
			Client: id, ContentSize: 48, Name: report, Cksum: v.UploadCksum}},
		"1029 checksum matches":            {header: id, message: &ChecksumOK{Name: report}},
		"1030 checksum differs, again":     {header: id, message: &ChecksumRetry{Name: report}},
		"1031 checksum differs, giving up": {header: id, message: &ChecksumGiveUp{Name: report}},
		"1604 acknowledged":                {message: &Acknowledged{Client: id}},
		"1607 error":                       {message: &Error{}},
	}
}

// Every vector decodes to the message we expect of it, and that message
// encodes to the vector, byte for byte.
func TestGolden(t *testing.T) {
	v := readVectors(t)
	want := goldens(t, v)
	for _, vector := range v.Messages {
		g, ok := want[vector.What]
		if !ok {
			t.Errorf("%s: the test does not know this vector", vector.What)
			continue
		}
		delete(want, vector.What)
		t.Run(vector.What, func(t *testing.T) {
			checkGolden(t, vector.Bytes, g)
		})
	}
	for what := range want {
		t.Errorf("%s: not among the vectors", what)
	}
}

func checkGolden(t *testing.T, raw []byte, want golden) {
	r := bytes.NewReader(raw)
	code, size := readGoldenHeader(t, r, want)
	if code != want.message.Code() {
		t.Fatalf("code = %v, want %v", code, want.message.Code())
	}
	if int(size) != r.Len() {
		t.Fatalf("payload size = %d, want %d", size, r.Len())
	}
	limit, known := code.Limit()
	if !known || !limit.Allows(size) {
		t.Errorf("Limit of %v = %+v, %t, which does not allow %d bytes", code, limit, known, size)
	}

	got := reflect.New(reflect.TypeOf(want.message).Elem()).Interface().(Decoder)
	if err := ReadPayload(r, size-uint32(want.content), got); err != nil {
		t.Fatal(err)
	}
	if r.Len() != want.content {
		t.Errorf("%d bytes of content are left, want %d", r.Len(), want.content)
	}
	if !reflect.DeepEqual(got, want.message) {
		t.Errorf("decoded\n%#v, want\n%#v", got, want.message)
	}

	content := raw[len(raw)-want.content:]
	for _, m := range []Message{got, want.message} {
		var encoded []byte
		if code >= CodeRegistered {
			encoded = AppendResponse(nil, m, uint32(want.content))
		} else {
			encoded = AppendRequest(nil, want.header, m, uint32(want.content))
		}
		if encoded = append(encoded, content...); !bytes.Equal(encoded, raw) {
			t.Errorf("encoded\n%x, want\n%x", encoded, raw)
		}
	}
}

func readGoldenHeader(t *testing.T, r *bytes.Reader, want golden) (Code, uint32) {
	t.Helper()
	if want.message.Code() >= CodeRegistered {
		h, err := ReadResponseHeader(r)
		if err != nil {
			t.Fatal(err)
		}
		return h.Code, h.Size
	}
	h, err := ReadRequestHeader(r)
	if err != nil {
		t.Fatal(err)
	}
	if h.Client != want.header {
		t.Errorf("the header's client id is not the vector's")
	}
	return h.Code, h.Size
}

// The content of the vectors' packets, put together and decrypted, is the
// plaintext whose checksum their 1603 bears: an encoder that misplaced one
// byte would not get there.
func TestGoldenContent(t *testing.T) {
	v := readVectors(t)
	var ciphertext []byte
	for _, vector := range v.Messages {
		if g := goldens(t, v)[vector.What]; g.content > 0 {
			ciphertext = append(ciphertext, vector.Bytes[len(vector.Bytes)-g.content:]...)
		}
	}
	block, err := aes.NewCipher(v.SessionKey)
	if err != nil {
		t.Fatal(err)
	}
	if want := v.PlaintextLength - v.PlaintextLength%16 + 16; len(ciphertext) != want {
		t.Fatalf("%d bytes of ciphertext, want %d", len(ciphertext), want)
	}
	cipher.NewCBCDecrypter(block, make([]byte, aes.BlockSize)).CryptBlocks(ciphertext, ciphertext)
	if got := cksum.Sum(ciphertext[:v.PlaintextLength]); got != v.UploadCksum {
		t.Errorf("checksum of the plaintext = %d, want %d", got, v.UploadCksum)
	}
}
