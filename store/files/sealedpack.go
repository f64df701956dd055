package files

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"

	"coffer/store"
)

// The packs of snapshots lie in a folder for each client, which is named by a
// hash, as its account record is, so that neither a listing nor a reference in
// a log reveals an id. The file "client" in it says whose they are. A pack is
// exactly the age file, so that age opens it; all else that a rebuilt catalog
// has to know stands in its name:
//
//	<hash>/<2 hex digits>/<id, 64 hex digits>-<ordinal>-<16 hex digits>
//
// The digits that are not explained are random: a pack that is stored again is
// another file. While it is written it is incoming/pack-<random>.tmp, and is
// moved once it is synced.
const (
	ownerName      = "client"
	generationName = "generation"
	packTemp       = "pack-"
	packWriteback  = 4 << 20 // how much is written before the kernel is asked to begin
)

// sealedDirs remembers which folders are there and durable.
type sealedDirs struct {
	mu   sync.Mutex
	made map[string]bool // guarded by mu
}

// A sealedName is what the path of a pack says.
type sealedName struct {
	dir     string // of the client
	sub     string
	id      store.PackID
	ordinal uint32
	random  string
}

func sealedDirOf(id store.ClientID) string { return path.Join(sealedDir, hashOf(id)) }

func newSealedName(meta *store.PackMetadata) sealedName {
	var random [9]byte
	rand.Read(random[:])
	digits := hex.EncodeToString(random[:])
	return sealedName{sealedDirOf(meta.Client), digits[:2], meta.ID, meta.Ordinal, digits[2:]}
}

func (n sealedName) folder() string { return path.Join(n.dir, n.sub) }

func (n sealedName) path() string {
	return path.Join(n.folder(), fmt.Sprintf("%s-%d-%s", n.id, n.ordinal, n.random))
}

// parseSealed takes exactly what path gives.
func parseSealed(name string) (n sealedName, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 4 {
		return n, false
	}
	fields := strings.Split(parts[3], "-")
	if len(fields) != 3 {
		return n, false
	}
	id, err := hex.DecodeString(fields[0])
	ordinal, wrong := strconv.ParseUint(fields[1], 10, 32)
	if err != nil || wrong != nil || len(id) != len(n.id) || !isID(parts[1]) || !isHex(parts[2], 1) || !isHex(fields[2], 8) {
		return n, false
	}
	n = sealedName{path.Join(parts[0], parts[1]), parts[2], store.PackID(id), uint32(ordinal), fields[2]}
	return n, n.path() == name
}

// isHex reports whether s is so many bytes in lower-case hexadecimal.
func isHex(s string, size int) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == size && s == strings.ToLower(s)
}

// tempName makes up a name for what is being written. What a crash leaves of
// it goes at the next start.
func tempName() string {
	var random [16]byte
	rand.Read(random[:])
	return path.Join(incomingDir, packTemp+hex.EncodeToString(random[:])+tempSuffix)
}

// CreatePack begins to store a pack.
func (s *Store) CreatePack(ctx context.Context, meta store.PackMetadata) (store.PackWriter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	temp := tempName()
	f, err := s.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, fmt.Errorf("store a pack: %w", explain(err))
	}
	return &packWriter{store: s, meta: meta, temp: temp, file: f}, nil
}

// A packWriter is a pack that is being written.
type packWriter struct {
	store *Store
	meta  store.PackMetadata
	temp  string
	file  *os.File // nil once it is closed
	size  int64
	dirty int64 // since the kernel was asked to begin
}

// Write implements io.Writer.
func (w *packWriter) Write(b []byte) (int, error) {
	n, err := w.file.Write(b)
	w.size += int64(n)
	if w.dirty += int64(n); w.dirty >= packWriteback {
		startWriteback(w.file)
		w.dirty = 0
	}
	return n, explain(err)
}

// Commit implements store.PackWriter.
func (w *packWriter) Commit(ctx context.Context) (store.BlobRef, error) {
	name, err := w.commit(ctx)
	if err != nil {
		return "", fmt.Errorf("store a pack: %w", explain(errors.Join(err, w.Discard())))
	}
	return store.BlobRef(name.path()), nil
}

func (w *packWriter) commit(ctx context.Context) (name sealedName, err error) {
	name = newSealedName(&w.meta)
	switch {
	case ctx.Err() != nil:
		return name, ctx.Err()
	case w.size != w.meta.Size:
		return name, fmt.Errorf("%d bytes were written where the metadata says %d", w.size, w.meta.Size)
	}
	if err := syncData(w.file); err != nil {
		return name, err
	}
	if err := w.close(); err != nil {
		return name, err
	}
	if err := w.store.makeSealedDir(w.meta.Client, name); err != nil {
		return name, err
	}
	if err := w.store.root.Rename(w.temp, name.path()); err != nil {
		return name, err
	}
	if err := syncDir(w.store.root, name.folder()); err != nil {
		return name, errors.Join(err, w.store.root.Remove(name.path()))
	}
	return name, nil
}

func (w *packWriter) close() error {
	if w.file == nil {
		return nil
	}
	f := w.file
	w.file = nil
	return f.Close()
}

// Discard implements store.PackWriter.
func (w *packWriter) Discard() error {
	return errors.Join(w.close(), ifThere(w.store.root.Remove(w.temp)))
}

// makeSealedDir makes the folder of a pack durable, and the file that says
// whose it is.
func (s *Store) makeSealedDir(client store.ClientID, name sealedName) error {
	s.sealed.mu.Lock()
	defer s.sealed.mu.Unlock()
	if s.sealed.made[name.folder()] {
		return nil
	}
	if s.sealed.made == nil {
		s.sealed.made = make(map[string]bool)
	}
	if !s.sealed.made[name.dir] {
		if err := s.makeOwner(client, name.dir); err != nil {
			return err
		}
		s.sealed.made[name.dir] = true
	}
	if err := s.root.Mkdir(name.folder(), dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := syncDir(s.root, name.dir); err != nil {
		return err
	}
	s.sealed.made[name.folder()] = true
	return nil
}

// makeOwner makes the folder of a client's packs. One that a crash left
// without its owner gets it now.
func (s *Store) makeOwner(client store.ClientID, dir string) error {
	if err := s.root.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	name, text := path.Join(dir, ownerName), ownerText(client)
	if was, err := s.root.ReadFile(name); err != nil || !bytes.Equal(was, text) {
		if err := s.replace(name, text); err != nil {
			return err
		}
	}
	return syncDir(s.root, sealedDir)
}

func ownerText(client store.ClientID) []byte {
	return append(hex.AppendEncode(nil, client[:]), '\n')
}

// replace writes a small file whole, or not at all.
func (s *Store) replace(name string, text []byte) error {
	temp := tempName()
	err := writeSynced(s.root, temp, text)
	if err == nil {
		err = s.root.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, ifThere(s.root.Remove(temp)))
	}
	return syncDir(s.root, path.Dir(name))
}

// sweepSealed removes what a crash left half written.
func (s *Store) sweepSealed() error {
	files, err := names(s.root, incomingDir)
	if err != nil {
		return err
	}
	for _, name := range files {
		if strings.HasPrefix(name, packTemp) && strings.HasSuffix(name, tempSuffix) {
			if err := s.root.Remove(path.Join(incomingDir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// WalkPacks visits every pack. It continues past folders that do not name their
// client, and reports them at its end.
func (s *Store) WalkPacks(ctx context.Context, visit func(store.StoredPack) error) error {
	dirs, err := names(s.root, sealedDir)
	if err != nil {
		return fmt.Errorf("read the packs of snapshots: %w", err)
	}
	var harm damage
	for _, hash := range dirs {
		if !isID(hash) {
			continue
		}
		dir := path.Join(sealedDir, hash)
		client, ok := s.ownerOf(dir)
		if !ok {
			harm.add(dir)
			continue
		}
		if err := s.walkPacksOf(ctx, client, dir, visit); err != nil {
			return err
		}
	}
	return harm.err()
}

// ownerOf reads whose a folder is.
func (s *Store) ownerOf(dir string) (client store.ClientID, ok bool) {
	text, err := s.root.ReadFile(path.Join(dir, ownerName))
	if err != nil || len(text) != 2*len(client)+1 {
		return client, false
	}
	if _, err := hex.Decode(client[:], text[:2*len(client)]); err != nil {
		return client, false
	}
	return client, sealedDirOf(client) == dir
}

func (s *Store) walkPacksOf(ctx context.Context, client store.ClientID, dir string, visit func(store.StoredPack) error) error {
	subs, err := names(s.root, dir)
	if err != nil {
		return fmt.Errorf("read the packs of snapshots: %w", err)
	}
	for _, sub := range subs {
		if !isHex(sub, 1) {
			continue
		}
		entries, err := fs.ReadDir(s.root.FS(), path.Join(dir, sub))
		if err != nil && ifThere(err) != nil {
			return fmt.Errorf("read the packs of snapshots: %w", err)
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			name := path.Join(dir, sub, e.Name())
			parsed, ok := parseSealed(name)
			if !ok {
				continue
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // removed since
			}
			if err != nil {
				return fmt.Errorf("read the packs of snapshots: %w", err)
			}
			meta := store.PackMetadata{Client: client, ID: parsed.id, Ordinal: parsed.ordinal, Size: info.Size()}
			if err := visit(store.StoredPack{Ref: store.BlobRef(name), Metadata: meta, Stored: info.ModTime().UTC()}); err != nil {
				return err
			}
		}
	}
	return nil
}

// RemovePacks removes all packs of a client.
func (s *Store) RemovePacks(ctx context.Context, client store.ClientID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	dir := sealedDirOf(client)
	s.sealed.mu.Lock()
	defer s.sealed.mu.Unlock()
	for made := range s.sealed.made {
		if made == dir || strings.HasPrefix(made, dir+"/") {
			delete(s.sealed.made, made)
		}
	}
	if err := s.root.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the packs of a client: %w", err)
	}
	return nil
}

// Generation returns the mark that was left last.
func (s *Store) Generation(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	text, err := s.root.ReadFile(path.Join(sealedDir, generationName))
	if err := ifThere(err); err != nil {
		return "", fmt.Errorf("read the mark beside the blobs: %w", err)
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}

// SetGeneration leaves a mark beside the blobs.
func (s *Store) SetGeneration(ctx context.Context, mark string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name, text := path.Join(sealedDir, generationName), []byte(mark+"\n")
	err := s.overwrite(name, text)
	if err != nil {
		err = s.replace(name, text)
	}
	if err != nil {
		return fmt.Errorf("leave a mark beside the blobs: %w", explain(err))
	}
	return nil
}

// overwrite writes over a file of the same size, which works on a full disk. If a
// crash leaves part of it, that is no mark of any catalog's.
func (s *Store) overwrite(name string, text []byte) error {
	f, err := s.root.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != int64(len(text)) {
		return errors.New("a file of another size")
	}
	if _, err := f.WriteAt(text, 0); err != nil {
		return err
	}
	return f.Sync()
}
