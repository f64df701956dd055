package take

import (
	"context"

	"coffer/snapshot"
)

// content gives a file the places of its chunks, once the packs that they are in
// are closed.
func (a *assembler) content(ctx context.Context, entry *snapshot.Entry, chunks []*ref) error {
	if len(chunks) == 0 {
		return nil
	}
	w := snapshot.NewContentWriter(a.list)
	for _, ref := range chunks {
		o, place, err := a.run.data.inPack(ref)
		if err != nil {
			return err
		}
		if o != nil {
			if err := a.wait(ctx, o); err != nil {
				return err
			}
			place.Pack = o.id
		}
		if err := w.Add(place); err != nil {
			return err
		}
	}
	var err error
	entry.Content, entry.Depth, err = w.Close()
	return err
}

// wait waits until a pack is closed. If everything else waits for that as well,
// it is closed as it is.
func (a *assembler) wait(ctx context.Context, o *openPack) error {
	for {
		select {
		case <-o.closed:
			return nil
		default:
		}
		select {
		case <-o.closed:
			return nil
		case <-a.run.pressure:
		case <-a.run.ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := a.run.data.flush(o); err != nil {
			return err
		}
	}
}

// list stores a list piece.
func (a *assembler) list(piece []byte) (snapshot.Place, error) {
	place, _, plain, err := a.store(snapshot.List, piece)
	if err != nil {
		return place, err
	}
	self := place.Pack
	var quoted numbers
	places, err := snapshot.DecodeList(plain, self, 1)
	if err != nil {
		if places, err = snapshot.DecodeList(plain, self, 2); err != nil {
			return place, err
		}
	}
	for i := range places {
		if err := a.quotePlace(&quoted, &places[i], places[i].Covers > 0); err != nil {
			return place, err
		}
	}
	a.lists[place.ID] = quoted.numbers()
	return place, a.run.cache.AddList(place.ID, quoted.numbers())
}
