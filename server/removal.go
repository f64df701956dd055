package server

import (
	"context"
	"errors"
	"fmt"

	"coffer/server/upload"
	"coffer/store"
)

// Removing a client takes several steps, of which one is the moment: when it
// is gone from the catalog. Who is being removed is noted before and until all
// is done, so that a run after a crash brings it to its end.

// removeClient removes a client with all that the server has of it.
func (s *Server) removeClient(ctx context.Context, id store.ClientID) error {
	blobs, uploads, err := s.takeOut(ctx, id)
	if err != nil {
		return err
	}
	return s.finishRemoval(ctx, id, blobs, uploads)
}

// takeOut makes a client unknown from one moment to the next, and returns what
// is left of it.
func (s *Server) takeOut(ctx context.Context, id store.ClientID) (blobs []store.BlobRef, uploads []*upload.Upload, err error) {
	// Whoever keeps a client's record beside the blobs, or begins an upload,
	// does it under this lock, and finds that there is such a client first.
	s.accounts.Lock()
	defer s.accounts.Unlock()
	if _, err := s.client(ctx, id); err != nil && !errors.Is(err, errSuspended) {
		return nil, nil, err // of two who remove it, the second
	}
	if err := s.cfg.Catalog.BeginRemoval(ctx, id); err != nil {
		return nil, nil, fmt.Errorf("removing a client: %w", err)
	}
	if blobs, err = s.cfg.Catalog.RemoveClient(ctx, id); err != nil {
		s.removeBlobs(ctx, blobs) // of a full disk, which then has some room
		return nil, nil, fmt.Errorf("removing a client: %w", err)
	}
	s.sessions.end(id)
	s.suspended.set(id, false)
	return blobs, s.uploads.Of(id), nil
}

// finishRemoval removes what is left of a client that is gone from the catalog:
// its account record first, since a catalog can be made anew from what has one.
func (s *Server) finishRemoval(ctx context.Context, id store.ClientID, blobs []store.BlobRef, uploads []*upload.Upload) error {
	if err := s.cfg.Blobs.RemoveAccountRecord(ctx, id); err != nil {
		return fmt.Errorf("removing a client's account record: %w", err)
	}
	if err := s.cfg.Blobs.RemovePacks(ctx, id); err != nil {
		return fmt.Errorf("removing a client's packs: %w", err)
	}
	for _, u := range uploads {
		if err := u.Drop(ctx, upload.Replaced); err != nil {
			return fmt.Errorf("removing a client's uploads: %w", err)
		}
	}
	s.removeBlobs(ctx, blobs)
	s.sweeper.poke()
	return s.cfg.Catalog.EndRemoval(ctx, id)
}

// blobsOf finds the blobs of a client that the catalog no longer knows.
func (s *Server) blobsOf(ctx context.Context, id store.ClientID) (blobs []store.BlobRef, err error) {
	err = s.cfg.Blobs.Walk(ctx, func(b store.StoredBlob) error {
		if b.Metadata.Client == id {
			blobs = append(blobs, b.Ref)
		}
		return nil
	})
	if errors.Is(err, store.ErrDamaged) {
		err = nil // whose they were cannot be known
	}
	return blobs, err
}

// finishRemovals ends what an earlier run began.
func (s *Server) finishRemovals(ctx context.Context) error {
	ids, err := s.cfg.Catalog.Removals(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		blobs, err := s.cfg.Catalog.RemoveClient(ctx, id)
		if err == nil || errors.Is(err, store.ErrNoClient) {
			// What is gone from the catalog may not be gone otherwise.
			var left []store.BlobRef
			left, err = s.blobsOf(ctx, id)
			blobs = append(blobs, left...)
		}
		if err != nil {
			return fmt.Errorf("removing a client: %w", err)
		}
		s.sessions.end(id)
		if err := s.finishRemoval(ctx, id, blobs, s.uploads.Of(id)); err != nil {
			return err
		}
		s.log.Info("account removed, as an earlier run had begun", "client", id)
	}
	return nil
}

// removeAndTell removes a client, its tokens first.
func (s *Server) removeAndTell(ctx context.Context, client *store.Client, by string) error {
	usage, err := s.cfg.Catalog.Usage(ctx, client.ID)
	if err != nil {
		return err
	}
	if _, err := s.revoked.addAll(ctx, client.Name); err != nil {
		return err
	}
	if err := s.removeClient(ctx, client.ID); err != nil {
		return err
	}
	s.log.Info("account removed", "client", client.ID, "by", by)
	s.journal.noteOf(ctx, client, store.Activity{Kind: store.ActivityRemoval, Outcome: store.OutcomeOK, Bytes: usage.Bytes,
		Detail: fmt.Sprintf("the client with %s of %s, %s", plural(int(usage.Versions), "version", "versions"),
			plural(int(usage.Files), "file", "files"), by)})
	return nil
}

// removeBlobs removes what nothing refers to. What cannot be removed is lost
// space, no lost file.
func (s *Server) removeBlobs(ctx context.Context, refs []store.BlobRef) {
	for _, ref := range refs {
		if err := s.cfg.Blobs.Remove(ctx, ref); err != nil {
			s.log.Error("cannot remove a blob that nothing refers to", "error", err)
		}
	}
}
