package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"coffer/store"
)

const (
	selectMachine = `SELECT ID, Client, Name, PublicKey, OAEPHash, Rights, Created, Used, Removed,
		(SELECT count(*) FROM machine_labels WHERE Machine = machines.ID) FROM machines`
	insertMachine = `INSERT INTO machines (ID, Client, Name, PublicKey, OAEPHash, Rights, Created, Used, Removed)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
	selectLabelMachine = `SELECT Machine FROM machine_labels WHERE Client = ? AND Label = ?`
)

func scanMachine(row scanner) (store.Machine, error) {
	var m store.Machine
	var created, used, removed int64
	err := row.Scan(fixed(m.ID[:]), fixed(m.Client[:]), &m.Name, &m.PublicKey, &m.OAEPHash, &m.Rights, &created, &used, &removed, &m.Labels)
	m.Created, m.Used, m.Removed = unstamp(created), unstamp(used), unstamp(removed)
	return m, err
}

// AddMachine adds a machine.
func (c *Catalog) AddMachine(ctx context.Context, m store.Machine) error {
	if err := c.write(ctx, func(t *tx) error { return t.addMachine(m) }); err != nil {
		return fmt.Errorf("add a machine: %w", err)
	}
	return nil
}

func (t *tx) addMachine(m store.Machine) error {
	was, err := t.machine(m.ID)
	if err != nil {
		return err
	}
	if was.Client == m.Client && was.Name == m.Name && bytes.Equal(was.PublicKey, m.PublicKey) && was.Removed.IsZero() {
		return nil
	}
	_, err = t.exec(t.stmts.addMachine, m.ID[:], m.Client[:], m.Name, m.PublicKey, m.OAEPHash, m.Rights, stamp(m.Created), stamp(m.Used), stamp(m.Removed))
	switch {
	case isTaken(err):
		return store.ErrNameTaken
	case isOrphan(err):
		return store.ErrNoClient
	}
	return err
}

// machine finds a machine; its id is zero if there is none.
func (t *tx) machine(id store.MachineID) (m store.Machine, err error) {
	err = t.each(t.stmts.machine, func(row scanner) (err error) { m, err = scanMachine(row); return err }, id[:])
	return m, err
}

// Machine finds a machine by its id.
func (c *Catalog) Machine(ctx context.Context, id store.MachineID) (m store.Machine, err error) {
	rows, err := c.query.machine.QueryContext(ctx, id[:])
	if err == nil {
		err = eachRow(rows, func(row scanner) (err error) { m, err = scanMachine(row); return err })
	}
	if err == nil && m.ID != id {
		err = store.ErrNoMachine
	}
	if err != nil {
		return store.Machine{}, fmt.Errorf("find a machine: %w", explain(err))
	}
	return m, nil
}

// ListMachines returns the machines of a client.
func (c *Catalog) ListMachines(ctx context.Context, client store.ClientID) (all []store.Machine, err error) {
	rows, err := c.query.machines.QueryContext(ctx, client[:])
	if err == nil {
		err = eachRow(rows, func(row scanner) error {
			m, err := scanMachine(row)
			all = append(all, m)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("list machines: %w", explain(err))
	}
	return all, nil
}

// TouchMachine notes that a machine was used.
func (c *Catalog) TouchMachine(ctx context.Context, id store.MachineID, used time.Time) error {
	err := c.write(ctx, func(t *tx) error { _, err := t.exec(t.stmts.touchMachine, stamp(used), id[:]); return err })
	if err != nil {
		return fmt.Errorf("note the use of a machine: %w", err)
	}
	return nil
}

// RemoveMachine takes a machine's rights away.
func (c *Catalog) RemoveMachine(ctx context.Context, client store.ClientID, id store.MachineID, at time.Time) error {
	err := c.write(ctx, func(t *tx) error {
		m, err := t.machine(id)
		if err != nil {
			return err
		}
		switch {
		case m.ID != id || m.Client != client:
			return store.ErrNoMachine
		case m.Labels == 0:
			_, err = t.exec(t.stmts.dropMachine, id[:])
		default:
			_, err = t.exec(t.stmts.endMachine, stamp(at), id[:])
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("remove a machine: %w", err)
	}
	return nil
}

// ClaimLabel notes that a machine begins a label.
func (c *Catalog) ClaimLabel(ctx context.Context, client store.ClientID, id store.MachineID, label string) error {
	err := c.write(ctx, func(t *tx) error {
		m, err := t.machine(id)
		if err != nil {
			return err
		}
		if m.ID != id || m.Client != client || !m.Removed.IsZero() {
			return store.ErrNoMachine
		}
		return t.claimLabel(m, label)
	})
	if err != nil {
		return fmt.Errorf("begin a label: %w", err)
	}
	return nil
}

func (t *tx) claimLabel(m store.Machine, label string) error {
	var of store.MachineID
	err := t.each(t.stmts.labelMachine, func(row scanner) error { return row.Scan(fixed(of[:])) }, m.Client[:], label)
	if err != nil || of == m.ID {
		return err
	}
	newest, err := t.packs().newest(m.Client, label)
	if err != nil {
		return err
	}
	running := false
	if err := t.each(t.stmts.hasRun, func(row scanner) error { return row.Scan(&running) }, m.Client[:], label); err != nil {
		return err
	}
	if of != (store.MachineID{}) || newest != 0 || running {
		return store.ErrNameTaken
	}
	_, err = t.exec(t.stmts.addLabel, m.Client[:], label, m.ID[:])
	return err
}

// LabelMachine returns the machine that began a label.
func (c *Catalog) LabelMachine(ctx context.Context, client store.ClientID, label string) (id store.MachineID, err error) {
	rows, err := c.query.labelMachine.QueryContext(ctx, client[:], label)
	if err == nil {
		err = eachRow(rows, func(row scanner) error { return row.Scan(fixed(id[:])) })
	}
	if err != nil {
		return store.MachineID{}, fmt.Errorf("find who began a label: %w", explain(err))
	}
	return id, nil
}
