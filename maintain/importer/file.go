package importer

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"coffer/protocol"
	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
	"coffer/store"
)

// chunk is how much of a file is worked on at once.
const chunk = 256 << 10

// buffers are the memory that all files share, one after another.
type buffers struct{ plain, cipher []byte }

// errUnreadable concerns one file; the others continue.
type errUnreadable struct{ err error }

func (e errUnreadable) Error() string { return e.err.Error() }
func (e errUnreadable) Unwrap() error { return e.err }

// takeFile stores one file, unless it is here already.
func (r *run) takeFile(ctx context.Context, c store.Client, f fileRecord, size int64) error {
	defer r.worked(size)
	here, err := r.versions(ctx, c.ID, f.name)
	if err != nil {
		return err
	}
	if len(here) > 0 {
		length, sum, err := r.measure(ctx, f.path)
		if err != nil {
			return r.unreadable(c, f, err)
		}
		sent := false // by the client itself, since
		for _, v := range here {
			if v.OriginalSize == length && v.Cksum == sum {
				r.report.Files.Present++
				return nil
			}
			sent = sent || !tookOver(v)
		}
		if sent {
			r.report.leaveOut(FileNewerHere, c.Name, f.shown, "its client has backed it up here since, with other content")
			return nil
		}
	}
	if r.DryRun {
		file, err := r.src.root.Open(f.path)
		if err != nil {
			return r.unreadable(c, f, errUnreadable{err})
		}
		r.report.Files.Taken++
		r.report.Bytes += size
		return file.Close()
	}
	length, err := r.storeFile(ctx, c, f)
	if err != nil {
		return r.unreadable(c, f, err)
	}
	r.report.Files.Taken++
	r.report.Bytes += length
	return nil
}

// unreadable reports a file that cannot be read, and returns any other error.
func (r *run) unreadable(c store.Client, f fileRecord, err error) error {
	if !errors.As(err, new(errUnreadable)) {
		return err
	}
	r.report.leaveOut(FileUnreadable, c.Name, f.shown, printable([]byte(err.Error())))
	return nil
}

// read passes a file's content to use, in chunks, and fails if the file changed
// meanwhile.
func (r *run) read(ctx context.Context, path string, use func([]byte) error) error {
	file, err := r.src.root.Open(path)
	if err != nil {
		return errUnreadable{err}
	}
	defer file.Close()
	before, err := file.Stat()
	if err != nil {
		return errUnreadable{err}
	}
	if r.buffers.plain == nil {
		r.buffers.plain = make([]byte, chunk)
	}
	defer clear(r.buffers.plain)
	var length int64
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := file.Read(r.buffers.plain)
		length += int64(n)
		if err := use(r.buffers.plain[:n]); err != nil {
			return err
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return errUnreadable{err}
		}
	}
	return unchanged(file, before, length)
}

func unchanged(file *os.File, before os.FileInfo, length int64) error {
	after, err := file.Stat()
	if err != nil {
		return errUnreadable{err}
	}
	if length != before.Size() || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return errUnreadable{errors.New("it changed while it was read; is the earlier server still running?")}
	}
	return nil
}

func (r *run) measure(ctx context.Context, path string) (length int64, sum uint32, err error) {
	d := cksum.New()
	err = r.read(ctx, path, func(p []byte) error { _, err := d.Write(p); return err })
	return int64(d.Len()), d.Sum32(), err
}

// storeFile encrypts a file for its client and commits it.
func (r *run) storeFile(ctx context.Context, c store.Client, f fileRecord) (length int64, err error) {
	pub, _, err := crypt.ParsePublicKey(c.PublicKey)
	if err != nil {
		return 0, err
	}
	hash, err := crypt.ParseOAEPHash(c.OAEPHash)
	if err != nil {
		return 0, err
	}
	key, err := crypt.NewSessionKey()
	if err != nil {
		return 0, err
	}
	meta := store.Metadata{ByID: true, Client: c.ID, Name: f.name, WireName: f.wireName,
		KeyFingerprint: crypt.Fingerprint(pub), OAEPHash: hash.String(), Format: uint8(protocol.FormatUnknown)}
	if meta.WrappedKey, err = crypt.Wrap(pub, hash, key); err != nil {
		return 0, err
	}
	ref, err := r.seal(ctx, &meta, key, f.path)
	if err != nil {
		return 0, err
	}
	v := store.Version{Metadata: meta, Verified: f.verified, Created: meta.Received, Blob: ref}
	number, dropped, err := r.Catalog.Commit(ctx, v, store.Retention{})
	if err != nil {
		return 0, errors.Join(err, r.Blobs.Remove(ctx, ref))
	}
	for _, old := range dropped {
		if err := r.Blobs.Remove(ctx, old); err != nil {
			return 0, err
		}
	}
	return meta.OriginalSize, r.Blobs.Confirm(ctx, ref, store.Confirmation{Number: number, Verified: f.verified, Created: v.Created})
}

// seal encrypts a file into a blob and completes its metadata. A small one is
// handed over whole, a large one gathers in a part.
func (r *run) seal(ctx context.Context, meta *store.Metadata, key crypt.SessionKey, path string) (_ store.BlobRef, err error) {
	enc, sum, sha := crypt.NewEncrypter(key), cksum.New(), sha256.New()
	var part store.Part
	defer func() {
		if err != nil && part != nil {
			err = errors.Join(err, part.Discard())
		}
	}()
	meta.Upload = newUploadID(meta.Client, meta.Name)
	if cap(r.buffers.cipher) == 0 {
		r.buffers.cipher = make([]byte, 0, store.SmallBlob+chunk+crypt.BlockSize)
	}
	waiting := r.buffers.cipher[:0] // ciphertext that is in no part yet
	flush := func() error {
		if part == nil {
			if part, err = r.Blobs.NewPart(ctx, meta.Upload, nil); err != nil {
				return err
			}
		}
		n, err := part.Content().WriteAt(waiting, meta.Size)
		meta.Size += int64(n)
		waiting = waiting[:0]
		return err
	}
	err = r.read(ctx, path, func(p []byte) error {
		sum.Write(p)
		before := len(waiting)
		waiting = enc.Append(waiting, p)
		sha.Write(waiting[before:])
		if len(waiting) > store.SmallBlob-crypt.BlockSize {
			return flush()
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	before := len(waiting)
	waiting = enc.Finish(waiting)
	sha.Write(waiting[before:])
	meta.OriginalSize, meta.Cksum = int64(enc.Len()), sum.Sum32()
	meta.SHA256 = [32]byte(sha.Sum(nil))
	meta.Received = time.Now()
	if part == nil {
		meta.Size = int64(len(waiting))
		return r.Blobs.Put(ctx, *meta, waiting)
	}
	if err := flush(); err != nil {
		return "", err
	}
	ref, err := part.Commit(ctx, *meta)
	if err != nil {
		return "", fmt.Errorf("storing it: %w", err)
	}
	return ref, nil
}

// newUploadID is an id as uploads have them, half of it random. The other half
// says that the version came by taking over, not from its client.
func newUploadID(client store.ClientID, name string) (id store.UploadID) {
	rand.Read(id[:8])
	copy(id[8:], origin(client, name))
	return id
}

// tookOver reports whether a version came by taking over.
func tookOver(v store.Version) bool { return bytes.Equal(v.Upload[8:], origin(v.Client, v.Name)) }

func origin(client store.ClientID, name string) []byte {
	sum := sha256.Sum256(append(append([]byte("coffer import\x00"), client[:]...), name...))
	return sum[:8]
}
