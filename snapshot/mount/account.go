package mount

import (
	"context"

	"coffer/snapshot"
	"coffer/snapshot/view"
)

// Account is the library of an account's snapshots. The functions may be nil.
// Opened is called for a snapshot before anything of it is shown, and can refuse
// it. Foreign is called for snapshots that were not written with the account's
// keys; they are left out.
func Account(repo view.Repository, keys view.Keys, opened func(*view.Snapshot) error, foreign func(v view.Listed, err error)) Library {
	return account{repo, keys, opened, foreign}
}

type account struct {
	repo    view.Repository
	keys    view.Keys
	opened  func(*view.Snapshot) error
	foreign func(view.Listed, error)
}

func (a account) Versions(ctx context.Context, f func(Version) error) error {
	return view.List(ctx, a.repo, a.keys, "", true, func(s view.Summary, bad error) error {
		if bad == nil {
			return f(Version{s.Label, s.Version, s.Start})
		}
		if a.foreign != nil {
			a.foreign(s.Listed, bad)
		}
		return nil
	})
}

func (a account) Open(ctx context.Context, name string, number uint32) (Chunks, *snapshot.Entry, error) {
	s, err := view.Open(ctx, a.repo, a.keys, name, number)
	if err != nil {
		return nil, nil, err
	}
	if a.opened != nil {
		if err := a.opened(s); err != nil {
			return nil, nil, err
		}
	}
	return s, &s.Root, nil
}
