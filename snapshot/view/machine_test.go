package view_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"coffer/snapshot"
	"coffer/snapshot/snaptest"
	"coffer/snapshot/view"
)

// machine is a send-only machine of the account, with a folder of its own.
func (a *account) machine(n byte) *account {
	a.t.Helper()
	m := newAccount(a.t)
	keys, err := snapshot.DeriveKeys(a.Identity.String(), snapshot.MachineID{n})
	if err != nil {
		a.t.Fatal(err)
	}
	m.Identity, m.Keys, m.Repo = a.Identity, keys, a.Repo
	return m
}

// machineKeys open what the account and its machines, web1 and db1, have.
func (a *account) machineKeys() view.Keys {
	return view.Keys{
		Identity: a.Identity,
		Of:       func(m snapshot.MachineID) (*snapshot.Keys, error) { return snapshot.DeriveKeys(a.Identity.String(), m) },
		Machines: func(context.Context) ([]view.Machine, error) {
			return []view.Machine{{ID: snapshot.MachineID{1}, Name: "web1"}, {ID: snapshot.MachineID{2}, Name: "db1"}}, nil
		},
	}
}

// The same label of the owner and of two machines is three, each with its own
// content.
func TestMachines(t *testing.T) {
	a := newAccount(t)
	web, db := a.machine(1), a.machine(2)
	for what, one := range map[string]*account{"owner": a, "web": web, "db": db} {
		one.write("f", what)
		one.backup()
	}
	keys := a.machineKeys()
	var labels []string
	err := view.List(t.Context(), a.Repo, keys, "", true, func(s view.Summary, bad error) error {
		if bad != nil || s.From != "" && !strings.HasSuffix(s.Label, "@"+s.From) {
			t.Errorf("%q from %q: %v", s.Label, s.From, bad)
		}
		labels = append(labels, s.Label)
		return nil
	})
	if slices.Sort(labels); err != nil || !slices.Equal(labels, []string{"home", "home@db1", "home@web1"}) {
		t.Errorf("labels %q, error %v", labels, err)
	}
	for label, want := range map[string]string{"home": "owner", "home@web1": "web", "home@db1": "db"} {
		listed := 0
		err := view.List(t.Context(), a.Repo, keys, label, true, func(s view.Summary, bad error) error {
			if listed++; bad != nil || s.Label != label {
				t.Errorf("%s: %q, %v", label, s.Label, bad)
			}
			return nil
		})
		if err != nil || listed != 1 {
			t.Errorf("%s: %d listed, error %v", label, listed, err)
		}
		s, err := view.Open(t.Context(), a.Repo, keys, label, 0)
		if err != nil {
			t.Fatalf("%s: %v", label, err)
		}
		var content strings.Builder
		e, err := s.Find(t.Context(), "f")
		if err == nil {
			err = s.Content(t.Context(), e, &content)
		}
		if err != nil || content.String() != want || s.Label != label {
			t.Errorf("%s: %q of %q, error %v", label, content.String(), s.Label, err)
		}
	}
	for _, label := range []string{"home@other", "other@web1"} {
		if _, err := view.Open(t.Context(), a.Repo, keys, label, 0); !errors.Is(err, view.ErrNotFound) {
			t.Errorf("%s: %v", label, err)
		}
	}
}

// What a machine sent that the server has forgotten is listed and opened all the
// same, by the machine's id.
func TestForgottenMachine(t *testing.T) {
	a := newAccount(t)
	web := a.machine(1)
	a.write("f", "owner")
	web.write("f", "web")
	a.backup()
	web.backup()
	web.backup()
	keys := a.machineKeys()
	keys.Machines = nil
	want := "home@id01" + strings.Repeat("00", 15)
	var labels []string
	err := view.List(t.Context(), a.Repo, keys, "", true, func(s view.Summary, bad error) error {
		if bad != nil {
			t.Error(bad)
		}
		labels = append(labels, s.Label)
		return nil
	})
	if slices.Sort(labels); err != nil || !slices.Equal(labels, []string{"home", want, want}) {
		t.Errorf("labels %q, error %v", labels, err)
	}
	s, err := view.Open(t.Context(), a.Repo, keys, want, 0)
	if err != nil {
		t.Fatal(err)
	}
	if s.Number != 2 || s.Label != want || s.Machine != (snapshot.MachineID{1}) {
		t.Errorf("version %d of %q", s.Number, s.Label)
	}
	if _, err := view.Open(t.Context(), a.Repo, keys, "home@web1", 0); !errors.Is(err, view.ErrNotFound) {
		t.Errorf("by a name that is forgotten: %v", err)
	}
}

// A server that answers with a machine's snapshot where the owner's is asked
// for, or the other way round, is caught: a machine that was taken over
// cannot make a snapshot that passes for the owner's.
func TestSwappedMachines(t *testing.T) {
	a := newAccount(t)
	web := a.machine(1)
	a.write("f", "owner")
	web.write("f", "web")
	a.backup()
	web.backup()
	owners, webs := a.Keys.WireName("home"), web.Keys.WireName("home")
	for label, instead := range map[string]string{"home": webs, "home@web1": owners} {
		repo := swapped{a.Repo, func(_ string, version uint32) (string, uint32) { return instead, version }}
		if _, err := view.Open(t.Context(), repo, a.machineKeys(), label, 0); !errors.Is(err, view.ErrOther) {
			t.Errorf("%s: %v", label, err)
		}
	}
	err := view.List(t.Context(), renamed{a.Repo, map[string]string{owners: webs, webs: owners}}, a.machineKeys(), "", true, func(s view.Summary, bad error) error {
		if bad == nil {
			t.Errorf("%q is listed under the other name", s.Label)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// renamed lists snapshots under other names.
type renamed struct {
	*snaptest.Repository
	names map[string]string
}

func (r renamed) Snapshots(ctx context.Context, name string, all bool, f func(view.Listed) error) error {
	return r.Repository.Snapshots(ctx, name, all, func(l view.Listed) error {
		l.Name = r.names[l.Name]
		return f(l)
	})
}

// What gives rights is restored of the owner's snapshots, and of a machine's only
// where it is trusted: whoever took the machine over could have made it up.
func TestMachineGivesNoRights(t *testing.T) {
	a := newAccount(t)
	web := a.machine(1)
	for _, one := range []*account{a, web} {
		one.write("tool", "as its owner")
		if err := os.Chmod(filepath.Join(one.Root, "tool"), 0o755|fs.ModeSetuid); err != nil {
			t.Fatal(err)
		}
		one.backup()
	}
	for _, test := range []struct {
		label    string
		trust    bool
		want     fs.FileMode
		withheld uint64
	}{
		{"home", false, 0o755 | fs.ModeSetuid, 0},
		{"home@web1", false, 0o755, 1},
		{"home@web1", true, 0o755 | fs.ModeSetuid, 0},
	} {
		s, err := view.Open(t.Context(), a.Repo, a.machineKeys(), test.label, 0)
		if err != nil {
			t.Fatal(err)
		}
		to := t.TempDir()
		did, err := a.restore(s, to, view.RestoreOptions{Trust: test.trust})
		if err != nil || did.Withheld != test.withheld || did.Files != 1 {
			t.Errorf("%s: %+v, error %v", test.label, did, err)
		}
		info, err := os.Stat(filepath.Join(to, "tool"))
		if err != nil || info.Mode() != test.want {
			t.Errorf("%s: %v, want %v, error %v", test.label, info.Mode(), test.want, err)
		}
	}

	s, err := view.Open(t.Context(), a.Repo, a.machineKeys(), "home@web1", 0)
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, e := range []*snapshot.Entry{
		{Name: "sda", Type: snapshot.Block, Mode: 0o666, Major: 8},
		{Name: "mem", Type: snapshot.Char, Mode: 0o666, Major: 1, Minor: 1},
		{Name: "ping", Type: snapshot.File, Mode: 0o755, NoMode: true, Xattrs: []snapshot.Xattr{{Name: "security.capability", Value: []byte("all")}}},
	} {
		did, err := s.Restore(t.Context(), e, root, view.RestoreOptions{})
		if err != nil || did.Withheld != 1 {
			t.Errorf("%s: %+v, error %v", e.Name, did, err)
		}
		if _, err := root.Lstat(e.Name); (err == nil) != (e.Type == snapshot.File) {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
}
