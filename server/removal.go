package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"coffer/server/upload"
	"coffer/store"
)

// Removing a client takes several steps, of which one is the moment: when it
// is gone from the catalog. Who is being removed is noted before and until all
// is done, so that a run after a crash brings it to its end.

// removals removes clients, and what is left of them.
type removals struct {
	accounts  *accounts
	catalog   removalCatalog
	blobs     removalBlobs
	sessions  *sessions
	suspended *suspended
	newcomers *newcomers
	uploads   *upload.Registry
	sweeper   *sweeper
	revoked   *revokedTokens // set once they are loaded
}

// A removalCatalog is what removing a client asks of the catalog.
type removalCatalog interface {
	clientFinder
	store.Removals
	ClientByName(ctx context.Context, name string) (store.Client, error)
	KeyBundle(ctx context.Context, id store.ClientID) ([]byte, error)
	RemoveClient(ctx context.Context, id store.ClientID) ([]store.BlobRef, error)
	Usage(ctx context.Context, id store.ClientID) (store.Usage, error)
}

// removalBlobs are what a client may have beside the catalog.
type removalBlobs interface {
	blobRemover
	RemoveAccountRecord(ctx context.Context, id store.ClientID) error
	RemovePacks(ctx context.Context, id store.ClientID) error
	Walk(ctx context.Context, visit func(store.StoredBlob) error) error
}

// remove removes a client with all that the server has of it.
func (r *removals) remove(ctx context.Context, id store.ClientID) error {
	blobs, uploads, err := r.takeOut(ctx, id)
	if err != nil {
		return err
	}
	return r.finish(ctx, id, blobs, uploads)
}

// takeOut makes a client unknown from one moment to the next, and returns what
// is left of it.
func (r *removals) takeOut(ctx context.Context, id store.ClientID) (blobs []store.BlobRef, uploads []*upload.Upload, err error) {
	// Whoever keeps a client's record beside the blobs, or begins an upload,
	// does it under this lock, and finds that there is such a client first.
	r.accounts.mu.Lock()
	defer r.accounts.mu.Unlock()
	if _, err := r.accounts.find(ctx, id); err != nil && !errors.Is(err, errSuspended) {
		return nil, nil, err // of two who remove it, the second
	}
	if err := r.catalog.BeginRemoval(ctx, id); err != nil {
		return nil, nil, fmt.Errorf("removing a client: %w", err)
	}
	if blobs, err = r.catalog.RemoveClient(ctx, id); err != nil {
		removeBlobs(ctx, r.blobs, r.accounts.log, blobs) // of a full disk, which then has some room
		return nil, nil, fmt.Errorf("removing a client: %w", err)
	}
	r.sessions.end(id)
	r.suspended.set(id, false)
	return blobs, r.uploads.Of(id), nil
}

// finish removes what is left of a client that is gone from the catalog:
// its account record first, since a catalog can be made anew from what has one.
func (r *removals) finish(ctx context.Context, id store.ClientID, blobs []store.BlobRef, uploads []*upload.Upload) error {
	if err := r.blobs.RemoveAccountRecord(ctx, id); err != nil {
		return fmt.Errorf("removing a client's account record: %w", err)
	}
	if err := r.blobs.RemovePacks(ctx, id); err != nil {
		return fmt.Errorf("removing a client's packs: %w", err)
	}
	for _, u := range uploads {
		if err := u.Drop(ctx, upload.Replaced); err != nil {
			return fmt.Errorf("removing a client's uploads: %w", err)
		}
	}
	removeBlobs(ctx, r.blobs, r.accounts.log, blobs)
	r.sweeper.poke()
	return r.catalog.EndRemoval(ctx, id)
}

// blobsOf finds the blobs of a client that the catalog no longer knows.
func (r *removals) blobsOf(ctx context.Context, id store.ClientID) (blobs []store.BlobRef, err error) {
	err = r.blobs.Walk(ctx, func(b store.StoredBlob) error {
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

// finishAll ends what an earlier run began.
func (r *removals) finishAll(ctx context.Context) error {
	ids, err := r.catalog.Removals(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		blobs, err := r.catalog.RemoveClient(ctx, id)
		if err == nil || errors.Is(err, store.ErrNoClient) {
			// What is gone from the catalog may not be gone otherwise.
			var left []store.BlobRef
			left, err = r.blobsOf(ctx, id)
			blobs = append(blobs, left...)
		}
		if err != nil {
			return fmt.Errorf("removing a client: %w", err)
		}
		r.sessions.end(id)
		if err := r.finish(ctx, id, blobs, r.uploads.Of(id)); err != nil {
			return err
		}
		r.accounts.log.Info("account removed, as an earlier run had begun", "client", id)
	}
	return nil
}

// removeAndNote removes a client, its tokens first.
func (r *removals) removeAndNote(ctx context.Context, client *store.Client, by string) error {
	usage, err := r.catalog.Usage(ctx, client.ID)
	if err != nil {
		return err
	}
	if _, err := r.revoked.addAll(ctx, client.Name); err != nil {
		return err
	}
	if err := r.remove(ctx, client.ID); err != nil {
		return err
	}
	r.accounts.log.Info("account removed", "client", client.ID, "by", by)
	r.accounts.journal.noteOf(ctx, client, store.Activity{Kind: store.ActivityRemoval, Outcome: store.OutcomeOK, Bytes: usage.Bytes,
		Detail: fmt.Sprintf("the client with %s of %s, %s", plural(int(usage.Versions), "version", "versions"),
			plural(int(usage.Files), "file", "files"), by)})
	return nil
}

// A blobRemover removes blobs.
type blobRemover interface {
	Remove(ctx context.Context, ref store.BlobRef) error
}

// removeBlobs removes what nothing refers to. What cannot be removed is lost
// space, no lost file.
func removeBlobs(ctx context.Context, blobs blobRemover, log *slog.Logger, refs []store.BlobRef) {
	for _, ref := range refs {
		if err := blobs.Remove(ctx, ref); err != nil {
			log.Error("cannot remove a blob that nothing refers to", "error", err)
		}
	}
}
