package memstore

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"coffer/store"
)

// machine finds a machine, nil if there is none.
func (d *catalogData) machine(id store.MachineID) *store.Machine {
	for _, one := range d.clients {
		if m := one.machines[id]; m != nil {
			return m
		}
	}
	return nil
}

// AddMachine adds a machine.
func (c *Catalog) AddMachine(ctx context.Context, m store.Machine) error {
	return c.write(ctx, func(d *catalogData) error {
		one, err := d.of(m.Client)
		if err != nil {
			return err
		}
		if was := one.machines[m.ID]; was != nil && was.Name == m.Name && bytes.Equal(was.PublicKey, m.PublicKey) && was.Removed.IsZero() {
			return nil
		}
		if d.machine(m.ID) != nil {
			return store.ErrNameTaken
		}
		for _, other := range one.machines {
			if other.Name == m.Name {
				return store.ErrNameTaken
			}
		}
		m.PublicKey, m.Labels = bytes.Clone(m.PublicKey), 0
		m.Created, m.Used, m.Removed = stamp(m.Created), stamp(m.Used), stamp(m.Removed)
		one.machines[m.ID] = &m
		return nil
	})
}

// copyOf is a machine as it goes out, with the labels that it began counted.
func (c *client) copyOf(m *store.Machine) store.Machine {
	out := *m
	out.PublicKey = bytes.Clone(m.PublicKey)
	for _, id := range c.labels {
		if id == m.ID {
			out.Labels++
		}
	}
	return out
}

// Machine finds a machine by its id.
func (c *Catalog) Machine(ctx context.Context, id store.MachineID) (found store.Machine, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		m := d.machine(id)
		if m == nil {
			return store.ErrNoMachine
		}
		found = d.clients[m.Client].copyOf(m)
		return nil
	})
	return found, err
}

// ListMachines returns the machines of a client.
func (c *Catalog) ListMachines(ctx context.Context, client store.ClientID) (all []store.Machine, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		if one := d.clients[client]; one != nil {
			for _, m := range one.machines {
				all = append(all, one.copyOf(m))
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b store.Machine) int { return strings.Compare(a.Name, b.Name) })
	return all, err
}

// TouchMachine notes that a machine was used.
func (c *Catalog) TouchMachine(ctx context.Context, id store.MachineID, used time.Time) error {
	return c.write(ctx, func(d *catalogData) error {
		if m := d.machine(id); m != nil {
			m.Used = stamp(used)
		}
		return nil
	})
}

// RemoveMachine takes a machine's rights away.
func (c *Catalog) RemoveMachine(ctx context.Context, client store.ClientID, id store.MachineID, at time.Time) error {
	return c.write(ctx, func(d *catalogData) error {
		m := d.machine(id)
		if m == nil || m.Client != client {
			return store.ErrNoMachine
		}
		one := d.clients[client]
		switch {
		case one.copyOf(m).Labels == 0:
			delete(one.machines, id)
		case m.Removed.IsZero():
			m.Removed = stamp(at)
		}
		return nil
	})
}

// ClaimLabel notes that a machine begins a label.
func (c *Catalog) ClaimLabel(ctx context.Context, client store.ClientID, id store.MachineID, label string) error {
	return c.write(ctx, func(d *catalogData) error {
		m := d.machine(id)
		if m == nil || m.Client != client || !m.Removed.IsZero() {
			return store.ErrNoMachine
		}
		one := d.clients[client]
		if of, begun := one.labels[label]; begun {
			if of != id {
				return store.ErrNameTaken
			}
			return nil
		}
		if len(one.files[label]) > 0 {
			return store.ErrNameTaken
		}
		for _, r := range one.packs.runs {
			if r.Name == label {
				return store.ErrNameTaken
			}
		}
		one.labels[label] = id
		return nil
	})
}

// LabelMachine returns the machine that began a label.
func (c *Catalog) LabelMachine(ctx context.Context, client store.ClientID, label string) (id store.MachineID, err error) {
	err = c.read(ctx, func(d *catalogData) error {
		if one := d.clients[client]; one != nil {
			id = one.labels[label]
		}
		return nil
	})
	return id, err
}
