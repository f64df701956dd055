package snapshot_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"coffer/snapshot"
)

func testRecipient(t testing.TB) (age.Identity, age.Recipient) {
	t.Helper()
	id, to, err := snapshot.ParseIdentity(testIdentity)
	if err != nil {
		t.Fatal(err)
	}
	return id, to
}

func testManifest() *snapshot.Manifest {
	packs := []snapshot.PackID{{1}, {2}}
	return &snapshot.Manifest{
		Epoch: "0123456789abcdef", Label: "home", Host: "engine", Source: "engine:/home/ada", Paths: []string{"/home/ada"},
		Root: snapshot.Entry{Name: "ada", Type: snapshot.Dir, Mode: 0o755,
			Subtree: []snapshot.Place{{Pack: packs[0], Length: 90, Size: 70, ID: snapshot.ChunkID{3}}}},
		Totals:     snapshot.Totals{Files: 3, Dirs: 2, Bytes: 1000, Added: 500, Stored: 700, Unreadable: 1},
		Unreadable: []snapshot.Unreadable{{Path: "a/\xff", Reason: "permission denied"}},
		Excludes:   []string{"*.tmp"}, Tags: []string{"nightly"}, Tool: "coffer",
		Start:  time.Date(2026, 11, 28, 15, 0, 0, 0, time.UTC),
		End:    time.Date(2026, 11, 28, 15, 0, 1, 5e6, time.UTC),
		Cut:    snapshot.CutSizes{Min: 1, Avg: 2, Max: 3},
		Before: &snapshot.Before{Version: 4, Digest: snapshot.ManifestDigest{5}},
		Packs:  snapshot.DigestPacks(slices.Values(packs)),
	}
}

func TestManifestComesBack(t *testing.T) {
	id, to := testRecipient(t)
	machine := snapshot.MachineID{7}
	for _, whose := range []snapshot.MachineID{{}, machine} {
		keys, err := snapshot.DeriveKeys(testIdentity, whose)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := testManifest().Seal(keys, to)
		if err != nil {
			t.Fatal(err)
		}
		got, err := snapshot.OpenManifest(sealed, id, func(m snapshot.MachineID) (*snapshot.Keys, error) {
			return snapshot.DeriveKeys(testIdentity, m)
		})
		if err != nil {
			t.Fatal(err)
		}
		want := testManifest()
		want.Machine = whose
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
}

// Nobody but the owner of the keys makes a manifest: not a server, which knows
// the recipient, and not a send-only machine for another.
func TestManifestsOfOthersAreRefused(t *testing.T) {
	id, to := testRecipient(t)
	owner := testKeys(t)
	machine, err := snapshot.DeriveKeys(testIdentity, snapshot.MachineID{7})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := testManifest().Seal(machine, to)
	if err != nil {
		t.Fatal(err)
	}
	always := func(keys *snapshot.Keys) func(snapshot.MachineID) (*snapshot.Keys, error) {
		return func(snapshot.MachineID) (*snapshot.Keys, error) { return keys, nil }
	}
	if _, err := snapshot.OpenManifest(sealed, id, always(owner)); !errors.Is(err, snapshot.ErrForged) {
		t.Errorf("a machine's manifest passed as the owner's: %v", err)
	}
	mend, err := snapshot.SealMend([]snapshot.Place{{Pack: snapshot.PackID{1}, Length: 90, Size: 70}}, owner, to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := snapshot.OpenManifest(mend, id, always(owner)); !errors.Is(err, snapshot.ErrMalformed) {
		t.Errorf("a mend record passed as a manifest: %v", err)
	}
	if _, err := snapshot.OpenMend(sealed, id, machine); !errors.Is(err, snapshot.ErrMalformed) {
		t.Errorf("a manifest passed as a mend record: %v", err)
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	if _, err := snapshot.OpenManifest(changed, id, always(machine)); !errors.Is(err, snapshot.ErrForged) {
		t.Errorf("a changed manifest passed: %v", err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := snapshot.OpenManifest(sealed, other, always(machine)); !errors.Is(err, snapshot.ErrWrongIdentity) {
		t.Errorf("a manifest for another identity: %v", err)
	}
}

func TestMendComesBack(t *testing.T) {
	id, to := testRecipient(t)
	want := []snapshot.Place{
		{Pack: snapshot.PackID{1}, Offset: 5, Length: 90, Size: 70, ID: snapshot.ChunkID{1}},
		{Pack: snapshot.PackID{2}, Offset: 6, Length: 91, Size: 71, ID: snapshot.ChunkID{2}},
	}
	sealed, err := snapshot.SealMend(want, testKeys(t), to)
	if err != nil {
		t.Fatal(err)
	}
	got, err := snapshot.OpenMend(sealed, id, testKeys(t))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := snapshot.SealMend(make([]snapshot.Place, snapshot.MaxMendPlaces+1), testKeys(t), to); !errors.Is(err, snapshot.ErrTooLarge) {
		t.Errorf("too many places: %v", err)
	}
}

func TestHeadOpensForItsSnapshotAlone(t *testing.T) {
	keys := testKeys(t)
	want := &snapshot.Head{Label: "home", Source: "engine:/home/ada", Files: 3, Machine: &snapshot.MachineID{1}, Start: time.Unix(1, 0).UTC(), End: time.Unix(2, 0).UTC()}
	name, run := keys.WireName("home"), snapshot.RunID{1}
	sealed, err := want.Seal(keys, name, run)
	if err != nil {
		t.Fatal(err)
	}
	got, err := snapshot.OpenHead(sealed, keys, name, run)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	machine, err := snapshot.DeriveKeys(testIdentity, snapshot.MachineID{7})
	if err != nil {
		t.Fatal(err)
	}
	for what, open := range map[string]func() (*snapshot.Head, error){
		"another run's":    func() (*snapshot.Head, error) { return snapshot.OpenHead(sealed, keys, name, snapshot.RunID{2}) },
		"another label's":  func() (*snapshot.Head, error) { return snapshot.OpenHead(sealed, keys, keys.WireName("work"), run) },
		"under other keys": func() (*snapshot.Head, error) { return snapshot.OpenHead(sealed, machine, name, run) },
		"changed": func() (*snapshot.Head, error) {
			return snapshot.OpenHead(append(sealed[:len(sealed)-1:len(sealed)-1], 0), keys, name, run)
		},
	} {
		if _, err := open(); !errors.Is(err, snapshot.ErrForged) {
			t.Errorf("a head that is %s: %v", what, err)
		}
	}
	want.Source = strings.Repeat("/deep", 1000)
	if _, err := want.Seal(keys, name, run); !errors.Is(err, snapshot.ErrTooLarge) {
		t.Errorf("a head of over 4 KiB: %v", err)
	}
}

func TestKeysPrintNothing(t *testing.T) {
	keys := testKeys(t)
	secret := keys.Export()[30:50]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if text := fmt.Sprintf(verb, keys); !strings.HasPrefix(text, "keys:") || strings.Contains(text, secret) {
			t.Errorf("%s prints %q", verb, text)
		}
	}
	if _, err := snapshot.DeriveKeys("AGE-SECRET-KEY-1QQQ", snapshot.MachineID{}); !errors.Is(err, snapshot.ErrBadIdentity) {
		t.Errorf("%v", err)
	}
	if _, err := snapshot.ImportKeys(keys.Export()[1:]); err == nil {
		t.Error("half a key set passed")
	}
	for _, name := range []string{"", "s/", "s/0123456789abcdef0123456789ABCDEF", "t/0123456789abcdef0123456789abcdef", "home"} {
		if snapshot.IsWireName(name) {
			t.Errorf("%q passed as a snapshot's name", name)
		}
	}
}

func TestTimesOfAnyYear(t *testing.T) {
	for _, year := range []int{-5000, 1, 1901, 1969, 1970, 2262, 2446, 30000} {
		for _, nsec := range []int{0, 1, 999_999_999} {
			want := time.Date(year, 7, 1, 12, 0, 0, nsec, time.UTC)
			e := []snapshot.Entry{{Name: "a", Type: snapshot.File, MTime: snapshot.TimeOf(want)}}
			got, err := snapshot.DecodeTree(pieces(t, e)[0], snapshot.PackID{})
			if err != nil || !got[0].MTime.Time().Equal(want) {
				t.Errorf("%v became %v, %v", want, got[0].MTime.Time().UTC(), err)
			}
		}
	}
}
