package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"text/tabwriter"
	"time"

	"coffer/client"
	"coffer/internal/program"
	"coffer/protocol"
	"coffer/snapshot"
)

type machineCommand struct {
	Add    machineAddCommand    `cmd:"" help:"Add a machine, and write the profile for it."`
	List   machineListCommand   `cmd:"" help:"List the account's machines."`
	Remove machineRemoveCommand `cmd:"" help:"Remove a machine. It can no longer send; its backups stay."`
	Join   machineJoinCommand   `cmd:"" help:"Set up this machine with a profile from coffer machine add."`
}

type machineAddCommand struct {
	Name    string `arg:"" help:"Name of the machine; its backups are listed as NAME@MACHINE."`
	Out     string `short:"o" required:"" type:"path" placeholder:"FILE" help:"File to write the machine's profile to. Whoever has it can send: move it, and keep no copy."`
	RSABits int    `name:"rsa-bits" default:"3072" env:"COFFER_RSA_BITS" help:"RSA key size in bits."`
	Force   bool   `help:"Overwrite an existing file."`
}

// Run adds a machine. Its profile is on the disk before the server knows it, so
// that no machine is added that nobody can use.
func (c *machineAddCommand) Run(a *app) (err error) {
	if !protocol.IsMachineName(c.Name) {
		return fmt.Errorf("%w: a machine's name has 1 to %d letters, digits, dots, hyphens and underscores, and begins with a letter", program.ErrUsage, protocol.MaxMachineName)
	}
	if _, err := os.Lstat(c.Out); err == nil && !c.Force {
		return fmt.Errorf("%s already exists (--force replaces it)", c.Out)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	u, err := a.openUser()
	if err != nil {
		return err
	}
	defer u.session.Close()
	p, add, err := u.machineProfile(c.Name, c.RSABits)
	if err != nil {
		return err
	}
	content, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := program.WritePrivate(c.Out, append(content, '\n')); err != nil {
		return err
	}
	err = u.session.Do(a.ctx, func(conn *client.Conn) error { return conn.AddMachine(a.ctx, u.session.Client(), add) })
	if err != nil {
		return errors.Join(fmt.Errorf("add the machine: %w", err), os.Remove(c.Out))
	}
	if a.json {
		return a.printJSON(map[string]any{"name": c.Name, "file": c.Out})
	}
	_, err = fmt.Fprintf(a.stdout, "added the machine %s: move %s there, and run coffer machine join on it\n", c.Name, program.Printable(c.Out))
	return err
}

// machineProfile makes the keys of a machine: the profile that holds them, and
// what the server learns of it.
func (u *user) machineProfile(name string, bits int) (*profile, protocol.AddMachine, error) {
	add := protocol.AddMachine{Rights: protocol.RightSend, Name: name}
	rand.Read(add.Machine[:])
	keys, err := snapshot.DeriveKeys(u.identity.Secret(), snapshot.MachineID(add.Machine))
	if err != nil {
		return nil, add, err
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, add, fmt.Errorf("create an RSA key: %w", err)
	}
	if add.DER, err = x509.MarshalPKIXPublicKey(&key.PublicKey); err != nil {
		return nil, add, err
	}
	p := *u.profile
	p.ClientID, p.Identity, p.Gateway = hex.EncodeToString(add.Machine[:]), "", ""
	p.Machine, p.Keys, p.Recipient = name, keys.Export(), u.identity.Recipient()
	p.RSAKey, err = x509.MarshalPKCS8PrivateKey(key)
	return &p, add, err
}

type machineListCommand struct{}

// machineJSON is a machine as JSON.
type machineJSON struct {
	Name    string     `json:"name"`
	Rights  []string   `json:"rights"`
	Backups uint32     `json:"backups"` // names that it began
	Created time.Time  `json:"created"`
	Used    *time.Time `json:"used,omitempty"`
	Removed *time.Time `json:"removed,omitempty"`
}

func (machineListCommand) Run(a *app) error {
	if err := a.needOutput(); err != nil {
		return err
	}
	session, _, err := a.open()
	if err != nil {
		return err
	}
	defer session.Close()
	machines, err := listMachines(a.ctx, session)
	if err != nil {
		return err
	}
	list := make([]machineJSON, 0, len(machines))
	for _, m := range machines {
		one := machineJSON{Name: m.Name, Rights: []string{"send"}, Backups: m.Labels, Created: m.Created}
		if !m.Used.IsZero() {
			one.Used = &m.Used
		}
		if !m.Removed.IsZero() {
			one.Rights, one.Removed = []string{}, &m.Removed
		}
		list = append(list, one)
	}
	if a.json {
		return a.printJSON(list)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tMAY\tBACKUPS\tCREATED\tLAST USED")
	for _, m := range list {
		may, used := "send", "never"
		if m.Used != nil {
			used = m.Used.Local().Format(time.DateTime)
		}
		if m.Removed != nil {
			may = "removed"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", program.Printable(m.Name), may, m.Backups, m.Created.Local().Format(time.DateTime), used)
	}
	return w.Flush()
}

func listMachines(ctx context.Context, session *client.Session) (machines []protocol.MachineEntry, err error) {
	err = session.Do(ctx, func(conn *client.Conn) (err error) {
		machines, err = conn.ListMachines(ctx, session.Client())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the machines: %w", err)
	}
	return machines, nil
}

type machineRemoveCommand struct {
	Name string `arg:"" help:"Name of the machine."`
	Yes  bool   `help:"Do not ask for confirmation; required without a terminal."`
}

func (c *machineRemoveCommand) Run(a *app) error {
	session, _, err := a.open()
	if err != nil {
		return err
	}
	defer session.Close()
	machines, err := listMachines(a.ctx, session)
	if err != nil {
		return err
	}
	for _, m := range machines {
		if m.Name == c.Name {
			return c.remove(a, session, m)
		}
	}
	return fmt.Errorf("the account has no machine %q (coffer machine list shows them)", c.Name)
}

func (c *machineRemoveCommand) remove(a *app, session *client.Session, m protocol.MachineEntry) error {
	if !c.Yes {
		if err := a.confirm("remove the machine " + m.Name + ", which can send nothing from then on?"); err != nil {
			return err
		}
	}
	err := session.Do(a.ctx, func(conn *client.Conn) error { return conn.RemoveMachine(a.ctx, session.Client(), m.Machine) })
	if err != nil {
		return fmt.Errorf("remove the machine: %w", err)
	}
	if a.json {
		return a.printJSON(map[string]any{"name": c.Name, "removed": true})
	}
	_, err = fmt.Fprintf(a.stdout, "removed the machine %s; its backups stay\n", c.Name)
	return err
}

type machineJoinCommand struct {
	File   string `arg:"" type:"existingfile" help:"Profile from coffer machine add."`
	Server string `placeholder:"HOST:PORT" help:"Address of the server, if it is another one from here."`
	Force  bool   `help:"Replace this machine's registration. Its keys are lost."`
}

func (c *machineJoinCommand) Run(a *app) error {
	if err := a.refuseProfile(c.Force); err != nil {
		return err
	}
	content, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	p, err := parseProfile(content)
	if err == nil && !p.sendOnly() {
		err = errProfile
	}
	if err != nil {
		return fmt.Errorf("read %s: %w of a send-only machine", c.File, err)
	}
	if c.Server != "" {
		if p.Server, err = serverAddress(c.Server); err != nil {
			return err
		}
	}
	if err := a.saveProfile(p); err != nil {
		return fmt.Errorf("save the profile: %w", err)
	}
	a.beginMemory(p)
	if a.json {
		return a.printJSON(map[string]any{"machine": p.Machine, "username": p.Username, "server": p.Server})
	}
	_, err = fmt.Fprintf(a.stdout, "this is now the machine %s of %s: it can send backups to %s, and read none. Delete %s\n",
		program.Printable(p.Machine), program.Printable(p.Username), program.Printable(p.Server), program.Printable(c.File))
	return err
}
