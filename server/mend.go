package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"coffer/protocol"
	"coffer/store"
	"coffer/store/packset"
)

// A mendCatalog is what mends ask of the catalog.
type mendCatalog interface {
	Snapshot(ctx context.Context, client store.ClientID, name string, number uint32) (store.Snapshot, error)
	AddMend(ctx context.Context, m store.Mend) (unused store.BlobRef, err error)
	Mends(ctx context.Context, client store.ClientID, name string, number uint32) ([]store.Mend, error)
}

// maxMends is how many mend records a snapshot may have.
const maxMends = 1000

// mend adds a mend record to a snapshot.
func (ss *snapshots) mend(ctx context.Context, r *request, m *protocol.MendSnapshot) (protocol.Message, error) {
	if len(m.Record) > protocol.MaxMendRecord {
		return nil, refuse(protocol.StatusTooLarge, fmt.Sprintf("record: larger than %d bytes", protocol.MaxMendRecord))
	}
	snapshot, err := ss.catalog.Snapshot(ctx, r.client, m.Name, m.Version)
	if err != nil {
		return nil, fileError(err)
	}
	if snapshot.Mends >= maxMends {
		return nil, refuse(protocol.StatusTooMany, fmt.Sprintf("too many mend records: a snapshot may have %d", maxMends))
	}
	found, missing, err := ss.packs.find(ctx, r, store.RunID(m.Run), m.Added)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return &protocol.PacksMissing{IDs: missing}, nil
	}
	set := new(packset.Set)
	set.Add(found...)
	packs, err := set.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode the packs of a mend: %w", err)
	}
	meta := sealedMetadata(r.client, m.Name, store.SnapshotMetadata{Run: store.RunID(m.Run), Packs: packs, PackBytes: set.Bytes, Mend: true})
	return ss.addMend(ctx, r, store.Mend{Metadata: meta, Number: snapshot.Number}, m.Record)
}

// addMend stores a mend record and enters it in the catalog.
func (ss *snapshots) addMend(ctx context.Context, r *request, m store.Mend, record []byte) (protocol.Message, error) {
	var err error
	if m.Metadata, m.Blob, err = ss.storeSealed(ctx, m.Metadata, bytes.NewReader(record), int64(len(record))); err != nil {
		return nil, err
	}
	unused, err := ss.catalog.AddMend(ctx, m)
	lacking, isMissing := errors.AsType[*store.MissingPacks](err)
	if isMissing || errors.Is(err, store.ErrNoRun) || errors.Is(err, store.ErrNoFile) || errors.Is(err, store.ErrNoClient) {
		unused = m.Blob
	}
	if unused != "" {
		removeBlobs(ctx, ss.blobs, ss.log, []store.BlobRef{unused})
	}
	switch {
	case isMissing:
		return packsMissing(lacking), nil
	case err != nil:
		return nil, runError(err)
	case unused == m.Blob:
		return &protocol.Done{}, nil // it was there already
	}
	if err := ss.blobs.Confirm(ctx, m.Blob, store.Confirmation{Number: m.Number, Verified: true, Created: m.Metadata.Received}); err != nil {
		ss.log.Error("a mend record would be missing from a rebuilt catalog", "client", r.client, "error", err)
	}
	ss.journal.note(store.Activity{Kind: store.ActivityUpload, Outcome: store.OutcomeOK, Client: r.client, Name: ss.journal.nameOf(ctx, r.client), Address: r.from.address,
		File: m.Metadata.Name, Version: m.Number, Bytes: m.Metadata.Snapshot.PackBytes, Detail: "damaged content was mended"})
	return &protocol.Done{}, nil
}

func (ss *snapshots) listMends(ctx context.Context, r *request, m *protocol.ListMends) (protocol.Message, error) {
	snapshot, err := ss.catalog.Snapshot(ctx, r.client, m.Name, m.Version)
	if err != nil {
		return nil, fileError(err)
	}
	mends, err := ss.catalog.Mends(ctx, r.client, m.Name, snapshot.Number)
	if err != nil {
		return nil, fileError(err)
	}
	page, size := &protocol.Mends{}, 0
	for _, mend := range mends[min(int(m.After), len(mends)):] {
		if size += int(mend.Metadata.Size) + 4; size > maxPage && len(page.Records) > 0 {
			page.More = true
			break
		}
		record, err := ss.readBlob(ctx, mend.Blob)
		if err != nil {
			return nil, fmt.Errorf("read a mend record: %w", err)
		}
		page.Records = append(page.Records, record)
	}
	return page, nil
}

// readBlob reads a blob whole, which is a small one.
func (ss *snapshots) readBlob(ctx context.Context, ref store.BlobRef) ([]byte, error) {
	blob, err := ss.blobs.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	return io.ReadAll(io.NewSectionReader(blob, 0, blob.Size()))
}
