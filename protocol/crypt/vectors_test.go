package crypt

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

const testdata = "../testdata"

// keyLabels name the RSA keys beside the vectors.
var keyLabels = []string{"rsa1024_e65537", "rsa1024_e17", "rsa3072_e65537"}

// hexBytes are bytes that JSON has as hexadecimal digits.
type hexBytes []byte

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

// vectors were made with openssl; see their "about".
type vectors struct {
	SessionKey hexBytes            `json:"session_key"`
	Wrapped    map[string]hexBytes `json:"oaep_wrapped_session_key"`
	CBC        []struct {
		Length           int
		CiphertextLength int      `json:"ciphertext_length"`
		CiphertextSHA256 hexBytes `json:"ciphertext_sha256"`
		Ciphertext       hexBytes // of the short ones only
	} `json:"aes_256_cbc_zero_iv_of_content"`
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	var v vectors
	if err := json.Unmarshal(readFile(t, "vectors.json"), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Wrapped) == 0 || len(v.CBC) == 0 || len(v.SessionKey) != KeySize {
		t.Fatal("no vectors")
	}
	return v
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testdata, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readPublicKey(t testing.TB, label string) []byte {
	t.Helper()
	return readFile(t, label+".pub.der")
}

func readPrivateKey(t testing.TB, label string) *rsa.PrivateKey {
	t.Helper()
	block, _ := pem.Decode(readFile(t, label+".key.pem"))
	if block == nil {
		t.Fatalf("%s: no PEM", label)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

// content returns the first n bytes of SHA-256(u64le 0) || SHA-256(u64le 1) ...
func content(n int) []byte {
	b := make([]byte, 0, n+sha256.Size)
	for i := uint64(0); len(b) < n; i++ {
		block := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, i))
		b = append(b, block[:]...)
	}
	return b[:n]
}

// testKey is a fixed key for tests that need no particular one.
var testKey = SessionKey(content(KeySize))
