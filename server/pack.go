package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"coffer/internal/fair"
	"coffer/protocol"
	"coffer/store"
)

var (
	errNoPack      = refuse(protocol.StatusNotFound, "no such pack")
	errPackDamaged = refuse(protocol.StatusConflict, "the pack is damaged; the next backup mends it")
)

// packGates bound what packs are put and read back at once.
type packGates struct {
	puts   *fair.Gate
	checks *fair.Queue
}

func newPackGates(cfg *Config) packGates {
	return packGates{
		puts: fair.NewGate(int64(cfg.MaxPutsPerAccount), int64(cfg.MaxPuts)),
		// One is read back at a time, and nobody waits for many.
		checks: fair.NewQueue(fair.Limits{Slots: 1, Waiting: 256, PerSource: 4}),
	}
}

func (c *conn) askPacks(ctx context.Context, r *request, m *protocol.AskPacks) (protocol.Message, error) {
	if len(m.IDs) == 0 {
		return nil, refuse(protocol.StatusInvalid, "ids: at least one")
	}
	if err := c.mayRun(ctx, r, m.Run); err != nil {
		return nil, err
	}
	_, missing, err := c.findPacks(ctx, r, store.RunID(m.Run), m.IDs)
	if err != nil {
		return nil, err
	}
	return &protocol.PacksMissing{IDs: missing}, nil
}

// findPacks pins packs by a run, and returns where they are and which are
// missing.
func (c *conn) findPacks(ctx context.Context, r *request, run store.RunID, ids []protocol.PackID) (found []store.FoundPack, missing []protocol.PackID, err error) {
	asked := make([]store.PackID, len(ids))
	for i, id := range ids {
		asked[i] = store.PackID(id)
	}
	if found, err = c.s.cfg.Catalog.AskPacks(ctx, r.client, run, asked); err != nil {
		return nil, nil, runError(err)
	}
	for i, one := range found {
		if one.Ordinal == 0 {
			missing = append(missing, ids[i])
		}
	}
	return found, missing, nil
}

// putPack takes in a pack. It is answered once the pack is on stable storage
// and in the catalog; of one that does not get there nothing is left.
func (c *conn) putPack(ctx context.Context, r *request, m *protocol.PutPack) (protocol.Message, error) {
	size := int64(r.payload.left)
	switch {
	case size == 0:
		return nil, refuse(protocol.StatusInvalid, "content: a pack has at least one byte")
	case c.s.cfg.Space.Low():
		return nil, errNoSpace
	}
	leave, err := c.enterPut(r)
	if err != nil {
		return nil, err
	}
	defer leave()
	run, err := c.s.cfg.Catalog.Run(ctx, r.client, store.RunID(m.Run))
	if err != nil {
		return nil, runError(err)
	}
	if err := c.ownsLabel(ctx, r, run.Name); err != nil {
		return nil, err
	}
	if most := c.s.cfg.MaxRunPacks; run.Packs >= int64(most) {
		return nil, refuse(protocol.StatusTooMany, fmt.Sprintf("too many packs in one run: there may be %d; commit it, and go on with another", most))
	}
	ordinal, there, err := c.s.cfg.Catalog.PlacePack(ctx, r.client, run.ID, store.PackID(m.ID))
	if err != nil {
		return nil, runError(err)
	}
	if there {
		c.s.metrics.PacksKnown.Add(1)
		return &protocol.Done{}, nil
	}
	p := store.Pack{Client: r.client, ID: store.PackID(m.ID), Ordinal: ordinal, Size: size}
	if p.Blob, err = c.receivePack(ctx, r, p); err != nil {
		return nil, err
	}
	if err := c.s.addPack(ctx, run.ID, p); err != nil {
		return nil, err
	}
	c.s.metrics.PacksPut.Add(1)
	c.s.metrics.PackBytes.Add(uint64(size))
	return &protocol.Done{}, nil
}

// enterPut bounds how many packs come in at once, of an account or one of its
// machines.
func (c *conn) enterPut(r *request) (leave func(), err error) {
	s, key := c.s, string(r.client[:])
	if c.machine != nil {
		key = string(c.machine.id[:])
	}
	if s.packs.puts.Enter(key, 1) != fair.NotFull {
		return nil, errBusy
	}
	s.metrics.Puts.Add(1)
	return func() {
		s.metrics.Puts.Add(-1)
		s.packs.puts.Leave(key, 1)
	}, nil
}

// receivePack stores the content of a pack as it comes in, in a buffer that
// does not grow with it.
func (c *conn) receivePack(ctx context.Context, r *request, p store.Pack) (ref store.BlobRef, err error) {
	written, err := c.s.admitContent(r.client, int(p.Size))
	if err != nil {
		return "", err
	}
	defer written()
	w, err := c.s.cfg.Blobs.CreatePack(ctx, store.PackMetadata{Client: p.Client, ID: p.ID, Ordinal: p.Ordinal, Size: p.Size})
	if err != nil {
		return "", fmt.Errorf("store a pack: %w", err)
	}
	sum := sha256.New()
	if err := c.s.copyContent(io.MultiWriter(sum, w), r.payload, r.client); err != nil {
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

// copyContent copies content as it comes in, unless its client is suspended
// meanwhile.
func (s *Server) copyContent(w io.Writer, in io.Reader, client store.ClientID) error {
	b := s.readers.Get().(*readBuffer)
	defer s.readers.Put(b)
	for {
		n, err := in.Read(b[:])
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case s.suspended.has(client):
			return errSuspended
		}
		if _, err := w.Write(b[:n]); err != nil {
			return fmt.Errorf("store content: %w", err)
		}
	}
}

// addPack enters a stored pack in the catalog. Where it is not known whether it
// was, its blob stays: what nothing refers to is lost space, no lost pack.
func (s *Server) addPack(ctx context.Context, run store.RunID, p store.Pack) error {
	unused, err := s.cfg.Catalog.AddPack(ctx, run, p)
	switch {
	case errors.Is(err, store.ErrNoRun), errors.Is(err, store.ErrNoClient):
		unused = p.Blob
	case err != nil:
		return fmt.Errorf("enter a pack in the catalog: %w", err)
	}
	if unused != "" {
		s.removeBlobs(ctx, []store.BlobRef{unused})
	}
	return runError(err)
}

// readPack sends a range of a pack itself, and so leaves nothing to respond.
func (c *conn) readPack(ctx context.Context, r *request, m *protocol.ReadPack) (protocol.Message, error) {
	p, err := c.pack(ctx, r, m.ID)
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
	blob, err := c.s.cfg.Blobs.Open(ctx, p.Blob)
	switch {
	case errors.Is(err, store.ErrNoBlob):
		c.s.packDamaged(ctx, p, "a pack is not there any more")
		return nil, errPackDamaged
	case err != nil:
		return nil, err
	}
	defer blob.Close()
	if m.Offset+length > uint64(blob.Size()) {
		c.s.packDamaged(ctx, p, "a pack ends early")
		return nil, errPackDamaged
	}
	if err := c.sendRange(r, &protocol.PackContent{Size: uint64(p.Size), Offset: m.Offset}, blob, m.Offset, length); err != nil {
		return nil, err
	}
	c.s.metrics.PackBytesRead.Add(length)
	return nil, nil
}

// pack finds a pack that a request names.
func (c *conn) pack(ctx context.Context, r *request, id protocol.PackID) (store.Pack, error) {
	p, err := c.s.cfg.Catalog.Pack(ctx, r.client, store.PackID(id))
	if errors.Is(err, store.ErrNoPack) {
		return p, errNoPack
	}
	return p, err
}

// checkPack reads a pack back, and marks what it finds.
func (c *conn) checkPack(ctx context.Context, r *request, m *protocol.CheckPack) (protocol.Message, error) {
	p, err := c.pack(ctx, r, m.ID)
	if err != nil {
		return nil, err
	}
	release, err := c.s.packs.checks.Acquire(ctx, string(r.client[:]))
	if errors.Is(err, fair.ErrBusy) {
		return nil, errBusy
	} else if err != nil {
		return nil, err
	}
	defer release()
	wrong, err := c.s.readBack(ctx, p)
	switch {
	case err != nil:
		return nil, err
	case wrong != "":
		c.s.packDamaged(ctx, p, wrong)
		return nil, errPackDamaged
	case p.State == store.PackDamaged: // it could not be read for a while
		err = c.s.cfg.Catalog.MarkDamaged(ctx, p.Client, []uint32{p.Ordinal}, true)
	}
	return &protocol.Done{}, err
}

// readBack returns what is wrong with a pack, "" if it is as it was put.
func (s *Server) readBack(ctx context.Context, p store.Pack) (wrong string, err error) {
	blob, err := s.cfg.Blobs.Open(ctx, p.Blob)
	if errors.Is(err, store.ErrNoBlob) {
		return "a pack is not there any more", nil
	} else if err != nil {
		return "", err
	}
	defer blob.Close()
	b := s.readers.Get().(*readBuffer)
	defer s.readers.Put(b)
	sum := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{io.NewSectionReader(blob, 0, blob.Size())}, b[:])
	switch {
	case err != nil:
		s.log.Error("a pack cannot be read", "client", p.Client, "error", err)
		return "a pack cannot be read", nil
	case n != p.Size || store.PackID(sum.Sum(nil)) != p.ID:
		return "a pack is not what was put", nil
	}
	return "", nil
}

// maxDamageNotes is how many snapshots are named that need one damaged pack.
const maxDamageNotes = 100

// errEnough ends a visit.
var errEnough = errors.New("enough was seen")

// packDamaged marks a pack as damaged, and notes which snapshots need it.
func (s *Server) packDamaged(ctx context.Context, p store.Pack, what string) {
	if p.State != store.PackWhole {
		return // it is known
	}
	s.metrics.PacksDamaged.Add(1)
	s.log.Error("a pack is damaged", "client", p.Client, "pack", p.ID, "reason", what)
	if err := s.cfg.Catalog.MarkDamaged(ctx, p.Client, []uint32{p.Ordinal}, false); err != nil {
		s.log.Error("cannot mark a damaged pack", "client", p.Client, "error", err)
	}
	name, noted := s.journal.nameOf(ctx, p.Client), 0
	note := func(file string, version uint32) {
		s.journal.note(store.Activity{Kind: store.ActivityScrub, Outcome: store.OutcomeFailed, Client: p.Client, Name: name, File: file, Version: version,
			Bytes: p.Size, Detail: what + "; the next backup mends what it has"})
	}
	err := s.cfg.Catalog.NeededBy(ctx, p.Client, p.Ordinal, func(v store.Snapshot) error {
		if noted == maxDamageNotes {
			return errEnough
		}
		noted++
		note(v.Name, v.Number)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		s.log.Error("cannot find out which snapshots need a damaged pack", "client", p.Client, "error", err)
	}
	if noted == 0 {
		note("", 0)
	}
}
