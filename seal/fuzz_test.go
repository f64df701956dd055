package seal

import (
	"bytes"
	"io"
	"testing"
)

// Whatever the archive says, nothing outside the folder is touched.
func FuzzUnpack(f *testing.F) {
	for _, test := range hostile {
		f.Add(pack(f, test.entries...))
	}
	f.Add(pack(f, folderEntry("./"), folderEntry("a/"), file("a/b"), symlink("c", "a/b"), hardLink("d", "a/b")))
	f.Fuzz(func(t *testing.T, plain []byte) {
		dir, check := besideCanary(t)
		if err := unpackTar(t.Context(), withChecksums(plain), dir); err != nil && err.Error() == "" {
			t.Error("an error that says nothing")
		}
		check()
	})
}

// withChecksums makes the headers in an archive valid again, so that changes to
// them are not all thrown out for their checksum.
func withChecksums(plain []byte) []byte {
	plain = bytes.Clone(plain)
	for block := plain; len(block) >= blockSize; block = block[blockSize:] {
		if bytes.HasPrefix(block[257:], []byte("ustar")) {
			fixChecksum(block[:blockSize])
		}
	}
	return plain
}

// Bytes that are compressed archives at best.
func FuzzUnpackCompressed(f *testing.F) {
	f.Add(compress(pack(f, file("a"))))
	f.Add(compress(pack(f, symlink("a", ".."), file("a/outside/canary"))))
	f.Fuzz(func(t *testing.T, archive []byte) {
		dir, check := besideCanary(t)
		if err := unpackInto(t.Context(), bytes.NewReader(archive), dir, UnpackOptions{}); err == nil && len(archive) == 0 {
			t.Error("nothing is an archive")
		}
		check()
	})
}

// What opens was sealed to the identity; changed bytes give an error, not a
// panic and not other content.
func FuzzOpen(f *testing.F) {
	id := oldIdentity(f)
	content := pattern(1000)
	whole := sealed(f, content, id)
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add([]byte(intro))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := Open(bytes.NewReader(file), id)
		if err != nil {
			return
		}
		got, err := io.ReadAll(r)
		if err == nil && !bytes.Equal(got, content) {
			t.Errorf("opened %d bytes that were never sealed", len(got))
		}
	})
}

func FuzzOpenWithPassphrase(f *testing.F) {
	bundle, err := SealWithPassphrase([]byte("keys"), "pass", WorkFactor(cheap))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bundle)
	f.Add(bundle[:len(bundle)/2])
	f.Fuzz(func(t *testing.T, file []byte) {
		if bytes.Contains(file, []byte("-> scrypt")) && !bytes.Equal(file, bundle) {
			return // a guess may be made to cost a second and a gigabyte
		}
		if got, err := OpenWithPassphrase(file, "pass"); err == nil && string(got) != "keys" {
			t.Errorf("opened %q that was never sealed", got)
		}
	})
}

func FuzzParseIdentity(f *testing.F) {
	f.Add(oldIdentity(f).Secret())
	f.Add("# comment\n" + newIdentity(f).Secret())
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseIdentity(text)
		if err != nil {
			return
		}
		if again, err := ParseIdentity(id.Secret()); err != nil || again.Recipient() != id.Recipient() {
			t.Errorf("another identity came back: %v, %v", again, err)
		}
	})
}
