package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/store"
	"coffer/store/packset"
)

// A snapshot is a version of a file whose content is its manifest. What the
// manifest names lies in packs, which the catalog counts by a set beside it:
// the server reads neither.

var (
	errReserved = refuse(protocol.StatusForbidden, `filename: "s/" and 32 hexadecimal digits is the name of a snapshot, which no upload writes to`)
	errOvertake = refuse(protocol.StatusConflict, "another version came first; read it, and commit again")
)

// checkCommit refuses a commit by what it announces.
func checkCommit(m *protocol.CommitSnapshot, size uint32) error {
	switch {
	case m.NameSize > protocol.MaxName:
		return errNoSnapshot
	case m.HeadSize > protocol.MaxHead:
		return refuse(protocol.StatusTooLarge, fmt.Sprintf("head: larger than %d bytes", protocol.MaxHead))
	case m.ManifestSize == 0:
		return refuse(protocol.StatusInvalid, "manifest: at least one byte")
	case m.ManifestSize > protocol.MaxManifest:
		return refuse(protocol.StatusTooLarge, fmt.Sprintf("manifest: larger than %d bytes", protocol.MaxManifest))
	case m.Added > protocol.MaxSnapshotPacks || m.Dropped > protocol.MaxSnapshotPacks:
		return refuse(protocol.StatusTooMany, fmt.Sprintf("more than %d packs in one commit", protocol.MaxSnapshotPacks))
	case m.ContentSize() != uint64(size):
		return refuse(protocol.StatusInvalid, "the sizes do not add up to the payload")
	}
	return nil
}

// commitSnapshot makes a snapshot the next version of its name. Its ids are
// looked up as they come in, a few thousand at a time, so that neither memory
// nor the catalog waits for the client.
func (c *conn) commitSnapshot(ctx context.Context, r *request, m *protocol.CommitSnapshot) (protocol.Message, error) {
	if err := checkCommit(m, r.payload.left); err != nil {
		return nil, err
	}
	done, err := c.s.cfg.Catalog.Committed(ctx, r.client, store.RunID(m.Run))
	if err == nil {
		if err := c.ownsLabel(ctx, r, done.Name); err != nil {
			return nil, err
		}
		return &protocol.SnapshotCommitted{Version: done.Number}, nil
	} else if !errors.Is(err, store.ErrNoFile) {
		return nil, err
	}
	run, err := c.s.cfg.Catalog.Run(ctx, r.client, store.RunID(m.Run))
	if err != nil {
		return nil, runError(err)
	}
	if err := c.ownsLabel(ctx, r, run.Name); err != nil {
		return nil, err
	}
	text := make([]byte, int(m.NameSize)+int(m.HeadSize))
	if _, err := io.ReadFull(r.payload, text); err != nil {
		return nil, lostError{err}
	}
	name, head := string(text[:m.NameSize]), text[m.NameSize:]
	switch {
	case name != run.Name:
		return nil, refuse(protocol.StatusInvalid, "name: not that of the run")
	case m.Base != 0 && m.Base != run.Base:
		return nil, refuse(protocol.StatusInvalid, "base version: not that of the run")
	}
	set, missing, err := c.packsOf(ctx, r, m)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return &protocol.PacksMissing{IDs: missing}, nil
	}
	v, err := c.storeManifest(ctx, r, run, head, set)
	if err != nil {
		return nil, err
	}
	return c.commitVersion(ctx, r, run, v, m.Before)
}

// idsAtOnce is how many ids of a commit are looked up together.
const idsAtOnce = protocol.MaxAskPacks

// packsOf reads which packs a snapshot needs, pins them by its run, and returns
// those that are missing, as many as an answer holds.
func (c *conn) packsOf(ctx context.Context, r *request, m *protocol.CommitSnapshot) (set *packset.Set, missing []protocol.PackID, err error) {
	set = new(packset.Set)
	if m.Base != 0 {
		if set, err = c.basePacks(ctx, r, store.RunID(m.Run)); err != nil {
			return nil, nil, err
		}
	}
	err = eachIDs(r.payload, m.Added, func(ids []protocol.PackID) error {
		if len(missing) >= protocol.MaxAskPacks {
			return nil // as many as an answer holds
		}
		found, lacking, err := c.findPacks(ctx, r, store.RunID(m.Run), ids)
		set.Add(found...)
		missing = append(missing, lacking...)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	err = eachIDs(r.payload, m.Dropped, func(ids []protocol.PackID) error {
		dropped, err := c.s.cfg.Catalog.PacksByID(ctx, r.client, storeIDs(ids))
		set.Remove(dropped...)
		return err
	})
	return set, missing[:min(len(missing), protocol.MaxAskPacks)], err
}

func (c *conn) basePacks(ctx context.Context, r *request, run store.RunID) (*packset.Set, error) {
	encoded, bytes, err := c.s.cfg.Catalog.RunBase(ctx, r.client, run)
	if err != nil {
		return nil, runError(err)
	}
	set, err := packset.Decode(encoded)
	if err != nil {
		return nil, fmt.Errorf("read the packs of a run's base: %w", err)
	}
	set.Bytes = bytes
	return set, nil
}

// eachIDs reads ids, some at a time.
func eachIDs(in io.Reader, count uint32, visit func([]protocol.PackID) error) error {
	raw := make([]byte, min(int(count), idsAtOnce)*len(protocol.PackID{}))
	for count > 0 {
		ids := make([]protocol.PackID, min(int(count), idsAtOnce))
		if _, err := io.ReadFull(in, raw[:len(ids)*len(ids[0])]); err != nil {
			return lostError{err}
		}
		for i := range ids {
			copy(ids[i][:], raw[i*len(ids[i]):])
		}
		if err := visit(ids); err != nil {
			return err
		}
		count -= uint32(len(ids))
	}
	return nil
}

func storeIDs(ids []protocol.PackID) []store.PackID {
	list := make([]store.PackID, len(ids))
	for i, id := range ids {
		list[i] = store.PackID(id)
	}
	return list
}

// storeManifest stores the rest of a commit's payload, and returns the version
// that it is to become.
func (c *conn) storeManifest(ctx context.Context, r *request, run store.Run, head []byte, set *packset.Set) (store.Version, error) {
	packs, err := set.Encode()
	if err != nil {
		return store.Version{}, fmt.Errorf("encode the packs of a snapshot: %w", err)
	}
	meta := sealedMetadata(r.client, run.Name, store.SnapshotMetadata{Run: run.ID, Head: head, Packs: packs, PackBytes: set.Bytes})
	meta, ref, err := c.s.storeSealed(ctx, meta, r.payload, int64(r.payload.left))
	return store.Version{Metadata: meta, Verified: true, Created: meta.Received, Blob: ref}, err
}

// sealedMetadata is the metadata of content that no session key encrypts.
func sealedMetadata(client store.ClientID, name string, s store.SnapshotMetadata) store.Metadata {
	meta := store.Metadata{Client: client, ByID: true, Name: name, WireName: []byte(name), OAEPHash: crypt.SHA256.String(), Format: uint8(protocol.FormatSnapshot), Snapshot: &s}
	rand.Read(meta.Upload[:])
	return meta
}

// storeSealed stores size bytes as a blob: in memory first if that is small, and
// otherwise in a part as they come in.
func (s *Server) storeSealed(ctx context.Context, meta store.Metadata, in io.Reader, size int64) (store.Metadata, store.BlobRef, error) {
	meta.Size, meta.OriginalSize = size, size
	written, err := s.admitContent(meta.Client, int(size)+2*len(meta.Snapshot.Packs)+accountSize)
	if err != nil {
		return meta, "", err
	}
	defer written()
	if size <= store.SmallBlob {
		content := make([]byte, size)
		if _, err := io.ReadFull(in, content); err != nil {
			return meta, "", lostError{err}
		}
		meta.SHA256, meta.Received = sha256.Sum256(content), time.Now()
		ref, err := s.cfg.Blobs.Put(ctx, meta, content)
		return meta, ref, err
	}
	part, err := s.cfg.Blobs.NewPart(ctx, meta.Upload, []byte("{}")) // which no later run goes on with
	if err != nil {
		return meta, "", fmt.Errorf("store a manifest: %w", err)
	}
	sum := sha256.New()
	if err := s.copyContent(io.MultiWriter(sum, &partWriter{to: part.Content()}), in, meta.Client); err != nil {
		return meta, "", errors.Join(err, part.Discard())
	}
	meta.SHA256, meta.Received = [32]byte(sum.Sum(nil)), time.Now()
	ref, err := part.Commit(ctx, meta)
	if err != nil {
		err = errors.Join(fmt.Errorf("store a manifest: %w", err), part.Discard())
	}
	return meta, ref, err
}

// A partWriter writes one after another what a part's content is.
type partWriter struct {
	to store.File
	at int64
}

func (w *partWriter) Write(p []byte) (int, error) {
	n, err := w.to.WriteAt(p, w.at)
	w.at += int64(n)
	return n, err
}

// commitVersion enters a snapshot in the catalog. Where it is not known whether
// it was, its manifest stays; the next start removes it if nothing refers to it.
func (c *conn) commitVersion(ctx context.Context, r *request, run store.Run, v store.Version, before uint32) (protocol.Message, error) {
	number, dropped, err := c.s.cfg.Catalog.CommitSnapshot(ctx, store.SnapshotCommit{Version: v, Before: before}, c.s.Settings().Retention())
	refused := errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNoRun) || errors.Is(err, store.ErrNoClient)
	lacking, isMissing := errors.AsType[*store.MissingPacks](err)
	if refused || isMissing {
		c.s.removeBlobs(ctx, []store.BlobRef{v.Blob})
	}
	switch {
	case isMissing:
		return packsMissing(lacking), nil
	case errors.Is(err, store.ErrConflict):
		return nil, errOvertake
	case err != nil:
		return nil, runError(err)
	}
	c.s.removeBlobs(ctx, dropped)
	c.s.sweeper.poke()
	if err := c.s.cfg.Blobs.Confirm(ctx, v.Blob, store.Confirmation{Number: number, Verified: v.Verified, Created: v.Created}); err != nil && !errors.Is(err, store.ErrNoBlob) {
		c.s.log.Error("a committed snapshot would be missing from a rebuilt catalog", "client", r.client, "error", err)
	}
	c.s.metrics.Snapshots.Add(1)
	c.s.journal.note(store.Activity{At: v.Created, Kind: store.ActivityUpload, Outcome: store.OutcomeOK, Client: r.client, Name: c.s.journal.nameOf(ctx, r.client), Address: r.from.address,
		File: v.Name, Version: number, Bytes: run.Bytes, Took: v.Created.Sub(run.Begun),
		Detail: fmt.Sprintf("a snapshot that needs %s; %s added", plural(packCount(v), "pack", "packs"), plural(int(run.Packs), "pack", "packs")) + c.by()})
	return &protocol.SnapshotCommitted{Version: number}, nil
}

// packCount is how many packs a snapshot needs, as far as its set can be read.
func packCount(v store.Version) int {
	set, err := packset.Decode(v.Snapshot.Packs)
	if err != nil {
		return 0
	}
	return int(set.Len())
}

func packsMissing(m *store.MissingPacks) *protocol.PacksMissing {
	answer := &protocol.PacksMissing{}
	for _, id := range m.IDs[:min(len(m.IDs), protocol.MaxAskPacks)] {
		answer.IDs = append(answer.IDs, protocol.PackID(id))
	}
	return answer
}

// maxPage is how many bytes a page of snapshots, or of mend records, may have.
const maxPage = 2<<20 - 16<<10

// snapshotEntrySize is no less than an entry has beside its name and head.
const snapshotEntrySize = 128

func (c *conn) listSnapshots(ctx context.Context, r *request, m *protocol.ListSnapshots) (protocol.Message, error) {
	if m.Limit == 0 || m.Limit > protocol.MaxListSnapshots {
		return nil, refuse(protocol.StatusInvalid, fmt.Sprintf("limit: from 1 to %d", protocol.MaxListSnapshots))
	}
	if c.machine != nil && (!protocol.IsSnapshotName(m.Only) || m.AllVersions) {
		return nil, errMachineOnly
	}
	if err := c.mayRead(ctx, r, m.Only); err != nil {
		return nil, err
	}
	q := store.SnapshotQuery{After: store.Cursor{Name: m.AfterName, Number: m.AfterVersion}, Limit: int(m.Limit) + 1, All: m.AllVersions, Only: m.Only}
	found, err := c.s.cfg.Catalog.ListSnapshots(ctx, r.client, q)
	if err != nil {
		return nil, err
	}
	list := &protocol.SnapshotList{}
	size := 0
	for _, v := range found {
		size += snapshotEntrySize + len(v.Head) + len(v.Name)
		if len(list.Snapshots) == int(m.Limit) || size > maxPage {
			list.More = true
			break
		}
		list.Snapshots = append(list.Snapshots, snapshotEntry(v))
	}
	return list, nil
}

func snapshotEntry(v store.Snapshot) protocol.SnapshotEntry {
	return protocol.SnapshotEntry{FileEntry: fileEntry(v.Version), Run: protocol.RunID(v.Run), Head: v.Head, Packs: uint32(v.Packs), Bytes: uint64(v.PackBytes),
		Damaged: uint32(v.Damaged), Mends: uint16(min(v.Mends, math.MaxUint16))}
}

func (c *conn) snapshotPacks(ctx context.Context, r *request, m *protocol.SnapshotPacks) (protocol.Message, error) {
	if m.Limit == 0 || m.Limit > protocol.MaxListPacks {
		return nil, refuse(protocol.StatusInvalid, fmt.Sprintf("limit: from 1 to %d", protocol.MaxListPacks))
	}
	packs, err := c.s.cfg.Catalog.SnapshotPacks(ctx, r.client, m.Name, m.Version, m.After, int(m.Limit)+1)
	if err != nil {
		return nil, fileError(err)
	}
	list := &protocol.PackList{More: len(packs) > int(m.Limit)}
	for _, p := range packs[:min(len(packs), int(m.Limit))] {
		list.Packs = append(list.Packs, protocol.PackEntry{Ordinal: p.Ordinal, ID: protocol.PackID(p.ID), Size: uint64(p.Size),
			Damaged: p.State != store.PackWhole || p.ID == (store.PackID{})})
	}
	return list, nil
}

// maxMends is how many mend records a snapshot may have.
const maxMends = 1000

// mendSnapshot adds a mend record to a snapshot.
func (c *conn) mendSnapshot(ctx context.Context, r *request, m *protocol.MendSnapshot) (protocol.Message, error) {
	if len(m.Record) > protocol.MaxMendRecord {
		return nil, refuse(protocol.StatusTooLarge, fmt.Sprintf("record: larger than %d bytes", protocol.MaxMendRecord))
	}
	snapshot, err := c.s.cfg.Catalog.Snapshot(ctx, r.client, m.Name, m.Version)
	if err != nil {
		return nil, fileError(err)
	}
	if snapshot.Mends >= maxMends {
		return nil, refuse(protocol.StatusTooMany, fmt.Sprintf("too many mend records: a snapshot may have %d", maxMends))
	}
	found, missing, err := c.findPacks(ctx, r, store.RunID(m.Run), m.Added)
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
	return c.addMend(ctx, r, store.Mend{Metadata: meta, Number: snapshot.Number}, m.Record)
}

// addMend stores a mend record and enters it in the catalog.
func (c *conn) addMend(ctx context.Context, r *request, m store.Mend, record []byte) (protocol.Message, error) {
	var err error
	if m.Metadata, m.Blob, err = c.s.storeSealed(ctx, m.Metadata, bytes.NewReader(record), int64(len(record))); err != nil {
		return nil, err
	}
	unused, err := c.s.cfg.Catalog.AddMend(ctx, m)
	lacking, isMissing := errors.AsType[*store.MissingPacks](err)
	if isMissing || errors.Is(err, store.ErrNoRun) || errors.Is(err, store.ErrNoFile) || errors.Is(err, store.ErrNoClient) {
		unused = m.Blob
	}
	if unused != "" {
		c.s.removeBlobs(ctx, []store.BlobRef{unused})
	}
	switch {
	case isMissing:
		return packsMissing(lacking), nil
	case err != nil:
		return nil, runError(err)
	case unused == m.Blob:
		return &protocol.Done{}, nil // it was there already
	}
	if err := c.s.cfg.Blobs.Confirm(ctx, m.Blob, store.Confirmation{Number: m.Number, Verified: true, Created: m.Metadata.Received}); err != nil {
		c.s.log.Error("a mend record would be missing from a rebuilt catalog", "client", r.client, "error", err)
	}
	c.s.journal.note(store.Activity{Kind: store.ActivityUpload, Outcome: store.OutcomeOK, Client: r.client, Name: c.s.journal.nameOf(ctx, r.client), Address: r.from.address,
		File: m.Metadata.Name, Version: m.Number, Bytes: m.Metadata.Snapshot.PackBytes, Detail: "what was damaged is mended"})
	return &protocol.Done{}, nil
}

func (c *conn) listMends(ctx context.Context, r *request, m *protocol.ListMends) (protocol.Message, error) {
	snapshot, err := c.s.cfg.Catalog.Snapshot(ctx, r.client, m.Name, m.Version)
	if err != nil {
		return nil, fileError(err)
	}
	mends, err := c.s.cfg.Catalog.Mends(ctx, r.client, m.Name, snapshot.Number)
	if err != nil {
		return nil, fileError(err)
	}
	page, size := &protocol.Mends{}, 0
	for _, mend := range mends[min(int(m.After), len(mends)):] {
		if size += int(mend.Metadata.Size) + 4; size > maxPage && len(page.Records) > 0 {
			page.More = true
			break
		}
		record, err := c.s.readBlob(ctx, mend.Blob)
		if err != nil {
			return nil, fmt.Errorf("read a mend record: %w", err)
		}
		page.Records = append(page.Records, record)
	}
	return page, nil
}

// readBlob reads a blob whole, which is a small one.
func (s *Server) readBlob(ctx context.Context, ref store.BlobRef) ([]byte, error) {
	blob, err := s.cfg.Blobs.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	return io.ReadAll(io.NewSectionReader(blob, 0, blob.Size()))
}

// reportVerified notes that a snapshot's owner has read it and found it right,
// which the server cannot do.
func (c *conn) reportVerified(ctx context.Context, r *request, m *protocol.ReportVerified) (protocol.Message, error) {
	snapshot, err := c.s.cfg.Catalog.Snapshot(ctx, r.client, m.Name, m.Version)
	if err != nil {
		return nil, fileError(err)
	}
	c.s.journal.note(store.Activity{Kind: store.ActivityScrub, Outcome: store.OutcomeOK, Client: r.client, Name: c.s.journal.nameOf(ctx, r.client), Address: r.from.address,
		File: m.Name, Version: snapshot.Number, Bytes: int64(min(m.Bytes, math.MaxInt64)), Detail: "verified by its owner: " + plural(int(m.Packs), "pack was read", "packs were read")})
	return &protocol.Done{}, nil
}

// recoverSealed takes up a manifest or a mend record that an earlier run stored
// and did not mark as committed: it gets its mark if the catalog has it, and
// goes otherwise, since no client comes back for it.
func (s *Server) recoverSealed(ctx context.Context, b store.StoredBlob) error {
	refers, err := s.cfg.Catalog.Refers(ctx, b.Ref)
	if err != nil {
		return err
	}
	if !refers {
		return s.cfg.Blobs.Remove(ctx, b.Ref)
	}
	versions, err := s.cfg.Catalog.Versions(ctx, b.Metadata.Client, b.Metadata.Name)
	if err != nil {
		return err
	}
	for _, v := range versions {
		mark := store.Confirmation{Number: v.Number, Verified: true, Created: v.Created}
		if v.Blob == b.Ref {
			return s.cfg.Blobs.Confirm(ctx, b.Ref, mark)
		}
		if !b.Metadata.Snapshot.Mend {
			continue
		}
		mends, err := s.cfg.Catalog.Mends(ctx, v.Client, v.Name, v.Number)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(mends, func(m store.Mend) bool { return m.Blob == b.Ref }) {
			return s.cfg.Blobs.Confirm(ctx, b.Ref, mark)
		}
	}
	return nil
}
