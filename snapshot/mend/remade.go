package mend

import (
	"bytes"
	"context"
	"fmt"

	"coffer/snapshot"
	"coffer/snapshot/cache"
	"coffer/snapshot/pack"
)

// remade are the pieces of trees that are in no pack any more, in one that is
// being filled.
type remade struct {
	number cache.Number
	sealed bytes.Buffer
	writer *pack.Writer // nil: there is none
	places []snapshot.Place
	plain  map[snapshot.ChunkID][]byte
}

// remake puts a piece of a tree into a new pack, if the cache remembers what it
// was.
func (m *mender) remake(ctx context.Context, id snapshot.ChunkID) (ok bool, err error) {
	p := &m.remade
	if p.plain[id] != nil {
		return true, nil
	}
	frame := m.cache.LostFrame(id)
	if frame == nil {
		return false, nil
	}
	plain, err := m.zstd.DecodeAll(frame, nil)
	if err != nil || m.own.ChunkID(snapshot.Tree, plain) != id {
		return false, nil // the cache is disposable
	}
	if p.writer == nil {
		p.number, p.plain = m.cache.Reserve(), map[snapshot.ChunkID][]byte{}
		if p.writer, err = pack.NewWriter(&p.sealed, m.keys.Recipient); err != nil {
			return false, err
		}
	}
	place, err := p.writer.Add(id, len(plain), frame)
	if err != nil {
		return false, err
	}
	p.places, p.plain[id] = append(p.places, place), plain
	if p.writer.Full() {
		return true, m.flush(ctx)
	}
	return true, nil
}

// flush sends the pack that is being filled.
func (m *mender) flush(ctx context.Context) error {
	p := &m.remade
	if p.writer == nil {
		return nil
	}
	id, _, err := p.writer.Close()
	if err != nil {
		return err
	}
	if err := m.repo.Put(ctx, m.run, id, p.sealed.Bytes()); err != nil {
		return fmt.Errorf("send what trees held: %w", err)
	}
	for i := range p.places {
		p.places[i].Pack = id
	}
	if err := m.cache.AddPack(p.number, id, p.places); err != nil {
		return err
	}
	m.remade = remade{}
	return nil
}
