package seal

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"filippo.io/age"
)

// cheap is a work factor for tests.
const cheap = 5

func TestPassphrase(t *testing.T) {
	for _, size := range []int{0, 1, 3000, MaxBundle} {
		content := pattern(size)
		bundle, err := SealWithPassphrase(content, "pass phrase", WorkFactor(cheap))
		if err != nil {
			t.Fatal(err)
		}
		if !IsSealed(bundle) {
			t.Error("not an age file")
		}
		got, err := OpenWithPassphrase(bundle, "pass phrase")
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
	}
	if _, err := SealWithPassphrase(make([]byte, MaxBundle+1), "x", WorkFactor(cheap)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if _, err := SealWithPassphrase(nil, ""); err == nil {
		t.Error("sealed without a passphrase")
	}
}

func TestDefaultWorkFactor(t *testing.T) {
	bundle, err := SealWithPassphrase([]byte("keys"), "pass")
	if err != nil {
		t.Fatal(err)
	}
	if line := bytes.SplitN(bundle, []byte("\n"), 3)[1]; !bytes.HasSuffix(line, []byte(" 18")) {
		t.Errorf("the recipient's line is %q", line)
	}
}

func TestOpenWithPassphraseErrors(t *testing.T) {
	bundle, err := SealWithPassphrase([]byte("keys"), "pass", WorkFactor(cheap))
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(bundle)
	changed[len(changed)-1] ^= 1
	tests := []struct {
		name       string
		sealed     []byte
		passphrase string
		want       error
	}{
		{"another passphrase", bundle, "Pass", ErrWrongPassphrase},
		{"changed", changed, "pass", ErrTampered},
		{"cut", bundle[:len(bundle)-1], "pass", ErrTampered},
		{"text", []byte("keys"), "pass", ErrNotSealed},
		{"nothing", nil, "pass", ErrNotSealed},
		{"to an identity", sealed(t, []byte("keys"), newIdentity(t)), "pass", ErrNotSealed},
		{"too large", make([]byte, MaxBundle+bundleOverhead+1), "pass", ErrTooLarge},
		{"a content too large", passphraseFile(t, MaxBundle+1), "pass", ErrTooLarge},
		{"too much work", bytes.Replace(bundle, []byte(" 5\n"), []byte(" 21\n"), 1), "pass", ErrTampered},
	}
	for _, test := range tests {
		if _, err := OpenWithPassphrase(test.sealed, test.passphrase); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, err, test.want)
		}
	}
	if _, err := OpenWithPassphrase(bundle, ""); err == nil {
		t.Error("opened without a passphrase")
	}
}

// passphraseFile is what age itself makes of size zeros.
func passphraseFile(t *testing.T, size int) []byte {
	t.Helper()
	to, err := age.NewScryptRecipient("pass")
	if err != nil {
		t.Fatal(err)
	}
	to.SetWorkFactor(cheap)
	r, err := age.EncryptReader(bytes.NewReader(make([]byte, size)), to)
	if err != nil {
		t.Fatal(err)
	}
	file, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return file
}
