package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/gofrs/flock"

	"coffer/internal/program"
	"coffer/maintain"
	"coffer/server"
	"coffer/store"
	"coffer/store/files"
	"coffer/store/sqlite"
)

// Names below --data. Operators of the earlier server know the first two.
const (
	catalogName   = "defensive.db"
	blobsName     = "received_files"
	masterKeyName = "master.key"
	lockName      = "lock"
	backupsName   = "backups"
	tokenName     = "console.token"
	reserveName   = "reserve"
)

// dataFlags say where the data is.
type dataFlags struct {
	Data          string `help:"Folder for the catalog, the blobs and the master key." default:"./data" type:"path" env:"COFFER_SERVER_DATA"`
	MasterKey     string `help:"Master key, 64 hex digits. Set it in the environment only: process lists show flags." hidden:"" env:"COFFER_SERVER_MASTER_KEY"`
	MasterKeyFile string `help:"File with the master key; created on first start. Default: master.key in the data folder." type:"path" placeholder:"FILE" env:"COFFER_SERVER_MASTER_KEY_FILE"`
}

// data is an open data folder, locked against a second server.
type data struct {
	folder    string
	lock      *flock.Flock
	catalog   *sqlite.Catalog
	blobs     *files.Store
	masterKey server.MasterKey
	full      *atomic.Pointer[func()] // what to do when the medium is full
}

func (d *data) path(name string) string { return filepath.Join(d.folder, name) }

// onFull sets what to do when the catalog finds no room.
func (d *data) onFull(f func()) { d.full.Store(&f) }

// open opens the data folder, making what is missing. It refuses a catalog that
// is missing or empty beside what clients have stored, and the reverse.
func (f dataFlags) open(ctx context.Context, log *slog.Logger, opts ...sqlite.Option) (*data, error) {
	d, err := f.openAnyway(ctx, log, f.checkCatalog, opts...)
	if err != nil {
		return nil, err
	}
	if err := d.explainLoss(maintain.CheckTogether(ctx, d.catalog, d.blobs)); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// checkCatalog refuses to make a catalog where one was lost.
func (f dataFlags) checkCatalog(ctx context.Context, d *data, fresh bool) error {
	if !fresh {
		return nil
	}
	kept, err := maintain.HoldsClients(ctx, d.blobs)
	if err == nil && kept {
		err = d.explainLoss(maintain.ErrLostCatalog)
	}
	return err
}

// explainLoss says what to do about a loss.
func (d *data) explainLoss(err error) error {
	switch {
	case errors.Is(err, maintain.ErrLostCatalog):
		return fmt.Errorf("%w (%s, %s). Restore the catalog from a backup. If you have none, move its remains away and run: coffer-server rebuild", err, d.path(catalogName), d.path(blobsName))
	case errors.Is(err, maintain.ErrLostBlobs):
		return fmt.Errorf("%w (%s, %s). Is the disk that holds them mounted?", err, d.path(catalogName), d.path(blobsName))
	}
	return err
}

// isFresh reports whether there is no catalog: no file, or an empty one.
func (d *data) isFresh() (bool, error) {
	info, err := os.Stat(d.path(catalogName))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return err == nil && info.Mode().IsRegular() && info.Size() == 0, err
}

// openAnyway is open with another check before a catalog is made, or none.
func (f dataFlags) openAnyway(ctx context.Context, log *slog.Logger, check func(context.Context, *data, bool) error, opts ...sqlite.Option) (_ *data, err error) {
	d := &data{folder: f.Data, full: new(atomic.Pointer[func()])}
	if err := os.MkdirAll(d.folder, 0o700); err != nil {
		return nil, fmt.Errorf("create the data folder: %w", err)
	}
	d.lock = flock.New(d.path(lockName), flock.SetPermissions(0o600))
	locked, err := d.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data folder %s: %w", d.folder, err)
	}
	if !locked {
		return nil, fmt.Errorf("another server is running on the data folder %s", d.folder)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	fresh, err := d.isFresh()
	if err != nil {
		return nil, fmt.Errorf("find the catalog: %w", err)
	}
	if d.blobs, err = files.Open(d.path(blobsName)); err != nil {
		return nil, fmt.Errorf("open the blobs: %w", err)
	}
	if err := d.blobs.Check(ctx); errors.Is(err, store.ErrFull) {
		// What is there can be read and removed without room.
		log.Warn("the disk is full: starting with the space allocated earlier", "error", err)
	} else if err != nil {
		return nil, fmt.Errorf("check the blobs: %w", err)
	}
	if check != nil {
		if err := check(ctx, d, fresh); err != nil {
			return nil, err
		}
	}
	if d.masterKey, err = f.masterKey(d, fresh, log); err != nil {
		return nil, err
	}
	d.onFull(func() { d.giveUpReserve(log) })
	if err := d.openCatalog(ctx, log, opts); err != nil {
		return nil, fmt.Errorf("open the catalog: %w", err)
	}
	if err := d.catalog.Check(ctx); err != nil {
		return nil, fmt.Errorf("check the catalog: %w", err)
	}
	return d, nil
}

// openCatalog opens the catalog, if need be on what the reserve gives back.
func (d *data) openCatalog(ctx context.Context, log *slog.Logger, opts []sqlite.Option) (err error) {
	opts = append(opts, sqlite.OnFull(func() { (*d.full.Load())() }))
	d.catalog, err = sqlite.Open(ctx, d.path(catalogName), opts...)
	if errors.Is(err, store.ErrFull) && d.giveUpReserve(log) {
		d.catalog, err = sqlite.Open(ctx, d.path(catalogName), opts...)
	}
	return err
}

// giveUpReserve removes the reserve and reports whether there was one.
func (d *data) giveUpReserve(log *slog.Logger) bool {
	err := os.Remove(d.path(reserveName))
	if err == nil {
		log.Warn("released the reserve file for the catalog")
	} else if !errors.Is(err, fs.ErrNotExist) {
		log.Error("failed to release the reserve file", "error", err)
	}
	return err == nil
}

func (f dataFlags) masterKeyFile() string {
	if f.MasterKeyFile == "" {
		return filepath.Join(f.Data, masterKeyName)
	}
	return f.MasterKeyFile
}

// masterKey reads the key, or, for a fresh data folder, makes it.
func (f dataFlags) masterKey(d *data, fresh bool, log *slog.Logger) (server.MasterKey, error) {
	secret := program.Secret{What: "the master key", Text: f.MasterKey, Variable: "COFFER_SERVER_MASTER_KEY", File: f.masterKeyFile()}
	key, err := secret.Read()
	if errors.Is(err, fs.ErrNotExist) {
		if !fresh {
			return server.MasterKey{}, fmt.Errorf("the master key %s is missing: restore it from a backup; if it is lost, see docs/security.md", secret.File)
		}
		if key, err = secret.Make(); err == nil {
			log.Info("created a new master key; back it up", "file", secret.File)
		}
	}
	return server.MasterKey(key), err
}

func (d *data) close() error {
	var err error
	if d.catalog != nil {
		err = errors.Join(err, d.catalog.Close())
	}
	if d.blobs != nil {
		err = errors.Join(err, d.blobs.Close())
	}
	return errors.Join(err, d.lock.Unlock())
}
