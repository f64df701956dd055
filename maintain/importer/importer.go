// Package importer imports clients and files from an earlier server. Clients
// keep the ids, names and public keys that they use. Files, which the earlier
// server stored in plaintext, are stored as if their owners had sent them.
//
// It never changes the earlier server's folder and never guesses: anything
// uncertain (a file's owner, which of two records is right, the key to encrypt
// for) is left out and reported. It can be run again, and stores nothing twice.
package importer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/encoding"

	"coffer/protocol/crypt"
	"coffer/store"
)

// Names in an earlier server's folder.
const (
	databaseName = "defensive.db"
	filesName    = "received_files"
)

// Options say where from, and where to.
type Options struct {
	From          string            // the earlier server's folder
	Catalog       store.Catalog     // nil, for a dry run alone: nothing is here yet
	Blobs         store.Blobs       // may be nil for a dry run
	OAEPHash      string            // "sha256", "sha1", or anything else: by the length of each key
	LegacyCharset encoding.Encoding // of names that are not UTF-8; nil refuses them
	DryRun        bool              // finds out everything and writes nothing
	// Progress, if not nil, receives the bytes of all files processed so far.
	Progress func(done, total int64)
}

// Run imports and reports. An error means that it could not continue; what the
// report counts until then was imported and stays.
func Run(ctx context.Context, opts Options) (*Report, error) {
	if (opts.Catalog == nil || opts.Blobs == nil) && !opts.DryRun {
		return nil, errors.New("taking over needs a catalog and blobs")
	}
	r := &run{Options: opts, report: &Report{DryRun: opts.DryRun}, owners: make(map[store.ClientID]owner)}
	src, err := openSource(ctx, opts.From, opts.LegacyCharset)
	if err != nil {
		return r.report, err
	}
	defer src.close()
	r.src = src
	if err := r.takeClients(ctx); err != nil {
		return r.report, err
	}
	if err := r.takeFiles(ctx); err != nil {
		return r.report, err
	}
	r.report.Whole = true
	return r.report, nil
}

// A run is one taking over.
type run struct {
	Options
	src    *source
	report *Report
	owners map[store.ClientID]owner // the clients of the earlier server, taken over or not

	done, total int64 // bytes, for Progress
	buffers     buffers
}

// An owner is a client as far as its files are concerned.
type owner struct {
	store.Client
	leftOut string // why its files cannot be stored; empty: they can
}

// takeClients takes over the clients.
func (r *run) takeClients(ctx context.Context) error {
	clients, err := r.src.clients(ctx)
	if err != nil {
		return err
	}
	ids, names := make(map[store.ClientID]int), make(map[string]int)
	for _, c := range clients {
		ids[c.id]++
		names[c.name]++
	}
	for _, c := range clients {
		r.report.Clients.Found++
		var why string
		switch {
		case c.idProblem != "":
			r.report.leaveOut(ClientUnusable, c.shown, "", c.idProblem)
			continue
		case ids[c.id] > 1:
			why = "its id is recorded more than once"
		case c.nameProblem != "":
			why = c.nameProblem
		case names[c.name] > 1:
			why = "several clients bear this name"
		}
		if why != "" {
			r.report.leaveOut(ClientUnusable, c.shown, "", why)
			r.owners[c.id] = owner{Client: store.Client{Name: c.shown}, leftOut: "its client was left out: " + why}
			continue
		}
		o, err := r.takeClient(ctx, c)
		if err != nil {
			return fmt.Errorf("taking over %q: %w", c.name, err)
		}
		r.owners[c.id] = o
	}
	return nil
}

// takeClient takes over one client, or finds it here already.
func (r *run) takeClient(ctx context.Context, c clientRecord) (owner, error) {
	var der []byte
	var keyProblem string
	switch _, parsed, err := crypt.ParsePublicKey(c.publicKey); {
	case len(c.publicKey) == 0:
		keyProblem = "it never sent a public key"
	case err != nil:
		keyProblem = err.Error()
	default:
		der = parsed
	}
	here, err := r.client(ctx, c.id)
	known := err == nil
	if !known && !errors.Is(err, store.ErrNoClient) {
		return owner{}, err
	}
	if known && here.Name != c.name {
		why := fmt.Sprintf("its id belongs to %q here", here.Name)
		r.report.leaveOut(ClientUnusable, c.shown, "", why)
		return owner{Client: here, leftOut: why}, nil
	}
	if !known {
		switch _, err := r.clientByName(ctx, c.name); {
		case err == nil:
			why := "another client bears its name here"
			r.report.leaveOut(ClientUnusable, c.shown, "", why)
			return owner{Client: store.Client{Name: c.shown}, leftOut: why}, nil
		case !errors.Is(err, store.ErrNoClient):
			return owner{}, err
		}
		here = store.Client{ID: c.id, Name: c.name, Kind: "cpp_client", Created: time.Now(), LastSeen: c.lastSeen}
	}

	if known && here.PublicKey != nil && der != nil && !samePublicKey(here.PublicKey, der) {
		why := "another public key is on record here than there"
		r.report.leaveOut(ClientKeyDiffers, c.shown, "", why)
		return owner{Client: here, leftOut: why}, nil
	}
	newKey := here.PublicKey == nil && der != nil
	if newKey {
		here.PublicKey, here.OAEPHash = der, r.oaepHash(der).String()
	}
	switch {
	case !known:
		r.report.Clients.Taken++
		err = r.add(ctx, here)
	case newKey:
		r.report.Clients.Present++
		err = r.setKey(ctx, &here)
	default:
		r.report.Clients.Present++
	}
	if err != nil {
		return owner{}, err
	}
	if here.PublicKey == nil {
		r.report.leaveOut(ClientWithoutKey, c.shown, "", keyProblem)
		return owner{Client: here, leftOut: "its client has no usable public key to encrypt for"}, nil
	}
	return owner{Client: here}, nil
}

func samePublicKey(a, b []byte) bool {
	ka, _, errA := crypt.ParsePublicKey(a)
	kb, _, errB := crypt.ParsePublicKey(b)
	return errA == nil && errB == nil && ka.Equal(kb)
}

func (r *run) oaepHash(der []byte) crypt.OAEPHash {
	if h, err := crypt.ParseOAEPHash(r.OAEPHash); err == nil {
		return h
	}
	return crypt.AutoOAEPHash(der)
}

// add adds a client, its account record first: nobody in the catalog may be
// missing from a rebuilt one.
func (r *run) add(ctx context.Context, c store.Client) error {
	if r.DryRun {
		return nil
	}
	if err := r.Blobs.PutAccountRecord(ctx, store.AccountRecord{Client: c}); err != nil {
		return err
	}
	return r.Catalog.AddClient(ctx, c)
}

// setKey puts the key on record of a client that is here without one.
func (r *run) setKey(ctx context.Context, c *store.Client) error {
	if r.DryRun {
		return nil
	}
	changed, err := r.Catalog.UpdateClient(ctx, c.ID, func(now *store.Client) error {
		now.PublicKey, now.OAEPHash = c.PublicKey, c.OAEPHash
		return nil
	})
	if err != nil {
		return err
	}
	*c = changed
	bundle, err := r.Catalog.KeyBundle(ctx, c.ID)
	if err != nil {
		return err
	}
	former, err := r.Catalog.FormerKeys(ctx, c.ID)
	if err != nil {
		return err
	}
	return r.Blobs.PutAccountRecord(ctx, store.AccountRecord{Client: changed, Bundle: bundle, Former: former})
}

func (r *run) client(ctx context.Context, id store.ClientID) (store.Client, error) {
	if r.Catalog == nil {
		return store.Client{}, store.ErrNoClient
	}
	return r.Catalog.Client(ctx, id)
}

func (r *run) clientByName(ctx context.Context, name string) (store.Client, error) {
	if r.Catalog == nil {
		return store.Client{}, store.ErrNoClient
	}
	return r.Catalog.ClientByName(ctx, name)
}

func (r *run) versions(ctx context.Context, id store.ClientID, name string) ([]store.Version, error) {
	if r.Catalog == nil {
		return nil, nil
	}
	found, err := r.Catalog.Versions(ctx, id, name)
	if errors.Is(err, store.ErrNoFile) || errors.Is(err, store.ErrNoClient) {
		return nil, nil
	}
	return found, err
}

// takeFiles imports the files, and reports those that cannot be imported.
func (r *run) takeFiles(ctx context.Context) error {
	records, err := r.src.files(ctx)
	if err != nil {
		return err
	}
	lying, err := r.src.lying()
	if err != nil {
		return err
	}
	for _, size := range lying {
		r.total += size
	}
	records = distinct(records)
	r.report.Files.Found = len(records)
	claimants, recorded := make(map[string]int), make(map[clientFile]int)
	for _, f := range records {
		if f.path != "" {
			claimants[f.path]++
		}
		if f.problem() == "" {
			recorded[f.clientFile()]++
		}
	}
	for _, f := range records {
		o, known := r.owners[f.client]
		if !known {
			o = owner{Client: store.Client{Name: "(unknown)"}, leftOut: "its client is not recorded"}
		}
		size, lies := lying[f.path]
		var kind Kind
		var why string
		switch {
		case f.problem() != "":
			kind, why = RecordUnusable, f.problem()
		case !known:
			kind, why = RecordUnusable, o.leftOut
		case recorded[f.clientFile()] > 1:
			kind, why = RecordTwice, "this client has several records of this name, which differ"
		case claimants[f.path] > 1:
			kind, why = FileClaimedTwice, "more than one record claims "+f.path
		case !lies:
			kind, why = RecordWithoutFile, "there is no such file in "+filesName
		case o.leftOut != "":
			kind, why = FileOfLeftOut, o.leftOut
		}
		if why != "" {
			r.report.leaveOut(kind, o.Name, f.shown, why)
			continue
		}
		if err := r.takeFile(ctx, o.Client, f, size); err != nil {
			return fmt.Errorf("taking over %q of %q: %w", f.name, o.Name, err)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(lying)) {
		if claimants[path] == 0 {
			r.report.leaveOut(FileWithoutRecord, "", path, "no record names its client")
		}
	}
	return nil
}

// A clientFile is one client's file of one name.
type clientFile struct {
	client store.ClientID
	name   string
}

func (f *fileRecord) clientFile() clientFile { return clientFile{f.client, f.name} }

// problem is why the record cannot be used, whatever the others say.
func (f *fileRecord) problem() string { return cmp.Or(f.idProblem, f.nameProblem, f.pathProblem) }

// distinct drops records that say again what another says.
func distinct(records []fileRecord) []fileRecord {
	type said struct {
		clientFile
		path, shown, problem string
		verified             bool
	}
	seen := make(map[said]bool)
	return slices.DeleteFunc(records, func(f fileRecord) bool {
		s := said{f.clientFile(), f.path, f.shown, f.problem(), f.verified}
		again := seen[s]
		seen[s] = true
		return again
	})
}

func (r *run) worked(n int64) {
	r.done += n
	if r.Progress != nil {
		r.Progress(r.done, max(r.total, r.done))
	}
}

// printable makes any bytes a name that can be shown on one line.
func printable(raw []byte) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return '?'
		}
		return c
	}, strings.ToValidUTF8(string(raw), "?"))
}
