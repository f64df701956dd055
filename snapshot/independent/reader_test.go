package independent

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

var id64 = base64.RawURLEncoding.Strict()

// A reader restores snapshots from a folder of packs.
type reader struct {
	identity age.Identity
	zstd     *zstd.Decoder
	keys     map[string][]byte // by purpose
	packs    map[string]string // file by id
	opened   map[string][]byte // content by id
	links    map[string]string // file already restored by hard-link identity
}

func newReader(identity, folder string) (*reader, error) {
	r := &reader{keys: map[string][]byte{}, packs: map[string]string{}, opened: map[string][]byte{}, links: map[string]string{}}
	ids, err := age.ParseIdentities(strings.NewReader(identity))
	if err != nil {
		return nil, err
	}
	r.identity = ids[0]
	if r.zstd, err = zstd.NewReader(nil); err != nil {
		return nil, err
	}
	kind := "x25519"
	if strings.Contains(identity, "-PQ-") {
		kind = "mlkem768x25519"
	}
	for _, purpose := range []string{"id", "manifest"} {
		info := "coffer snapshot v1\x00" + kind + "\x00" + purpose
		if r.keys[purpose], err = hkdf.Key(sha256.New, bech32(identity), nil, info, 32); err != nil {
			return nil, err
		}
	}
	// A pack may have any name: its id is the SHA-256 of what it contains.
	return r, filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		sealed, err := os.ReadFile(path)
		sum := sha256.Sum256(sealed)
		r.packs[id64.EncodeToString(sum[:])] = path
		return err
	})
}

// bech32 is what the characters of an identity encode, without their checksum.
func bech32(identity string) (secret []byte) {
	text := strings.ToLower(strings.TrimSpace(identity))
	data := text[strings.LastIndex(text, "1")+1 : len(text)-6]
	bits, have := 0, 0
	for _, c := range data {
		bits, have = bits<<5|strings.IndexRune("qpzry9x8gf2tvdw0s3jn54khce6mua7l", c), have+5
		if have >= 8 {
			have -= 8
			secret = append(secret, byte(bits>>have))
			bits &= 1<<have - 1
		}
	}
	return secret
}

func (r *reader) mac(purpose string, content ...[]byte) string {
	h := hmac.New(sha256.New, r.keys[purpose])
	for _, c := range content {
		h.Write(c)
	}
	return id64.EncodeToString(h.Sum(nil))
}

// unseal is the content of an age file.
func (r *reader) unseal(path string) ([]byte, error) {
	sealed, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	content, err := age.Decrypt(bytes.NewReader(sealed), r.identity)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(content)
}

// A place is [pack, offset, length, size, id], and for a list what it covers.
type place struct {
	pack                 string
	offset, length, size int
	id                   string
}

// places reads places whose packs are numbers in a table; self is the pack that
// an empty name stands for.
func places(raw []json.RawMessage, packs []string, self string) ([]place, error) {
	var all []place
	for _, text := range raw {
		var p place
		var number int
		if err := json.Unmarshal(text, &[]any{&number, &p.offset, &p.length, &p.size, &p.id}); err != nil {
			return nil, err
		}
		if p.pack = packs[number]; p.pack == "" {
			p.pack = self
		}
		all = append(all, p)
	}
	return all, nil
}

// chunk is the plaintext at a place, which its id proves.
func (r *reader) chunk(kind byte, p place) ([]byte, error) {
	content, err := r.opened[p.pack], error(nil)
	if content == nil {
		if content, err = r.unseal(r.packs[p.pack]); err != nil {
			return nil, fmt.Errorf("pack %s: %w", p.pack, err)
		}
		r.opened[p.pack] = content
	}
	plain, err := r.zstd.DecodeAll(content[p.offset:p.offset+p.length], nil)
	if err != nil {
		return nil, err
	}
	if len(plain) != p.size || r.mac("id", []byte{kind}, plain) != p.id {
		return nil, fmt.Errorf("chunk %s is another", p.id)
	}
	return plain, nil
}

const dataChunk, treeChunk, listChunk = 1, 2, 3

// An entry has the members that this reader restores.
type entry struct {
	Name    string            `json:"name"`
	NameB64 string            `json:"name_b64"`
	Type    string            `json:"type"`
	Mode    os.FileMode       `json:"mode"`
	MTime   string            `json:"mtime"`
	Size    int64             `json:"size"`
	Link    string            `json:"link"`
	Target  string            `json:"target"`
	Holes   [][2]int64        `json:"holes"`
	Content []json.RawMessage `json:"content"`
	Depth   int               `json:"depth"`
	Subtree []json.RawMessage `json:"subtree"`
}

func (e *entry) name() string {
	name, _ := id64.DecodeString(e.NameB64)
	return e.Name + string(name) // one of them is empty
}

// A piece is one of a tree or a list, split into its table and its lines.
func (r *reader) piece(kind byte, p place) (packs []string, lines []string, err error) {
	text, err := r.chunk(kind, p)
	if err != nil {
		return nil, nil, err
	}
	lines = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	var table struct{ Packs []string }
	err = json.Unmarshal([]byte(lines[0]), &table)
	return table.Packs, lines[1:], err
}

// restore restores what a manifest describes into a folder.
func (r *reader) restore(manifest, dir string) error {
	content, err := r.unseal(manifest)
	if err != nil {
		return err
	}
	line, sum, _ := bytes.Cut(content, []byte("\n"))
	if r.mac("manifest", line, []byte("\n")) != string(bytes.TrimSuffix(sum, []byte("\n"))) {
		return errors.New("the manifest was not written by this identity")
	}
	var m struct {
		Root struct {
			Packs []string
			Entry entry
		}
	}
	if err := json.Unmarshal(line, &m); err != nil {
		return err
	}
	return r.entry(&m.Root.Entry, m.Root.Packs, "", dir)
}

// entry restores one entry under a path. The table and the pack are those of
// the piece that it stands in.
func (r *reader) entry(e *entry, packs []string, self, path string) error {
	switch e.Type {
	case "dir":
		if err := os.Mkdir(path, 0o700); err != nil {
			return err
		}
		subtree, err := places(e.Subtree, packs, self)
		if err != nil {
			return err
		}
		for _, p := range subtree {
			if err := r.tree(p, path); err != nil {
				return err
			}
		}
		return os.Chmod(path, e.Mode)
	case "file":
		return r.file(e, packs, self, path)
	case "symlink":
		return os.Symlink(e.Target, path)
	default:
		return nil
	}
}

// tree restores the entries of one piece of a tree.
func (r *reader) tree(p place, dir string) error {
	packs, lines, err := r.piece(treeChunk, p)
	if err != nil {
		return err
	}
	for _, line := range lines {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return err
		}
		if err := r.entry(&e, packs, p.pack, filepath.Join(dir, e.name())); err != nil {
			return err
		}
	}
	return nil
}

// file restores a file; its content leaves out its holes.
func (r *reader) file(e *entry, packs []string, self, path string) error {
	same := fmt.Sprint(e.Link, e.Size, e.MTime, e.Content)
	if first, again := r.links[same]; again && e.Link != "" {
		return os.Link(first, path)
	}
	r.links[same] = path
	content, err := places(e.Content, packs, self)
	if err != nil {
		return err
	}
	var bytes []byte
	if err := r.content(content, e.Depth, &bytes); err != nil {
		return err
	}
	whole := make([]byte, 0, e.Size)
	for _, hole := range e.Holes {
		before := hole[0] - int64(len(whole))
		whole = append(append(whole, bytes[:before]...), make([]byte, hole[1])...)
		bytes = bytes[before:]
	}
	return os.WriteFile(path, append(whole, bytes...), e.Mode)
}

// content reads the chunks at places, or at those that lists of them name.
func (r *reader) content(all []place, depth int, into *[]byte) error {
	for _, p := range all {
		if depth == 0 {
			chunk, err := r.chunk(dataChunk, p)
			if err != nil {
				return err
			}
			*into = append(*into, chunk...)
			continue
		}
		packs, lines, err := r.piece(listChunk, p)
		if err != nil {
			return err
		}
		raw := make([]json.RawMessage, len(lines))
		for i, line := range lines {
			raw[i] = json.RawMessage(line)
		}
		below, err := places(raw, packs, p.pack)
		if err != nil {
			return err
		}
		if err := r.content(below, depth-1, into); err != nil {
			return err
		}
	}
	return nil
}
