package take_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"coffer/snapshot"
	"coffer/snapshot/mend"
	"coffer/snapshot/view"
)

func (m *machine) mend() []mend.Version {
	m.t.Helper()
	keys := mend.Keys{Keys: m.viewKeys(), Recipient: m.id.Recipient()}
	mended, err := mend.Snapshots(context.Background(), m.repo, keys, m.cache)
	if err != nil {
		m.t.Fatal(err)
	}
	return mended
}

// restores has a version restore bit for bit and verify well.
func (m *machine) restores(version uint32, want map[string]string) {
	m.t.Helper()
	to, _, err := m.restore(version, view.RestoreOptions{})
	if err != nil {
		m.t.Fatalf("version %d: %v", version, err)
	}
	compare(m.t, fmt.Sprint("version ", version), describe(m.t, to), want)
	v, err := m.snapshot(version).Verify(context.Background(), view.Slice{N: 1, Of: 1}, nil)
	if err != nil || v.Bad > 0 {
		m.t.Errorf("version %d: %+v, %v", version, v, err)
	}
}

// packsOf are the packs of a folder's trees and of its files, in order.
func (m *machine) packsOf(version uint32) (trees, data []snapshot.PackID) {
	m.t.Helper()
	s := m.snapshot(version)
	err := s.Walk(context.Background(), "", &s.Root, nil, func(_ string, e *snapshot.Entry) error {
		for _, p := range e.Subtree {
			if !slices.Contains(trees, p.Pack) {
				trees = append(trees, p.Pack)
			}
		}
		for _, p := range e.Content {
			if !slices.Contains(data, p.Pack) {
				data = append(data, p.Pack)
			}
		}
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return trees, data
}

// However a pack is lost, the next backup has the older versions restore again,
// as far as the files are still there.
func TestMends(t *testing.T) {
	for what, spoil := range map[string]func(sealed, other []byte) []byte{
		"altered":   func(sealed, _ []byte) []byte { return append([]byte{sealed[0] ^ 1}, sealed[1:]...) },
		"truncated": func(sealed, _ []byte) []byte { return sealed[:len(sealed)/4] },
		"swapped":   func(_, other []byte) []byte { return other },
		"withheld":  func(_, _ []byte) []byte { return nil },
	} {
		t.Run(what, func(t *testing.T) {
			m := newMachine(t)
			root := t.TempDir()
			for i := range 3 {
				write(t, filepath.Join(root, fmt.Sprintf("d%d/f", i)), fmt.Sprint("content ", i))
			}
			settle(t, root)
			m.backup(root)
			first := describe(t, root)
			write(t, filepath.Join(root, "d1/new"), "new")
			settle(t, root)
			m.backup(root)
			second := describe(t, root)

			m.mend()
			_, data := m.packsOf(1)
			trees, _ := m.packsOf(2)
			packs := m.repo.Packs() // before a swap, which must not undo another
			for _, id := range []snapshot.PackID{data[0], trees[0]} {
				var other []byte
				for another, sealed := range packs {
					if another != id {
						other = sealed
					}
				}
				m.repo.Replace(id, spoil(bytes.Clone(packs[id]), other))
			}
			if v, err := m.snapshot(1).Verify(context.Background(), view.Slice{N: 1, Of: 1}, nil); err != nil || v.Bad != 3 || len(v.BadPacks) != 1 {
				t.Errorf("before: %+v, %v", v, err)
			}
			m.backup(root)
			mended := m.mend()
			if len(mended) != 2 || mended[0] != (mend.Version{Label: "home", Number: 2, Files: 3, Folders: 4}) ||
				mended[1] != (mend.Version{Label: "home", Number: 1, Files: 3}) {
				t.Errorf("mended: %+v", mended)
			}
			m.restores(1, first)
			m.restores(2, second)
			m.restores(3, second)

			// What was mended is needed from then on, and costs nothing more.
			m.repo.Remove(m.keys.WireName("home"), 3)
			m.repo.Sweep()
			m.restores(1, first)
			m.repo.Lists = 0
			if mended := m.mend(); mended != nil || m.repo.Lists != 0 {
				t.Errorf("mended again: %+v, %d requests", mended, m.repo.Lists)
			}
		})
	}
}

// What is not at hand any more stays lost, and is named; the rest is mended. A
// mend that is lost itself is mended.
func TestMendsWhatThereIs(t *testing.T) {
	m := newMachine(t)
	root := t.TempDir()
	write(t, filepath.Join(root, "kept"), "kept")
	write(t, filepath.Join(root, "gone"), "gone")
	settle(t, root)
	m.backup(root)
	_, data := m.packsOf(1)
	if err := os.Remove(filepath.Join(root, "gone")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		m.repo.Replace(data[0], nil)
		result := m.backup(root)
		mended := m.mend()
		if len(mended) == 0 || mended[len(mended)-1].Number != 1 || mended[len(mended)-1].Files != 1 || mended[len(mended)-1].Lost != 1 {
			t.Fatalf("mended: %+v", mended)
		}
		if got := m.cat(1, "kept"); got != "kept" {
			t.Errorf("kept: %q", got)
		}
		v, err := m.snapshot(1).Verify(context.Background(), view.Slice{N: 1, Of: 1}, nil)
		if err != nil || v.Bad != 1 || v.Problems[0].Path != "gone" {
			t.Errorf("verify: %+v, %v", v, err)
		}
		_, data = m.packsOf(result.Version)
	}
}

// Whatever packs of content are lost, between any backups: as long as the files
// are still there, every version restores after the next backup.
func TestEveryVersionIsMended(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(t)
		root := t.TempDir()
		var want []map[string]string
		for i := range rapid.IntRange(2, 4).Draw(rt, "backups") {
			for j := range rapid.IntRange(1, 3).Draw(rt, "files") {
				write(t, filepath.Join(root, fmt.Sprintf("d%d/f%d-%d", rapid.IntRange(0, 2).Draw(rt, "folder"), i, j)), fmt.Sprint(i, j))
			}
			settle(t, root)
			result := m.backup(root)
			want = append(want, describe(t, root))
			if rapid.Bool().Draw(rt, "mended") { // else a later run does it
				m.mend()
			}
			_, data := m.packsOf(result.Version)
			for _, id := range data {
				if rapid.IntRange(0, 2).Draw(rt, "lost") == 0 {
					m.repo.Replace(id, nil)
				}
			}
		}
		m.backup(root)
		m.mend()
		for i, v := range want {
			m.restores(uint32(i+1), v)
		}
	})
}
