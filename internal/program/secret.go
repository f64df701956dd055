package program

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A Secret is where 32 secret bytes are, as 64 hexadecimal digits.
type Secret struct {
	What     string // it is, for people
	Text     string // the digits themselves, if they came by the environment
	Variable string // that they came by
	File     string // that has them otherwise
	Shared   bool   // the file's group may read it as well, if this program makes it
}

// Read returns the secret. If its file is missing, that is fs.ErrNotExist.
func (s Secret) Read() (secret [32]byte, err error) {
	text, source := s.Text, s.Variable
	if text == "" {
		content, err := os.ReadFile(s.File)
		if err != nil {
			var failed *os.PathError
			if errors.As(err, &failed) { // without the call's name
				err = fmt.Errorf("%s: %w", failed.Path, failed.Err)
			}
			return secret, fmt.Errorf("reading %s: %w", s.What, err)
		}
		text, source = string(content), s.File
	}
	b, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(b) != len(secret) {
		return secret, fmt.Errorf("%s in %s is not 64 hex digits", s.What, source)
	}
	return [32]byte(b), nil
}

// Make makes a new secret and keeps it in the file, which must not be there.
func (s Secret) Make() (secret [32]byte, err error) {
	rand.Read(secret[:]) // never fails
	mode := os.FileMode(0o600)
	if s.Shared {
		mode = 0o640
	}
	if err := writePrivate(s.File, []byte(hex.EncodeToString(secret[:])+"\n"), mode, os.Link); err != nil {
		return secret, fmt.Errorf("saving %s, which is new: %w", s.What, err)
	}
	return secret, nil
}

// WritePrivate writes a file that only its owner may read. What was there under
// its name stays until the new content is whole and on the disk.
func WritePrivate(name string, content []byte) error {
	return writePrivate(name, content, 0o600, os.Rename)
}

// writePrivate writes a file under another name and lets place give it its own.
func writePrivate(name string, content []byte, mode os.FileMode, place func(from, to string) error) error {
	folder := filepath.Dir(name)
	tmp, err := os.CreateTemp(folder, ".coffer-*") // has mode 0600
	if err != nil {
		return named(err, name)
	}
	_, err = tmp.Write(content)
	err = named(err, name)
	if mode != 0o600 {
		err = errors.Join(err, tmp.Chmod(mode))
	}
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	err = place(tmp.Name(), name)
	os.Remove(tmp.Name()) // a link leaves it, and so does what fails
	if err != nil {
		return err
	}
	return syncFolder(folder)
}

// named is an error about what a file is made of, as one about the file.
func named(err error, name string) error {
	var failed *os.PathError
	if !errors.As(err, &failed) {
		return err
	}
	return &os.PathError{Op: failed.Op, Path: name, Err: failed.Err}
}

// syncFolder makes the names in a folder last. NTFS has them in its journal,
// and no call for it.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
