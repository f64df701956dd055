package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"coffer/internal/fair"
	"coffer/protocol"
	"coffer/server/metrics"
	"coffer/store"
)

var (
	errNoPack      = refuse(protocol.StatusNotFound, "no such pack")
	errPackDamaged = refuse(protocol.StatusConflict, "the pack is damaged; the next backup mends it")
)

// packs stores packs, and reads them back.
type packs struct {
	catalog  packCatalog
	blobs    packBlobs
	intake   *intake
	machines *machines
	puts     *fair.Gate  // packs that come in
	checks   *fair.Queue // packs that are read back
	maxOfRun int
	metrics  *metrics.Metrics
	journal  *journal
	log      *slog.Logger
}

// A packCatalog is what packs ask of the catalog.
type packCatalog interface {
	Run(ctx context.Context, client store.ClientID, id store.RunID) (store.Run, error)
	AskPacks(ctx context.Context, client store.ClientID, run store.RunID, ids []store.PackID) ([]store.FoundPack, error)
	PlacePack(ctx context.Context, client store.ClientID, run store.RunID, id store.PackID) (ordinal uint32, there bool, err error)
	AddPack(ctx context.Context, run store.RunID, p store.Pack) (unused store.BlobRef, err error)
	Pack(ctx context.Context, client store.ClientID, id store.PackID) (store.Pack, error)
	MarkDamaged(ctx context.Context, client store.ClientID, ordinals []uint32, whole bool) error
	NeededBy(ctx context.Context, client store.ClientID, ordinal uint32, visit func(store.Snapshot) error) error
}

// packBlobs are what packs ask of the blobs.
type packBlobs interface {
	blobRemover
	CreatePack(ctx context.Context, meta store.PackMetadata) (store.PackWriter, error)
	Open(ctx context.Context, ref store.BlobRef) (store.Blob, error)
}

func newPacks(s *Server, p *parts) *packs {
	return &packs{catalog: s.cfg.Catalog, blobs: s.cfg.Blobs, intake: p.intake, machines: p.machines, maxOfRun: s.cfg.MaxRunPacks,
		puts: fair.NewGate(int64(s.cfg.MaxPutsPerAccount), int64(s.cfg.MaxPuts)),
		// One is read back at a time, and nobody waits for many.
		checks:  fair.NewQueue(fair.Limits{Slots: 1, Waiting: 256, PerSource: 4}),
		metrics: s.metrics, journal: s.journal, log: s.log}
}

func (ps *packs) ask(ctx context.Context, r *request, m *protocol.AskPacks) (protocol.Message, error) {
	if len(m.IDs) == 0 {
		return nil, refuse(protocol.StatusInvalid, "ids: at least one")
	}
	if err := ps.machines.mayRun(ctx, r, m.Run); err != nil {
		return nil, err
	}
	_, missing, err := ps.find(ctx, r, store.RunID(m.Run), m.IDs)
	if err != nil {
		return nil, err
	}
	return &protocol.PacksMissing{IDs: missing}, nil
}

// find pins packs by a run, and returns where they are and which are
// missing.
func (ps *packs) find(ctx context.Context, r *request, run store.RunID, ids []protocol.PackID) (found []store.FoundPack, missing []protocol.PackID, err error) {
	asked := make([]store.PackID, len(ids))
	for i, id := range ids {
		asked[i] = store.PackID(id)
	}
	if found, err = ps.catalog.AskPacks(ctx, r.client, run, asked); err != nil {
		return nil, nil, runError(err)
	}
	for i, one := range found {
		if one.Ordinal == 0 {
			missing = append(missing, ids[i])
		}
	}
	return found, missing, nil
}

// put takes in a pack. It is answered once the pack is on stable storage
// and in the catalog; of one that does not get there nothing is left.
func (ps *packs) put(ctx context.Context, r *request, m *protocol.PutPack) (protocol.Message, error) {
	size := int64(r.payload.left)
	switch {
	case size == 0:
		return nil, refuse(protocol.StatusInvalid, "content: a pack has at least one byte")
	case ps.intake.space.Low():
		return nil, errNoSpace
	}
	leave, err := ps.enter(r)
	if err != nil {
		return nil, err
	}
	defer leave()
	run, err := ps.catalog.Run(ctx, r.client, store.RunID(m.Run))
	if err != nil {
		return nil, runError(err)
	}
	if err := ps.machines.ownsLabel(ctx, r, run.Name); err != nil {
		return nil, err
	}
	if most := ps.maxOfRun; run.Packs >= int64(most) {
		return nil, refuse(protocol.StatusTooMany, fmt.Sprintf("too many packs in one run: there may be %d; commit it, and continue with a new one", most))
	}
	ordinal, there, err := ps.catalog.PlacePack(ctx, r.client, run.ID, store.PackID(m.ID))
	if err != nil {
		return nil, runError(err)
	}
	if there {
		ps.metrics.PacksKnown.Add(1)
		return &protocol.Done{}, nil
	}
	p := store.Pack{Client: r.client, ID: store.PackID(m.ID), Ordinal: ordinal, Size: size}
	if p.Blob, err = ps.receive(ctx, r, p); err != nil {
		return nil, err
	}
	if err := ps.add(ctx, run.ID, p); err != nil {
		return nil, err
	}
	ps.metrics.PacksPut.Add(1)
	ps.metrics.PackBytes.Add(uint64(size))
	return &protocol.Done{}, nil
}

// enter bounds how many packs come in at once, of an account or one of its
// machines.
func (ps *packs) enter(r *request) (leave func(), err error) {
	key := string(r.client[:])
	if r.machine != nil {
		key = string(r.machine.id[:])
	}
	if ps.puts.Enter(key, 1) != fair.NotFull {
		return nil, errBusy
	}
	ps.metrics.Puts.Add(1)
	return func() {
		ps.metrics.Puts.Add(-1)
		ps.puts.Leave(key, 1)
	}, nil
}

// receive stores the content of a pack as it comes in, in a buffer that
// does not grow with it.
func (ps *packs) receive(ctx context.Context, r *request, p store.Pack) (ref store.BlobRef, err error) {
	written, err := ps.intake.admit(r.client, int(p.Size))
	if err != nil {
		return "", err
	}
	defer written()
	w, err := ps.blobs.CreatePack(ctx, store.PackMetadata{Client: p.Client, ID: p.ID, Ordinal: p.Ordinal, Size: p.Size})
	if err != nil {
		return "", fmt.Errorf("store a pack: %w", err)
	}
	sum := sha256.New()
	if err := ps.intake.copy(io.MultiWriter(sum, w), r.payload, r.client); err != nil {
		return "", errors.Join(err, w.Discard())
	}
	if store.PackID(sum.Sum(nil)) != p.ID {
		return "", errors.Join(refuse(protocol.StatusInvalid, "content: its SHA-256 is not the pack's id"), w.Discard())
	}
	if ref, err = w.Commit(ctx); err != nil {
		return "", fmt.Errorf("store a pack: %w", err)
	}
	return ref, nil
}

// add enters a stored pack in the catalog. Where it is not known whether it
// was, its blob stays: what nothing refers to is lost space, no lost pack.
func (ps *packs) add(ctx context.Context, run store.RunID, p store.Pack) error {
	unused, err := ps.catalog.AddPack(ctx, run, p)
	switch {
	case errors.Is(err, store.ErrNoRun), errors.Is(err, store.ErrNoClient):
		unused = p.Blob
	case err != nil:
		return fmt.Errorf("enter a pack in the catalog: %w", err)
	}
	if unused != "" {
		removeBlobs(ctx, ps.blobs, ps.log, []store.BlobRef{unused})
	}
	return runError(err)
}

// readPack sends a range of a pack itself, and so leaves nothing to respond.
func (c *conn) readPack(ctx context.Context, r *request, m *protocol.ReadPack) (protocol.Message, error) {
	ps := c.s.packs
	p, err := ps.one(ctx, r, m.ID)
	if err != nil {
		return nil, err
	}
	if m.Offset > uint64(p.Size) {
		return nil, refuse(protocol.StatusInvalid, "offset: beyond the end of the pack")
	}
	length := min(uint64(p.Size)-m.Offset, protocol.MaxPack)
	if m.Length > 0 {
		length = min(length, uint64(m.Length))
	}
	blob, err := ps.blobs.Open(ctx, p.Blob)
	switch {
	case errors.Is(err, store.ErrNoBlob):
		ps.damaged(ctx, p, "a pack is missing")
		return nil, errPackDamaged
	case err != nil:
		return nil, err
	}
	defer blob.Close()
	if m.Offset+length > uint64(blob.Size()) {
		ps.damaged(ctx, p, "a pack ends early")
		return nil, errPackDamaged
	}
	if err := c.sendRange(r, &protocol.PackContent{Size: uint64(p.Size), Offset: m.Offset}, blob, m.Offset, length); err != nil {
		return nil, err
	}
	ps.metrics.PackBytesRead.Add(length)
	return nil, nil
}

// one finds a pack that a request names.
func (ps *packs) one(ctx context.Context, r *request, id protocol.PackID) (store.Pack, error) {
	p, err := ps.catalog.Pack(ctx, r.client, store.PackID(id))
	if errors.Is(err, store.ErrNoPack) {
		return p, errNoPack
	}
	return p, err
}

// check reads a pack back, and marks what it finds.
func (ps *packs) check(ctx context.Context, r *request, m *protocol.CheckPack) (protocol.Message, error) {
	p, err := ps.one(ctx, r, m.ID)
	if err != nil {
		return nil, err
	}
	release, err := ps.checks.Acquire(ctx, string(r.client[:]))
	if errors.Is(err, fair.ErrBusy) {
		return nil, errBusy
	} else if err != nil {
		return nil, err
	}
	defer release()
	wrong, err := ps.readBack(ctx, p)
	switch {
	case err != nil:
		return nil, err
	case wrong != "":
		ps.damaged(ctx, p, wrong)
		return nil, errPackDamaged
	case p.State == store.PackDamaged: // it could not be read for a while
		err = ps.catalog.MarkDamaged(ctx, p.Client, []uint32{p.Ordinal}, true)
	}
	return &protocol.Done{}, err
}

// readBack returns what is wrong with a pack, "" if it is as it was put.
func (ps *packs) readBack(ctx context.Context, p store.Pack) (wrong string, err error) {
	blob, err := ps.blobs.Open(ctx, p.Blob)
	if errors.Is(err, store.ErrNoBlob) {
		return "a pack is missing", nil
	} else if err != nil {
		return "", err
	}
	defer blob.Close()
	b := ps.intake.readers.Get().(*readBuffer)
	defer ps.intake.readers.Put(b)
	sum := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{io.NewSectionReader(blob, 0, blob.Size())}, b[:])
	switch {
	case err != nil:
		ps.log.Error("a pack cannot be read", "client", p.Client, "error", err)
		return "a pack cannot be read", nil
	case n != p.Size || store.PackID(sum.Sum(nil)) != p.ID:
		return "a pack differs from what was stored", nil
	}
	return "", nil
}

// maxDamageNotes is how many snapshots are named that need one damaged pack.
const maxDamageNotes = 100

// errEnough ends a visit.
var errEnough = errors.New("enough was seen")

// damaged marks a pack as damaged, and notes which snapshots need it.
func (ps *packs) damaged(ctx context.Context, p store.Pack, what string) {
	if p.State != store.PackWhole {
		return // it is known
	}
	ps.metrics.PacksDamaged.Add(1)
	ps.log.Error("a pack is damaged", "client", p.Client, "pack", p.ID, "reason", what)
	if err := ps.catalog.MarkDamaged(ctx, p.Client, []uint32{p.Ordinal}, false); err != nil {
		ps.log.Error("cannot mark a damaged pack", "client", p.Client, "error", err)
	}
	name, noted := ps.journal.nameOf(ctx, p.Client), 0
	note := func(file string, version uint32) {
		ps.journal.note(store.Activity{Kind: store.ActivityScrub, Outcome: store.OutcomeFailed, Client: p.Client, Name: name, File: file, Version: version,
			Bytes: p.Size, Detail: what + "; the next backup mends what it has"})
	}
	err := ps.catalog.NeededBy(ctx, p.Client, p.Ordinal, func(v store.Snapshot) error {
		if noted == maxDamageNotes {
			return errEnough
		}
		noted++
		note(v.Name, v.Number)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		ps.log.Error("cannot find out which snapshots need a damaged pack", "client", p.Client, "error", err)
	}
	if noted == 0 {
		note("", 0)
	}
}
