package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"time"

	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/server/metrics"
	"coffer/server/settings"
	"coffer/store"
	"coffer/store/packset"
)

// A snapshot is a version of a file whose content is its manifest. What the
// manifest names lies in packs, which the catalog counts by a set beside it:
// the server reads neither.

var (
	errReserved = refuse(protocol.StatusForbidden, `filename: "s/" and 32 hexadecimal digits is the name of a snapshot, which uploads cannot write to`)
	errOvertake = refuse(protocol.StatusConflict, "another version was committed first; read it, and commit again")
)

// snapshots commits snapshots, lists them, and mends them.
type snapshots struct {
	catalog  snapshotCatalog
	blobs    snapshotBlobs
	packs    *packs
	intake   *intake
	machines *machines
	sweeper  *sweeper
	settings func() settings.Values
	metrics  *metrics.Metrics
	journal  *journal
	log      *slog.Logger
}

// A snapshotCatalog is what snapshots ask of the catalog.
type snapshotCatalog interface {
	mendCatalog
	Run(ctx context.Context, client store.ClientID, id store.RunID) (store.Run, error)
	RunBase(ctx context.Context, client store.ClientID, id store.RunID) (packs []byte, bytes int64, err error)
	PacksByID(ctx context.Context, client store.ClientID, ids []store.PackID) ([]store.Pack, error)
	Committed(ctx context.Context, client store.ClientID, run store.RunID) (store.Snapshot, error)
	CommitSnapshot(ctx context.Context, c store.SnapshotCommit, keep store.Retention) (number uint32, dropped []store.BlobRef, err error)
	ListSnapshots(ctx context.Context, client store.ClientID, q store.SnapshotQuery) ([]store.Snapshot, error)
	SnapshotPacks(ctx context.Context, client store.ClientID, name string, number, after uint32, limit int) ([]store.Pack, error)
	Refers(ctx context.Context, ref store.BlobRef) (bool, error)
	Versions(ctx context.Context, id store.ClientID, name string) ([]store.Version, error)
}

// snapshotBlobs are what snapshots ask of the blobs.
type snapshotBlobs interface {
	blobRemover
	Put(ctx context.Context, meta store.Metadata, content []byte) (store.BlobRef, error)
	NewPart(ctx context.Context, id store.UploadID, header []byte) (store.Part, error)
	Confirm(ctx context.Context, ref store.BlobRef, mark store.Confirmation) error
	Open(ctx context.Context, ref store.BlobRef) (store.Blob, error)
}

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

// commit makes a snapshot the next version of its name. Its ids are
// looked up as they come in, a few thousand at a time, so that neither memory
// nor the catalog waits for the client.
func (ss *snapshots) commit(ctx context.Context, r *request, m *protocol.CommitSnapshot) (protocol.Message, error) {
	if err := checkCommit(m, r.payload.left); err != nil {
		return nil, err
	}
	done, err := ss.catalog.Committed(ctx, r.client, store.RunID(m.Run))
	if err == nil {
		if err := ss.machines.ownsLabel(ctx, r, done.Name); err != nil {
			return nil, err
		}
		return &protocol.SnapshotCommitted{Version: done.Number}, nil
	} else if !errors.Is(err, store.ErrNoFile) {
		return nil, err
	}
	run, err := ss.catalog.Run(ctx, r.client, store.RunID(m.Run))
	if err != nil {
		return nil, runError(err)
	}
	if err := ss.machines.ownsLabel(ctx, r, run.Name); err != nil {
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
	set, missing, err := ss.packsOf(ctx, r, m)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return &protocol.PacksMissing{IDs: missing}, nil
	}
	v, err := ss.storeManifest(ctx, r, run, head, set)
	if err != nil {
		return nil, err
	}
	return ss.commitVersion(ctx, r, run, v, m.Before)
}

// idsAtOnce is how many ids of a commit are looked up together.
const idsAtOnce = protocol.MaxAskPacks

// packsOf reads which packs a snapshot needs, pins them by its run, and returns
// those that are missing, as many as an answer holds.
func (ss *snapshots) packsOf(ctx context.Context, r *request, m *protocol.CommitSnapshot) (set *packset.Set, missing []protocol.PackID, err error) {
	set = new(packset.Set)
	if m.Base != 0 {
		if set, err = ss.basePacks(ctx, r, store.RunID(m.Run)); err != nil {
			return nil, nil, err
		}
	}
	err = eachIDs(r.payload, m.Added, func(ids []protocol.PackID) error {
		if len(missing) >= protocol.MaxAskPacks {
			return nil // as many as an answer holds
		}
		found, lacking, err := ss.packs.find(ctx, r, store.RunID(m.Run), ids)
		set.Add(found...)
		missing = append(missing, lacking...)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	err = eachIDs(r.payload, m.Dropped, func(ids []protocol.PackID) error {
		dropped, err := ss.catalog.PacksByID(ctx, r.client, storeIDs(ids))
		set.Remove(dropped...)
		return err
	})
	return set, missing[:min(len(missing), protocol.MaxAskPacks)], err
}

func (ss *snapshots) basePacks(ctx context.Context, r *request, run store.RunID) (*packset.Set, error) {
	encoded, bytes, err := ss.catalog.RunBase(ctx, r.client, run)
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
func (ss *snapshots) storeManifest(ctx context.Context, r *request, run store.Run, head []byte, set *packset.Set) (store.Version, error) {
	packs, err := set.Encode()
	if err != nil {
		return store.Version{}, fmt.Errorf("encode the packs of a snapshot: %w", err)
	}
	meta := sealedMetadata(r.client, run.Name, store.SnapshotMetadata{Run: run.ID, Head: head, Packs: packs, PackBytes: set.Bytes})
	meta, ref, err := ss.storeSealed(ctx, meta, r.payload, int64(r.payload.left))
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
func (ss *snapshots) storeSealed(ctx context.Context, meta store.Metadata, in io.Reader, size int64) (store.Metadata, store.BlobRef, error) {
	meta.Size, meta.OriginalSize = size, size
	written, err := ss.intake.admit(meta.Client, int(size)+2*len(meta.Snapshot.Packs)+accountSize)
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
		ref, err := ss.blobs.Put(ctx, meta, content)
		return meta, ref, err
	}
	part, err := ss.blobs.NewPart(ctx, meta.Upload, []byte("{}")) // which no later start takes up
	if err != nil {
		return meta, "", fmt.Errorf("store a manifest: %w", err)
	}
	sum := sha256.New()
	if err := ss.intake.copy(io.MultiWriter(sum, &partWriter{to: part.Content()}), in, meta.Client); err != nil {
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
func (ss *snapshots) commitVersion(ctx context.Context, r *request, run store.Run, v store.Version, before uint32) (protocol.Message, error) {
	number, dropped, err := ss.catalog.CommitSnapshot(ctx, store.SnapshotCommit{Version: v, Before: before}, ss.settings().Retention())
	refused := errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNoRun) || errors.Is(err, store.ErrNoClient)
	lacking, isMissing := errors.AsType[*store.MissingPacks](err)
	if refused || isMissing {
		removeBlobs(ctx, ss.blobs, ss.log, []store.BlobRef{v.Blob})
	}
	switch {
	case isMissing:
		return packsMissing(lacking), nil
	case errors.Is(err, store.ErrConflict):
		return nil, errOvertake
	case err != nil:
		return nil, runError(err)
	}
	removeBlobs(ctx, ss.blobs, ss.log, dropped)
	ss.sweeper.poke()
	if err := ss.blobs.Confirm(ctx, v.Blob, store.Confirmation{Number: number, Verified: v.Verified, Created: v.Created}); err != nil && !errors.Is(err, store.ErrNoBlob) {
		ss.log.Error("a committed snapshot would be missing from a rebuilt catalog", "client", r.client, "error", err)
	}
	ss.metrics.Snapshots.Add(1)
	ss.journal.note(store.Activity{At: v.Created, Kind: store.ActivityUpload, Outcome: store.OutcomeOK, Client: r.client, Name: ss.journal.nameOf(ctx, r.client), Address: r.from.address,
		File: v.Name, Version: number, Bytes: run.Bytes, Took: v.Created.Sub(run.Begun),
		Detail: fmt.Sprintf("a snapshot that needs %s; %s added", plural(packCount(v), "pack", "packs"), plural(int(run.Packs), "pack", "packs")) + r.by()})
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

func (ss *snapshots) list(ctx context.Context, r *request, m *protocol.ListSnapshots) (protocol.Message, error) {
	if m.Limit == 0 || m.Limit > protocol.MaxListSnapshots {
		return nil, refuse(protocol.StatusInvalid, fmt.Sprintf("limit: from 1 to %d", protocol.MaxListSnapshots))
	}
	if r.machine != nil && (!protocol.IsSnapshotName(m.Only) || m.AllVersions) {
		return nil, errMachineOnly
	}
	if err := ss.machines.mayRead(ctx, r, m.Only); err != nil {
		return nil, err
	}
	q := store.SnapshotQuery{After: store.Cursor{Name: m.AfterName, Number: m.AfterVersion}, Limit: int(m.Limit) + 1, All: m.AllVersions, Only: m.Only}
	found, err := ss.catalog.ListSnapshots(ctx, r.client, q)
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

func (ss *snapshots) listPacks(ctx context.Context, r *request, m *protocol.SnapshotPacks) (protocol.Message, error) {
	if m.Limit == 0 || m.Limit > protocol.MaxListPacks {
		return nil, refuse(protocol.StatusInvalid, fmt.Sprintf("limit: from 1 to %d", protocol.MaxListPacks))
	}
	packs, err := ss.catalog.SnapshotPacks(ctx, r.client, m.Name, m.Version, m.After, int(m.Limit)+1)
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

// reportVerified notes that a snapshot's owner has read it and found it right,
// which the server cannot do.
func (ss *snapshots) reportVerified(ctx context.Context, r *request, m *protocol.ReportVerified) (protocol.Message, error) {
	snapshot, err := ss.catalog.Snapshot(ctx, r.client, m.Name, m.Version)
	if err != nil {
		return nil, fileError(err)
	}
	ss.journal.note(store.Activity{Kind: store.ActivityScrub, Outcome: store.OutcomeOK, Client: r.client, Name: ss.journal.nameOf(ctx, r.client), Address: r.from.address,
		File: m.Name, Version: snapshot.Number, Bytes: int64(min(m.Bytes, math.MaxInt64)), Detail: "verified by its owner: " + plural(int(m.Packs), "pack was read", "packs were read")})
	return &protocol.Done{}, nil
}

// recover takes up a manifest or a mend record that an earlier run stored
// and did not mark as committed: it gets its mark if the catalog has it, and
// goes otherwise, since no client comes back for it.
func (ss *snapshots) recover(ctx context.Context, b store.StoredBlob) error {
	refers, err := ss.catalog.Refers(ctx, b.Ref)
	if err != nil {
		return err
	}
	if !refers {
		return ss.blobs.Remove(ctx, b.Ref)
	}
	versions, err := ss.catalog.Versions(ctx, b.Metadata.Client, b.Metadata.Name)
	if err != nil {
		return err
	}
	for _, v := range versions {
		mark := store.Confirmation{Number: v.Number, Verified: true, Created: v.Created}
		if v.Blob == b.Ref {
			return ss.blobs.Confirm(ctx, b.Ref, mark)
		}
		if !b.Metadata.Snapshot.Mend {
			continue
		}
		mends, err := ss.catalog.Mends(ctx, v.Client, v.Name, v.Number)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(mends, func(m store.Mend) bool { return m.Blob == b.Ref }) {
			return ss.blobs.Confirm(ctx, b.Ref, mark)
		}
	}
	return nil
}
