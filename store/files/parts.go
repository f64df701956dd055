package files

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"coffer/store"
)

// Parts visits the parts that an earlier run left. It removes parts without a
// readable header, and parts that became a blob and that a crash kept from
// being removed.
func (s *Store) Parts(ctx context.Context, visit func(p store.Part, header []byte, records [][]byte) error) error {
	left, err := s.leftParts()
	if err != nil {
		return fmt.Errorf("look for unfinished uploads: %w", err)
	}
	var sealed func(store.UploadID) (bool, error)
	for _, id := range left {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !s.hold(id) {
			continue // of this run
		}
		log, l, err := s.openLog(partName(id, logSuffix))
		if errors.Is(err, fs.ErrNotExist) {
			log, err = &partLog{handles: s.handles, root: s.root, name: partName(id, logSuffix)}, nil
		}
		if err != nil {
			s.release(id)
			return fmt.Errorf("read an unfinished upload: %w", err)
		}
		p := s.newPart(id, log)
		useless := l.header == nil
		if l.sealing {
			if sealed == nil {
				sealed = s.sealedUploads(ctx)
			}
			useless, err = sealed(id)
			if _, gone := s.root.Stat(p.content.name); errors.Is(gone, fs.ErrNotExist) {
				useless = true
			}
			if err != nil {
				s.release(id)
				return fmt.Errorf("look for the blob of an upload: %w", err)
			}
		}
		if useless {
			if err := p.Discard(); err != nil {
				return err
			}
			continue
		}
		if err := visit(p, l.header, l.records); err != nil {
			s.release(id)
			return err
		}
	}
	return nil
}

// leftParts lists the uploads that have files.
func (s *Store) leftParts() ([]store.UploadID, error) {
	files, err := names(s.root, incomingDir)
	if err != nil {
		return nil, err
	}
	var ids []store.UploadID
	for _, name := range files { // sorted, so those of one part follow each other
		digits := strings.TrimSuffix(name, path.Ext(name))
		if !isID(digits) {
			continue
		}
		var id store.UploadID
		if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
			continue
		}
		if len(ids) == 0 || ids[len(ids)-1] != id {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// sealedUploads returns the uploads that have become a blob that is still
// pending, as after a crash at that moment.
func (s *Store) sealedUploads(ctx context.Context) func(store.UploadID) (bool, error) {
	found := make(map[store.UploadID]bool)
	err := s.Pending(ctx, time.Time{}, func(b store.StoredBlob) error {
		found[b.Metadata.Upload] = true
		return nil
	})
	if errors.Is(err, store.ErrDamaged) {
		err = nil // whose they were cannot be known
	}
	return func(id store.UploadID) (bool, error) { return found[id], err }
}
