package backup

import (
	"context"
	"errors"
	"fmt"

	"coffer/client"
	"coffer/export"
	"coffer/protocol"
)

// A claim is a name that is being given to a source. It is written down before
// anything is sent, so that of two runs at once only one gets the name.
type claim struct {
	memory Memory // nil: nothing is remembered
	name   string
	before uint32
	was    string // the source before
	origin string

	unremembered error // why there is no memory
}

// claimName lets a name mean the source that the options name, if it has no
// other one.
func claimName(ctx context.Context, session *client.Session, name string, opts Options) (*claim, error) {
	c := &claim{memory: opts.Memory, name: name, origin: opts.Origin}
	if c.memory == nil {
		return c, nil
	}
	known, err := c.memory.Load()
	if err != nil {
		return nil, err
	}
	if known[name].Source == "" && !opts.Adopt {
		if err := c.refuseForeign(ctx, session); err != nil {
			return nil, err
		}
	}
	err = c.memory.Update(name, func(m *Memento) error {
		if !opts.Adopt {
			if err := c.refuseOther(*m); err != nil {
				return err
			}
		}
		c.before, c.was = m.Newest(), m.Source
		m.Source = c.origin
		return nil
	})
	if errors.Is(err, ErrOtherSource) {
		return nil, err
	}
	if err != nil {
		// A backup that is not remembered is better than none.
		return &claim{unremembered: err}, nil
	}
	return c, nil
}

// CheckSource fails with [ErrOtherSource] if a name is that of archives of
// another source: what does not make an archive itself does not take it from
// them by accident.
func CheckSource(ctx context.Context, session *client.Session, name string, memory Memory, origin string) error {
	known, err := memory.Load()
	if err != nil {
		return err
	}
	c := &claim{memory: memory, name: name, origin: origin}
	if known[name].Source == "" {
		return c.refuseForeign(ctx, session)
	}
	return c.refuseOther(known[name])
}

// refuseOther fails if the name is remembered as another source's.
func (c *claim) refuseOther(m Memento) error {
	if m.Source == "" || m.Source == c.origin {
		return nil
	}
	return fmt.Errorf("%w: %q is the backup of %s, not of %s", ErrOtherSource, c.name, m.Source, c.origin)
}

// refuseForeign fails if the server has the name although this machine has
// never backed anything up under it.
func (c *claim) refuseForeign(ctx context.Context, session *client.Session) error {
	if complete, err := c.memory.Complete(); err != nil || !complete {
		return err
	}
	info, err := Info(ctx, session, c.name, 0)
	if client.IsStatus(err, protocol.StatusNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: the server already has %q, up to version %d, from elsewhere", ErrOtherSource, c.name, info.Version)
}

// release gives the name back after a backup that failed.
func (c *claim) release() error {
	if c.memory == nil || c.was == c.origin {
		return nil
	}
	return c.memory.Update(c.name, func(m *Memento) error {
		if m.Source == c.origin {
			m.Source = c.was
		}
		return nil
	})
}

// keep notes what was backed up. Versions above it are no longer there: the
// server gives each the number above its newest.
func (c *claim) keep(result Result) error {
	if c.memory == nil {
		return c.unremembered
	}
	return c.memory.Update(c.name, func(m *Memento) error {
		m.Source = c.origin
		if result.Version <= c.before {
			m.goBack(result.Version)
		}
		m.see(result.Version, Seen{SHA256: export.Hash(result.SHA256), Format: result.Format, Size: result.Size, Stored: result.Stored, Sent: true})
		return nil
	})
}
