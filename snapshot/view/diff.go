package view

import (
	"context"
	"reflect"
	"slices"

	"coffer/snapshot"
)

// A Change is what is different between two snapshots.
type Change struct {
	Path    string
	Old     *snapshot.Entry // nil: it was added
	New     *snapshot.Entry // nil: it was removed
	Content bool            // of both, the content or kind is different
}

// Diff calls f for each difference between two entries, in the order of names:
// those of folders' own attributes come before those in them. What both have
// from the same trees is not read.
func Diff(ctx context.Context, a, b *Snapshot, old, new *snapshot.Entry, f func(Change) error) error {
	return diff(ctx, a, b, "", old, new, f)
}

func diff(ctx context.Context, a, b *Snapshot, path string, old, new *snapshot.Entry, f func(Change) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	switch {
	case old == nil:
		return b.Walk(ctx, path, new, nil, func(path string, e *snapshot.Entry) error { return f(Change{Path: path, New: e}) })
	case new == nil:
		return a.Walk(ctx, path, old, nil, func(path string, e *snapshot.Entry) error { return f(Change{Path: path, Old: e}) })
	}
	if content, other := differ(old, new); other {
		if err := f(Change{path, old, new, content}); err != nil {
			return err
		}
	}
	if old.Type != snapshot.Dir || new.Type != snapshot.Dir || sameChunks(old.Subtree, new.Subtree) {
		if old.Type == new.Type {
			return nil
		}
	}
	was, err := a.names(ctx, old)
	if err != nil {
		return err
	}
	is, err := b.names(ctx, new)
	if err != nil {
		return err
	}
	for len(was) > 0 || len(is) > 0 {
		var o, n *snapshot.Entry
		switch {
		case len(is) == 0 || len(was) > 0 && was[0].Name < is[0].Name:
			o, was = was[0], was[1:]
		case len(was) == 0 || is[0].Name < was[0].Name:
			n, is = is[0], is[1:]
		default:
			o, n = was[0], is[0]
			was, is = was[1:], is[1:]
		}
		name := ""
		if o != nil {
			name = o.Name
		} else {
			name = n.Name
		}
		if err := diff(ctx, a, b, Join(path, name), o, n, f); err != nil {
			return err
		}
	}
	return nil
}

// names are what a folder holds; nothing else holds anything.
func (s *Snapshot) names(ctx context.Context, e *snapshot.Entry) (list []*snapshot.Entry, err error) {
	err = s.Dir(ctx, e, nil, func(inner *snapshot.Entry) error {
		list = append(list, inner)
		return nil
	})
	return list, err
}

// differ compares two entries of a name; content says that what they hold is
// different, which of folders is what lies in them and no part of this.
func differ(a, b *snapshot.Entry) (content, other bool) {
	content = a.Type != b.Type || a.Size != b.Size || a.Target != b.Target || a.Major != b.Major || a.Minor != b.Minor ||
		a.Type == snapshot.File && (a.Depth != b.Depth || !sameChunks(a.Content, b.Content) || !slices.Equal(a.Holes, b.Holes))
	other = content || a.Mode != b.Mode || a.UID != b.UID || a.GID != b.GID || a.MTime != b.MTime ||
		!(len(a.Xattrs) == 0 && len(b.Xattrs) == 0 || reflect.DeepEqual(a.Xattrs, b.Xattrs))
	return content, other
}

func sameChunks(a, b []snapshot.Place) bool {
	return slices.EqualFunc(a, b, func(a, b snapshot.Place) bool { return a.ID == b.ID && a.Pack == b.Pack }) ||
		len(a) > 0 && slices.EqualFunc(a, b, func(a, b snapshot.Place) bool { return a.ID == b.ID })
}
