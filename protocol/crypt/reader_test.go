package crypt

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestReaders(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 17, 1000, readSize - 1, readSize, readSize + 1, 3*readSize + 5} {
		plaintext := content(n)
		want := stdlibEncrypt(testKey, pad(plaintext))
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"plain":     func(r io.Reader) io.Reader { return r },
			"halves of": iotest.HalfReader,
			"EOF with":  iotest.DataErrReader,
		} {
			if err := iotest.TestReader(NewEncryptReader(wrap(bytes.NewReader(plaintext)), testKey), want); err != nil {
				t.Errorf("encrypting %d bytes, %s data: %v", n, name, err)
			}
			if err := iotest.TestReader(NewDecryptReader(wrap(bytes.NewReader(want)), testKey), plaintext); err != nil {
				t.Errorf("decrypting %d bytes, %s data: %v", n, name, err)
			}
		}
	}
}

func TestReadersPassErrorsOn(t *testing.T) {
	broken := errors.New("broken")
	failing := func() io.Reader { return io.MultiReader(bytes.NewReader(content(64)), iotest.ErrReader(broken)) }

	got, err := io.ReadAll(NewEncryptReader(failing(), testKey))
	if !errors.Is(err, broken) || len(got) != 64 {
		t.Errorf("encrypting: %d bytes, %v", len(got), err)
	}
	got, err = io.ReadAll(NewDecryptReader(failing(), testKey))
	if !errors.Is(err, broken) || len(got) != 48 {
		t.Errorf("decrypting: %d bytes, %v", len(got), err)
	}

	if _, err := io.ReadAll(NewDecryptReader(bytes.NewReader(content(63)), testKey)); !errors.Is(err, ErrTruncated) {
		t.Errorf("err = %v, want ErrTruncated", err)
	}
	badPadding := stdlibEncrypt(testKey, make([]byte, 64))
	if _, err := io.ReadAll(NewDecryptReader(bytes.NewReader(badPadding), testKey)); !errors.Is(err, ErrPadding) {
		t.Errorf("err = %v, want ErrPadding", err)
	}
}
