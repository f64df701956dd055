package maintain

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"coffer/store"
)

// A catalog that was restored, rebuilt or moved does not know everything that
// happened since it was copied: which packs a later snapshot needs, which
// ordinals are in use. So catalog and blobs bear the same random mark, and get
// a new one at each start, with each pass of a sweep, and after each copy of
// the catalog. As long as the marks differ, nothing is swept.

// generationKey is the setting of the catalog's mark.
const generationKey = "packs.generation"

// ErrUnreconciled: the catalog is not the one that was used with these blobs
// last, so it cannot say which packs nobody needs.
var ErrUnreconciled = errors.New("the catalog has not been reconciled with the packs beside it")

// Marked is a catalog that bears a mark.
type Marked interface {
	Setting(ctx context.Context, key string) ([]byte, error)
	SetSetting(ctx context.Context, key string, value []byte) error
}

// MarkedBlobs are blobs that bear one.
type MarkedBlobs interface {
	Generation(ctx context.Context) (string, error)
	SetGeneration(ctx context.Context, mark string) error
	WalkPacks(ctx context.Context, visit func(store.StoredPack) error) error
}

// together reports whether catalog and blobs bear the same mark. Without any,
// they belong together if there are no packs yet.
func together(ctx context.Context, catalog Marked, blobs MarkedBlobs) (bool, error) {
	mark, err := catalog.Setting(ctx, generationKey)
	if err != nil {
		return false, err
	}
	beside, err := blobs.Generation(ctx)
	if err != nil || string(mark) != beside || beside != "" {
		return err == nil && string(mark) == beside, err
	}
	some, err := search(blobs.WalkPacks(ctx, func(store.StoredPack) error { return errFound }))
	return err == nil && !some, err
}

// remark gives both a new mark. A crash in between leaves marks that differ.
func remark(ctx context.Context, catalog Marked, blobs MarkedBlobs) error {
	mark := rand.Text()
	if err := blobs.SetGeneration(ctx, mark); err != nil {
		return err
	}
	return catalog.SetSetting(ctx, generationKey, []byte(mark))
}

// Remark gives catalog and blobs a new mark if theirs are the same: to be
// called after each copy of the catalog, which has the old one.
func Remark(ctx context.Context, catalog Marked, blobs MarkedBlobs) error {
	same, err := together(ctx, catalog, blobs)
	if err == nil && same {
		err = remark(ctx, catalog, blobs)
	}
	if err != nil {
		return fmt.Errorf("marking catalog and blobs: %w", err)
	}
	return nil
}

// BeginSweep is to be called before each pass of a sweep: it gives catalog and
// blobs a new mark, or returns ErrUnreconciled, and then nothing may be swept.
func BeginSweep(ctx context.Context, catalog Marked, blobs MarkedBlobs) error {
	same, err := together(ctx, catalog, blobs)
	if err != nil {
		return fmt.Errorf("comparing the marks of catalog and blobs: %w", err)
	}
	if !same {
		return ErrUnreconciled
	}
	return Remark(ctx, catalog, blobs)
}
