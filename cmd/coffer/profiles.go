package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"coffer/internal/program"
)

type profileCommand struct {
	Add    profileAddCommand    `cmd:"" help:"Add an empty profile."`
	List   profileListCommand   `cmd:"" help:"List profiles."`
	Use    profileUseCommand    `cmd:"" help:"Choose the profile that commands use by default."`
	Remove profileRemoveCommand `cmd:"" help:"Remove a profile and its keys from this machine."`
}

type profileAddCommand struct {
	Name string `arg:"" help:"Name of the new profile."`
}

// Run makes the profile's folder.
func (c *profileAddCommand) Run(a *app) error {
	if err := checkProfileName(c.Name); err != nil {
		return err
	}
	ok, err := a.hasProfile(c.Name)
	if err != nil {
		return err
	}
	if ok {
		return fmt.Errorf("the profile %s already exists", c.Name)
	}
	dir, err := a.homeOf(c.Name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(profileJSON{Name: c.Name})
	}
	_, err = fmt.Fprintf(a.stdout, "added the profile %s: %s\n", c.Name, howToFill(c.Name))
	return err
}

type profileListCommand struct{}

// profileJSON is a profile as JSON.
type profileJSON struct {
	Name       string `json:"name"`
	Registered bool   `json:"registered"`
	Account    string `json:"account,omitempty"`
	Server     string `json:"server,omitempty"`
	InUse      bool   `json:"in_use"`
}

// Run lists what is not secret of profiles.
func (c *profileListCommand) Run(a *app) error {
	all, err := a.profiles()
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(all)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tACCOUNT\tSERVER\tIN USE")
	for _, p := range all {
		use, account, server := "", program.Printable(p.Account), program.Printable(p.Server)
		if p.InUse {
			use = "yes"
		}
		if !p.Registered {
			account, server = "-", "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Name, account, server, use)
	}
	return w.Flush()
}

// profiles are all there are, the default one first.
func (a *app) profiles() ([]profileJSON, error) {
	base, err := a.base()
	if err != nil {
		return nil, err
	}
	used, err := a.profileName()
	if err != nil {
		return nil, err
	}
	names := []string{defaultProfile}
	entries, err := os.ReadDir(filepath.Join(base, "profiles"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if checkProfileName(e.Name()) == nil && e.Name() != defaultProfile {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names[1:])
	all := make([]profileJSON, 0, len(names))
	for _, name := range names {
		p, err := a.describeProfile(name)
		if err != nil {
			fmt.Fprintf(a.stderr, "coffer: the profile %s: %s\n", name, program.Printable(err.Error()))
		}
		p.InUse = name == used
		all = append(all, p)
	}
	return all, nil
}

// describeProfile reads what is not secret of a profile.
func (a *app) describeProfile(name string) (profileJSON, error) {
	dir, err := a.homeOf(name)
	if err != nil {
		return profileJSON{Name: name}, err
	}
	content, err := os.ReadFile(filepath.Join(dir, "profile.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return profileJSON{Name: name}, nil
	}
	if err != nil {
		return profileJSON{Name: name}, err
	}
	var p profile
	if json.Unmarshal(content, &p) != nil {
		return profileJSON{Name: name}, errProfile
	}
	return profileJSON{Name: name, Registered: true, Account: p.Username, Server: p.Server}, nil
}

type profileUseCommand struct {
	Name string `arg:"" help:"Name of the profile; default always exists."`
}

// Run writes down which profile is used by default.
func (c *profileUseCommand) Run(a *app) error {
	if err := a.needProfile(c.Name); err != nil {
		return err
	}
	if err := a.chooseProfile(c.Name); err != nil {
		return err
	}
	if a.profile != "" && a.profile != c.Name {
		fmt.Fprintf(a.stderr, "coffer: --profile or COFFER_PROFILE still says %s\n", a.profile)
	}
	p, err := a.describeProfile(c.Name)
	if err != nil {
		return err
	}
	if a.json {
		p.InUse = true
		return a.printJSON(p)
	}
	account := "which is empty"
	if p.Registered {
		account = program.Printable(p.Account) + " at " + program.Printable(p.Server)
	}
	_, err = fmt.Fprintf(a.stdout, "using the profile %s, %s\n", c.Name, account)
	return err
}

func (a *app) chooseProfile(name string) error {
	path, err := a.chosenPath()
	if err != nil {
		return err
	}
	if name == defaultProfile {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return program.WritePrivate(path, []byte(name+"\n"))
}

type profileRemoveCommand struct {
	Name string `arg:"" help:"Name of the profile."`
	Yes  bool   `help:"Do not ask for confirmation; required without a terminal."`
}

// Run removes a profile's folder and cache.
func (c *profileRemoveCommand) Run(a *app) error {
	if err := a.needProfile(c.Name); err != nil {
		return err
	}
	if c.Name == defaultProfile {
		return fmt.Errorf("%w: the default profile cannot be removed; coffer register --force and coffer key import --force replace what is in it", program.ErrUsage)
	}
	dir, err := a.homeOf(c.Name)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 && !c.Yes {
		if err := a.confirm(c.question(a)); err != nil {
			return err
		}
	}
	cache, err := a.cacheFolderOf(c.Name)
	if err != nil {
		return err
	}
	chosen, err := a.chosenProfile()
	if err != nil {
		return err
	}
	if chosen == c.Name {
		if err := a.chooseProfile(defaultProfile); err != nil {
			return err
		}
	}
	if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(cache)); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(map[string]any{"name": c.Name, "removed": true})
	}
	now := ""
	if chosen == c.Name {
		now = "; the default profile is in use now"
	}
	_, err = fmt.Fprintf(a.stdout, "removed the profile %s%s\n", c.Name, now)
	return err
}

// question asks about keys that may be the only ones.
func (c *profileRemoveCommand) question(a *app) string {
	whose := "its keys"
	if p, err := a.describeProfile(c.Name); err == nil && p.Registered {
		whose = fmt.Sprintf("the keys of %s at %s", program.Printable(p.Account), program.Printable(p.Server))
	}
	return fmt.Sprintf("without a copy (coffer key export) or a passphrase, nobody can open the backups any more: remove the profile %s with %s?", c.Name, whose)
}
