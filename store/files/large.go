package files

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"coffer/store"
)

// A fileBlob is an open large blob.
type fileBlob struct {
	*os.File
	size int64
}

// Size implements store.Blob.
func (b fileBlob) Size() int64 { return b.size }

func (s *Store) openLarge(at place) (store.Blob, error) { return s.openFile(at.content()) }

func (s *Store) openFile(name string) (store.Blob, error) {
	f, err := s.root.Open(name)
	if err != nil {
		return nil, orNoBlob(err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return fileBlob{f, info.Size()}, nil
}

// storeLarge makes the file at from, whose content is synced, a blob. What a
// crash leaves of it before the rename is found by its marker; after, it is a
// pending blob.
func (s *Store) storeLarge(from string, meta *store.Metadata) (at place, err error) {
	described, err := encodeSidecar(meta)
	if err != nil {
		return place{}, err
	}
	at = newPlace()
	defer func() {
		if err != nil {
			err = errors.Join(err, s.removeLarge(at))
		}
	}()
	if err := s.makeDir(at.dir()); err != nil {
		return at, err
	}
	marker, err := s.root.OpenFile(at.marker(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return at, err
	}
	if err := marker.Close(); err != nil {
		return at, err
	}
	if err := writeSynced(s.root, at.sidecar(), described); err != nil {
		return at, err
	}
	if err := syncDir(s.root, pendingDir); err != nil {
		return at, err
	}
	if err := s.root.Rename(from, at.content()); err != nil {
		return at, err
	}
	if err := syncDir(s.root, at.dir()); err != nil {
		return at, errors.Join(err, s.root.Rename(at.content(), from))
	}
	return at, nil
}

func (s *Store) confirmLarge(at place, c store.Confirmation) error {
	b, err := encodeConfirmation(c)
	if err != nil {
		return err
	}
	f, err := s.root.OpenFile(at.sidecar(), os.O_RDWR, 0)
	if err != nil {
		return orNoBlob(err)
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteAt(b, confirmationOffset(info.Size()))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return ifThere(s.root.Remove(at.marker()))
}

// removeLarge removes the content first: should a crash come between, what is
// left is small.
func (s *Store) removeLarge(at place) error {
	var errs []error
	for _, name := range []string{at.content(), at.sidecar(), at.marker()} {
		errs = append(errs, ifThere(s.root.Remove(name)))
	}
	return errors.Join(errs...)
}

// sweepPending removes what a crash left of blobs that were not sealed, and of
// markers that outlived them.
func (s *Store) sweepPending() error {
	return s.eachMarker(func(at place) error {
		_, err := s.root.Stat(at.content())
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return s.removeLarge(at)
	})
}

func (s *Store) eachMarker(visit func(place) error) error {
	ids, err := names(s.root, pendingDir)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !isID(id) {
			continue
		}
		if err := visit(place{id: id}); err != nil {
			return err
		}
	}
	return nil
}

// Pending visits the blobs that are sealed and not confirmed, and were received
// after since. It continues past damaged ones and reports them at its end.
func (s *Store) Pending(ctx context.Context, since time.Time, visit func(store.StoredBlob) error) error {
	var harm damage
	late := func(b store.StoredBlob) error {
		if b.Confirmed != nil || !b.Metadata.Received.After(since) && !since.IsZero() {
			return nil
		}
		return visit(b)
	}
	err := s.eachMarker(func(at place) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return s.visitLarge(at, late, &harm)
	})
	if err != nil {
		return err
	}
	wanted := func(pack int) (bool, error) { return s.packs.changedSince(pack, since) }
	if err := s.packs.walk(ctx, wanted, late, &harm); err != nil {
		return err
	}
	return harm.err()
}

// Walk visits every blob. It continues past damaged ones and reports them at
// its end.
func (s *Store) Walk(ctx context.Context, visit func(store.StoredBlob) error) error {
	var harm damage
	err := s.eachLarge(ctx, func(at place) error { return s.visitLarge(at, visit, &harm) })
	if err != nil {
		return err
	}
	every := func(int) (bool, error) { return true, nil }
	if err := s.packs.walk(ctx, every, visit, &harm); err != nil {
		return err
	}
	return harm.err()
}

// eachLarge calls visit for the place of every large blob.
func (s *Store) eachLarge(ctx context.Context, visit func(place) error) error {
	dirs, err := names(s.root, ".")
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if len(dir) != 2 {
			continue
		}
		files, err := names(s.root, dir)
		if err != nil {
			return err
		}
		for _, name := range files {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !isID(name) || !strings.HasPrefix(name, dir) {
				continue
			}
			if err := visit(place{id: name}); err != nil {
				return err
			}
		}
	}
	return nil
}

// visitLarge visits one large blob, if it is whole.
func (s *Store) visitLarge(at place, visit func(store.StoredBlob) error, harm *damage) error {
	info, err := s.root.Stat(at.content())
	if errors.Is(err, fs.ErrNotExist) {
		return nil // not sealed yet, or removed
	}
	if err != nil {
		return err
	}
	meta, mark, err := readSidecar(s.root, at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // being removed, or an orphan
	}
	if errors.Is(err, errMetadata) || err == nil && meta.Size != info.Size() {
		harm.add(at.content())
		return nil
	}
	if err != nil {
		return err
	}
	return visit(store.StoredBlob{Ref: at.ref(), Metadata: meta, Confirmed: mark})
}

// Orphans visits large blobs that a crash may have left: blobs that are not
// pending, unknown to known, and older than grace. To remove one, give its
// reference to Remove.
func (s *Store) Orphans(ctx context.Context, grace time.Duration, known func(store.BlobRef) (bool, error), visit func(store.BlobRef) error) error {
	return s.eachLarge(ctx, func(at place) error {
		info, err := s.root.Stat(at.content())
		if err != nil {
			return ifThere(err)
		}
		if time.Since(info.ModTime()) < grace {
			return nil
		}
		if _, err := s.root.Stat(path.Join(pendingDir, at.id)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		used, err := known(at.ref())
		if err != nil || used {
			return err
		}
		return visit(at.ref())
	})
}
