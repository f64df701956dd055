package take

import (
	"coffer/snapshot"
	"coffer/snapshot/cache"
)

// quote notes which packs an entry leads to, those of a folder apart.
func (a *assembler) quote(to *numbers, e *snapshot.Entry) error {
	for i := range e.Content {
		if err := a.quotePlace(to, &e.Content[i], e.Depth > 0); err != nil {
			return err
		}
	}
	return nil
}

func (a *assembler) quotePlace(to *numbers, p *snapshot.Place, list bool) error {
	n, err := a.number(p.Pack)
	if err != nil {
		return err
	}
	to.add(n)
	if !list {
		return nil
	}
	packs, ok := a.lists[p.ID]
	if !ok {
		if packs, ok = a.run.cache.List(p.ID); !ok {
			return errCache
		}
	}
	to.addAll(packs)
	return nil
}

// number is that of a pack.
func (a *assembler) number(id snapshot.PackID) (cache.Number, error) {
	if n, ok := isProvisional(id); ok {
		return n, nil
	}
	if n, ok := a.run.data.number(id); ok {
		return n, nil
	}
	if n, ok := a.trees.number(id); ok {
		return n, nil
	}
	if n, ok := a.run.cache.NumberOf(id); ok {
		return n, nil
	}
	return 0, errCache
}
