package take

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"slices"

	"coffer/snapshot"
	"coffer/snapshot/cache"
	"coffer/snapshot/cut"
)

func newRunID() (id snapshot.RunID) {
	rand.Read(id[:])
	return id
}

func digestOf(sealed []byte) snapshot.ManifestDigest { return sha256.Sum256(sealed) }

// manifest seals what the snapshot is.
func (r *run) manifest(result *Result, packs []cache.Number) ([]byte, error) {
	ids := make([]snapshot.PackID, 0, len(packs))
	for _, n := range packs {
		id, _ := r.cache.PackOf(n)
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b snapshot.PackID) int { return bytes.Compare(a[:], b[:]) })
	m := &snapshot.Manifest{
		Epoch: r.keys.Epoch, Machine: r.keys.Keys.Machine(), Label: r.opts.Label, Host: r.opts.Host, Source: r.opts.Source,
		Paths: r.paths, Root: r.root,
		Totals: snapshot.Totals{
			Files: result.Files, Dirs: result.Dirs, Bytes: result.Bytes,
			Added: result.Added, Stored: result.Stored, Unreadable: result.Unreadable,
		},
		Unreadable: r.unreadable, Excludes: r.opts.Excludes, Tags: r.opts.Tags, Tool: r.opts.Tool,
		Start: result.Start, End: result.End,
		Cut:   snapshot.CutSizes{Min: cut.Min, Avg: cut.Avg, Max: cut.Max},
		Packs: snapshot.DigestPacks(slices.Values(ids)),
	}
	if r.newest != nil {
		m.Before = &snapshot.Before{Version: r.newest.Version, Digest: r.newest.Digest}
	}
	return m.Seal(r.keys.Keys, r.keys.Recipient)
}

func (r *run) sealHead(result *Result) ([]byte, error) {
	head := &snapshot.Head{
		Label: r.opts.Label, Source: r.opts.Source, Host: r.opts.Host,
		Files: result.Files, Bytes: result.Bytes, Added: result.Added, Unreadable: result.Unreadable,
		Start: result.Start, End: result.End, Tags: r.opts.Tags,
	}
	if machine := r.keys.Keys.Machine(); machine != (snapshot.MachineID{}) {
		head.Machine = &machine
	}
	return head.Seal(r.keys.Keys, r.wireName, r.id)
}

func (r *run) result() Result {
	return Result{
		Label: r.opts.Label, Run: r.id, Start: r.start,
		New: r.new.Load(), Changed: r.modified.Load(), Unchanged: r.unchanged.Load(),
		Files: r.files.Load(), Dirs: r.dirs.Load(), Bytes: r.bytes.Load(),
		Read: r.readBytes.Load(), Added: r.added.Load(), Stored: r.stored.Load(), Packs: r.sent.Load(),
		Unreadable: r.unreadableCount.Load(), Unsettled: r.unsettled.Load(),
	}
}
