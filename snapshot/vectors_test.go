package snapshot

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"testing"
)

// vectors are testdata/vectors.json: for readers and writers in any language.
// Keys, chunks, names and all that is signed belong to the second key set.
type vectors struct {
	Keys []struct {
		Identity, Secret, ID, Cut, Label, Manifest, Head string
		Machine                                          MachineID
	}
	Chunks []struct {
		Kind      Kind
		Plaintext string
		ID        ChunkID
	}
	Labels       []struct{ Label, Name string }
	NamesThatCut []string `json:"names_that_cut"`
	Tree         string
	List         string
	Manifest     string
	Mend         string
	Head         struct{ Name, Run, Content, Sealed string }
}

func readVectors(t testing.TB) (v vectors, keys *Keys) {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Keys) < 3 || len(v.Chunks) == 0 || len(v.Labels) == 0 || len(v.NamesThatCut) == 0 {
		t.Fatal("vectors are missing")
	}
	keys, err = DeriveKeys(v.Keys[1].Identity, MachineID{})
	if err != nil {
		t.Fatal(err)
	}
	return v, keys
}

func TestVectorsOfKeys(t *testing.T) {
	v, _ := readVectors(t)
	for _, want := range v.Keys {
		keys, err := DeriveKeys(want.Identity, want.Machine)
		if err != nil {
			t.Fatal(err)
		}
		imported, err := ImportKeys(keys.Export())
		if err != nil || imported.secrets != keys.secrets || imported.Machine() != want.Machine {
			t.Errorf("exported keys came back as others: %v", err)
		}
		for i, text := range []string{want.ID, want.Cut, want.Label, want.Manifest, want.Head} {
			if got := hex.EncodeToString(keys.secrets[i][:]); got != text {
				t.Errorf("key %s: %s, not %s", purposes[i], got, text)
			}
		}
	}
}

func TestVectorsOfIDs(t *testing.T) {
	v, keys := readVectors(t)
	for _, want := range v.Chunks {
		if got := keys.ChunkID(want.Kind, []byte(want.Plaintext)); got != want.ID {
			t.Errorf("chunk %q of kind %d: %s, not %s", want.Plaintext, want.Kind, got, want.ID)
		}
	}
	for _, want := range v.Labels {
		if got := keys.WireName(want.Label); got != want.Name || !IsWireName(got) {
			t.Errorf("label %q: %s, not %s", want.Label, got, want.Name)
		}
	}
	w := NewTreeWriter(keys, nil)
	for _, name := range v.NamesThatCut {
		if !w.cutsAfter([]byte(name)) {
			t.Errorf("no piece ends after %q", name)
		}
	}
}

// What is read is written again as the same bytes.
func TestVectorsOfPieces(t *testing.T) {
	v, keys := readVectors(t)
	entries, err := DecodeTree([]byte(v.Tree), PackID{})
	if err != nil || len(entries) != 10 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	if got := rewriteTree(t, keys, entries); got != v.Tree {
		t.Errorf("the tree became\n%s", got)
	}
	places, err := DecodeList([]byte(v.List), PackID{}, 1)
	if err != nil || len(places) != 2 {
		t.Fatalf("%d places, %v", len(places), err)
	}
	if got := rewriteList(places); got != v.List {
		t.Errorf("the list became\n%s", got)
	}
	places, err = readMend([]byte(v.Mend), keys)
	if err != nil || len(places) != 2 || places[1].Pack != (PackID{2}) {
		t.Fatalf("%+v, %v", places, err)
	}
}

func rewriteTree(t testing.TB, keys *Keys, entries []Entry) (piece string) {
	t.Helper()
	w := NewTreeWriter(keys, func(p []byte) error {
		piece += string(p)
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
	return piece
}

func rewriteList(places []Place) string {
	var packs packTable
	var lines []byte
	for i := range places {
		lines = append(appendPlace(lines, &places[i], &packs), '\n')
	}
	return string(append(packs.appendTable(nil), lines...))
}

func TestVectorOfManifest(t *testing.T) {
	v, keys := readVectors(t)
	owner := func(MachineID) (*Keys, error) { return keys, nil }
	m, err := readManifest([]byte(v.Manifest), owner)
	if err != nil {
		t.Fatal(err)
	}
	line, err := m.encode(MachineID{})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(keys.sign(line)); got != v.Manifest {
		t.Errorf("the manifest became\n%s", got)
	}
	if m.Root.Name != "ada" || len(m.Root.Subtree) != 1 || m.Unreadable[1].Path != "a/\xff" || m.Before.Version != 4 {
		t.Errorf("%+v", m)
	}
}

func TestVectorOfHead(t *testing.T) {
	v, keys := readVectors(t)
	sealed, err := hex.DecodeString(v.Head.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	var run RunID
	if err := decodeID(run[:], v.Head.Run); err != nil {
		t.Fatal(err)
	}
	h, err := OpenHead(sealed, keys, v.Head.Name, run)
	if err != nil {
		t.Fatal(err)
	}
	var want Head
	if err := json.Unmarshal([]byte(v.Head.Content), &want); err != nil || !reflect.DeepEqual(*h, want) {
		t.Errorf("%+v, not %+v", *h, want)
	}
	again, err := h.seal(keys, bytes.Clone(sealed[:24]), []byte(v.Head.Content), v.Head.Name, run)
	if err != nil || !bytes.Equal(again, sealed) {
		t.Errorf("sealed again it is other bytes: %v", err)
	}
}
