package snapshot_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"coffer/snapshot"
)

// testIdentity is fixed, so that all that is derived from it is.
const testIdentity = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33"

func testKeys(t testing.TB) *snapshot.Keys {
	t.Helper()
	keys, err := snapshot.DeriveKeys(testIdentity, snapshot.MachineID{})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// everything is a directory with an entry of every type and with every member.
func everything() []snapshot.Entry {
	place := func(pack, chunk byte, offset, size uint32) snapshot.Place {
		return snapshot.Place{Pack: snapshot.PackID{pack}, Offset: offset, Length: size + 20, Size: size, ID: snapshot.ChunkID{chunk}}
	}
	list := place(3, 9, 77, 16_000)
	list.Covers = 1 << 40
	return []snapshot.Entry{
		{Name: "\x01\b\f\n\r\t\"\\", Type: snapshot.FIFO},
		{Name: "a", Type: snapshot.File, Mode: 0o4755, UID: 1000, GID: 100, User: "ada", Group: "users",
			MTime: snapshot.Unix(1764341261, 123456789), CTime: snapshot.Unix(-1, 5e8), Inode: 1<<64 - 1, Link: "64769:12",
			Size: 900, Content: []snapshot.Place{place(1, 1, 0, 500), place(2, 2, 100, 300)},
			Holes:  []snapshot.Extent{{0, 50}, {200, 50}},
			Xattrs: []snapshot.Xattr{{"user.x", []byte{0, 1}}, {"user.\xff", nil}, {"user.empty", []byte{}}}, Changed: true},
		{Name: "b", Type: snapshot.File, NoMode: true, UID: 7, MTime: snapshot.Unix(0, 0)},
		{Name: "c", Type: snapshot.Char, Mode: 0o600, Major: 5, Minor: 1},
		{Name: "d", Type: snapshot.Dir, Mode: 0o1777, Subtree: []snapshot.Place{place(0, 4, 9, 70), place(1, 5, 9, 70)}},
		{Name: "e", Type: snapshot.Block, Mode: 0o600, Minor: 1<<32 - 1},
		{Name: "l", Type: snapshot.Symlink, Target: "../\xff\xfe"},
		{Name: "m", Type: snapshot.Symlink, Target: "größe"},
		{Name: "s", Type: snapshot.Socket, Error: "permission denied"},
		{Name: "t", Type: snapshot.File, Size: 1 << 40, Depth: 2, Content: []snapshot.Place{list}},
		{Name: "u", Type: snapshot.File, Size: 10, Error: "input/output error"},
		{Name: "\xff\xfe", Type: snapshot.Dir, MTime: snapshot.Unix(-62135596800, 1)},
	}
}

// pieces encodes a directory.
func pieces(t testing.TB, entries []snapshot.Entry) [][]byte {
	t.Helper()
	var all [][]byte
	w := snapshot.NewTreeWriter(testKeys(t), func(piece []byte) error {
		all = append(all, bytes.Clone(piece))
		return nil
	})
	for i := range entries {
		if err := w.Add(&entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTreeKeepsEverything(t *testing.T) {
	self := snapshot.PackID{200}
	want := everything()
	all := pieces(t, want)
	if len(all) != 1 {
		t.Fatalf("%d pieces", len(all))
	}
	got, err := snapshot.DecodeTree(all[0], self)
	if err != nil {
		t.Fatalf("%v\n%s", err, all[0])
	}
	want[4].Subtree[0].Pack = self
	want[1].Xattrs[1].Value = []byte{} // absent and empty are the same
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("got  %+v\nwant %+v", got[i], want[i])
		}
	}
}

// many is a directory of n small files.
func many(n int) []snapshot.Entry {
	r := rand.New(rand.NewChaCha8([32]byte{1}))
	entries := make([]snapshot.Entry, n)
	for i := range entries {
		var p snapshot.Place
		p.Pack[0] = byte(i / 1000)
		p.Offset, p.Length, p.Size = uint32(i%1000)*1000, 1000, uint32(900+i%50)
		for j := range p.ID {
			p.ID[j] = byte(r.Uint32())
		}
		entries[i] = snapshot.Entry{
			Name: fmt.Sprintf("file-%08d.txt", i), Type: snapshot.File, Mode: 0o644, UID: 1000, GID: 1000, User: "ada", Group: "ada",
			MTime: snapshot.Unix(1764341261+int64(i), 123456789), CTime: snapshot.Unix(1764341261+int64(i), 987654321),
			Inode: uint64(1_000_000 + i), Size: uint64(p.Size), Content: []snapshot.Place{p},
		}
	}
	return entries
}

func TestTreeIsCutByNames(t *testing.T) {
	entries := many(5000)
	before := pieces(t, entries)
	for _, piece := range before[:len(before)-1] {
		if len(piece) < 16<<10 || len(piece) > 260<<10 {
			t.Errorf("a piece of %d bytes", len(piece))
		}
	}
	if len(before) < 10 || len(before) > 60 {
		t.Errorf("%d pieces of 5,000 entries", len(before))
	}
	entries[2500].MTime.Sec++
	entries[2500].Content[0].ID[0]++
	after := pieces(t, entries)
	if len(after) != len(before) {
		t.Fatalf("%d pieces became %d", len(before), len(after))
	}
	differ := 0
	for i := range after {
		if !bytes.Equal(before[i], after[i]) {
			differ++
		}
	}
	if differ != 1 {
		t.Errorf("a change of one entry changed %d pieces", differ)
	}
}

func TestTreeRefusesWhatNobodyWrites(t *testing.T) {
	w := snapshot.NewTreeWriter(testKeys(t), func([]byte) error { return nil })
	place := snapshot.Place{Length: 30, Size: 10}
	for _, e := range []snapshot.Entry{
		{Name: "", Type: snapshot.Dir},
		{Name: "..", Type: snapshot.Dir},
		{Name: "a/b", Type: snapshot.Dir},
		{Name: "a\x00", Type: snapshot.Dir},
		{Name: "a"},
		{Name: "a", Type: snapshot.File, Size: 11, Content: []snapshot.Place{place}},
		{Name: "a", Type: snapshot.File, Size: 9, Content: []snapshot.Place{place}},
		{Name: "a", Type: snapshot.File, Size: 9, Holes: []snapshot.Extent{{5, 5}}},
		{Name: "a", Type: snapshot.File, Size: 10, Content: []snapshot.Place{place}, Depth: 1},
		{Name: "a", Type: snapshot.Dir, Content: []snapshot.Place{place}},
		{Name: "a", Type: snapshot.File, Subtree: []snapshot.Place{place}},
		{Name: "a", Type: snapshot.Dir, Target: "b"},
	} {
		if err := w.Add(&e); !errors.Is(err, snapshot.ErrMalformed) {
			t.Errorf("%+v: %v", e, err)
		}
	}
	if err := w.Add(&snapshot.Entry{Name: "b", Type: snapshot.Dir}); err != nil {
		t.Fatal(err)
	}
	if err := w.Add(&snapshot.Entry{Name: "a", Type: snapshot.Dir}); !errors.Is(err, snapshot.ErrMalformed) {
		t.Errorf("an entry out of order: %v", err)
	}
	huge := snapshot.Entry{Name: "c", Type: snapshot.Dir, Xattrs: []snapshot.Xattr{{"user.x", make([]byte, 4<<20)}}}
	if err := w.Add(&huge); !errors.Is(err, snapshot.ErrTooLarge) {
		t.Errorf("a line of over 4 MiB: %v", err)
	}
}

func TestDecodeTreeRefusesOtherForms(t *testing.T) {
	const table = `{"packs":[""]}` + "\n"
	id := snapshot.ChunkID{}.String()
	for _, piece := range []string{
		"", "\n", `{"packs":[]}`, `{"packs":["x"]}` + "\n", `{"packs":[""],}` + "\n",
		table + `{"name":"a","type":"dir"}`,
		table + `{"name":"a","type":"dir"} ` + "\n",
		table + `{"name":"a","name":"b","type":"dir"}` + "\n",
		table + `{"name":"a","name_b64":"YQ","type":"dir"}` + "\n",
		table + `{"name":"a","type":"door"}` + "\n",
		table + `{"name":"a","type":"dir","mode":4096}` + "\n",
		table + `{"name":"a","type":"dir","uid":4294967296}` + "\n",
		table + `{"name":"a","type":"dir","uid":01}` + "\n",
		table + `{"name":"a","type":"dir","uid":-1}` + "\n",
		table + `{"name":"a","type":"dir","mtime":"1.5"}` + "\n",
		table + `{"name":"a","type":"dir","mtime":"-0"}` + "\n",
		table + `{"name":"\ud800","type":"dir"}` + "\n",
		table + "{\"name\":\"\xff\",\"type\":\"dir\"}\n",
		table + `{"name":"b","type":"dir"}` + "\n" + `{"name":"a","type":"dir"}` + "\n",
		table + `{"name":"a","type":"file","size":1,"content":[[1,0,1,1,"` + id + `"]]}` + "\n",
		table + `{"name":"a","type":"file","size":1,"content":[[0,0,0,1,"` + id + `"]]}` + "\n",
		table + `{"name":"a","type":"file","size":1,"content":[[0,33554432,1,1,"` + id + `"]]}` + "\n",
		table + `{"name":"a","type":"file","size":1,"content":[]}` + "\n",
		table + `{"name":"a","type":"dir","new":` + string(bytes.Repeat([]byte("["), 1000)) + "\n",
	} {
		if _, err := snapshot.DecodeTree([]byte(piece), snapshot.PackID{}); !errors.Is(err, snapshot.ErrMalformed) {
			t.Errorf("%s: %v", piece, err)
		}
	}
}

func TestDecodeTreeSkipsNewMembers(t *testing.T) {
	piece := `{"packs":[],"later":1}` + "\n" + `{"name":"\u00e4\ud83d\ude00","type":"dir","birth":{"a":[1,-2.5e3,null,true,false,"\n"]},"mode":448}` + "\n"
	entries, err := snapshot.DecodeTree([]byte(piece), snapshot.PackID{})
	if err != nil || len(entries) != 1 || entries[0].Name != "ä😀" || entries[0].Mode != 0o700 {
		t.Fatalf("%+v, %v", entries, err)
	}
}

func BenchmarkTreeDecode(b *testing.B) {
	all := pieces(b, many(10_000))
	b.ReportAllocs()
	for b.Loop() {
		var e snapshot.Entry
		var r snapshot.TreeReader
		for _, piece := range all {
			if err := r.Reset(piece, snapshot.PackID{}); err != nil {
				b.Fatal(err)
			}
			for r.Next(&e) == nil {
			}
		}
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkTreeEncode(b *testing.B) {
	entries := many(10_000)
	w := snapshot.NewTreeWriter(testKeys(b), func([]byte) error { return nil })
	b.ReportAllocs()
	for b.Loop() {
		w.Reset()
		for i := range entries {
			if err := w.Add(&entries[i]); err != nil {
				b.Fatal(err)
			}
		}
		w.Close()
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "entries/s")
}
