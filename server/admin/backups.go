package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"coffer/maintain"
	"coffer/store"
)

// ErrNoBackups: the server was set up without a folder for backups, or with a
// catalog that cannot be copied.
var ErrNoBackups = errors.New("this server makes no backups of its catalog")

const (
	backupPrefix = "catalog-"
	backupSuffix = ".db"
	// partialSuffix is on a backup's name until it is whole.
	partialSuffix = ".partial"
	backupTime    = "20060102T150405.000Z"
)

// BackupInfo is a copy of the catalog.
type BackupInfo struct {
	Name    string // of its file
	Created time.Time
	Size    int64 // bytes
}

// Backup copies the catalog into a new file of the backup folder, or returns
// ErrRunning while another copy is made.
func (s *Service) Backup(ctx context.Context) (BackupInfo, error) {
	if !s.backingUp.CompareAndSwap(false, true) {
		return BackupInfo{}, ErrRunning
	}
	defer s.backingUp.Store(false)
	info, err := s.backup(ctx)
	if err != nil {
		if !errors.Is(err, ErrNoBackups) {
			s.deps.Log.Error("cannot back up the catalog", "error", err)
			s.deps.Feed.Note(store.Activity{Kind: store.ActivityBackup, Outcome: store.OutcomeFailed, Detail: "of the catalog; the log says why it failed"})
		}
		return info, err
	}
	s.deps.Log.Info("catalog backed up", "file", info.Name, "size", info.Size)
	s.deps.Feed.Note(store.Activity{Kind: store.ActivityBackup, Outcome: store.OutcomeOK, File: info.Name, Bytes: info.Size,
		Took: time.Since(info.Created), Detail: "of the catalog"})
	return info, nil
}

func (s *Service) backup(ctx context.Context) (BackupInfo, error) {
	source, ok := s.deps.Catalog.(store.Backuper)
	if !ok || s.deps.BackupDir == "" {
		return BackupInfo{}, ErrNoBackups
	}
	if s.deps.Space.Low() {
		return BackupInfo{}, store.ErrFull // what room there is, removing and restoring need
	}
	if err := os.MkdirAll(s.deps.BackupDir, 0o700); err != nil {
		return BackupInfo{}, fmt.Errorf("making the folder for backups: %w", err)
	}
	info := BackupInfo{Created: time.Now().UTC().Truncate(time.Millisecond)}
	info.Name = backupPrefix + info.Created.Format(backupTime) + backupSuffix
	if err := s.removePartialBackups(); err != nil {
		return BackupInfo{}, err
	}
	path := filepath.Join(s.deps.BackupDir, info.Name)
	partial := path + partialSuffix
	if err := source.Backup(ctx, partial, func(int64, int64) {}); err != nil {
		return info, err
	}
	// The copy knows nothing of what comes, and must not sweep if it is restored.
	if err := maintain.Remark(ctx, s.deps.Catalog, s.deps.Blobs); err != nil {
		return info, errors.Join(err, os.Remove(partial))
	}
	if err := os.Rename(partial, path); err != nil {
		return info, fmt.Errorf("naming the backup: %w", errors.Join(err, os.Remove(partial)))
	}
	stat, err := os.Stat(path)
	if err != nil {
		return info, fmt.Errorf("looking at the backup: %w", err)
	}
	info.Size = stat.Size()
	return info, nil
}

// removePartialBackups removes what a run left that was killed while it copied.
func (s *Service) removePartialBackups() error {
	left, err := filepath.Glob(filepath.Join(s.deps.BackupDir, backupPrefix+"*"+partialSuffix+"*"))
	if err != nil {
		return fmt.Errorf("looking for partial backups: %w", err)
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("removing a partial backup: %w", err)
		}
	}
	return nil
}

// BackingUp reports whether a copy of the catalog is being made.
func (s *Service) BackingUp() bool { return s.backingUp.Load() }

// Backups are the copies of the catalog that there are, the newest first.
func (s *Service) Backups() ([]BackupInfo, error) {
	if s.deps.BackupDir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(s.deps.BackupDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing backups: %w", err)
	}
	var list []BackupInfo
	for _, e := range entries {
		created, err := backupCreated(e.Name())
		if err != nil {
			continue // not one of ours
		}
		if stat, err := e.Info(); err == nil && stat.Mode().IsRegular() {
			list = append(list, BackupInfo{Name: e.Name(), Created: created, Size: stat.Size()})
		}
	}
	slices.SortFunc(list, func(a, b BackupInfo) int { return b.Created.Compare(a.Created) })
	return list, nil
}

// backupCreated reads a backup's name. Any other name, such as one with a
// path, is fs.ErrNotExist.
func backupCreated(name string) (time.Time, error) {
	text, ok := strings.CutPrefix(name, backupPrefix)
	text, whole := strings.CutSuffix(text, backupSuffix)
	created, err := time.Parse(backupTime, text)
	if !ok || !whole || err != nil || created.Format(backupTime) != text {
		return time.Time{}, fmt.Errorf("no backup of that name: %w", fs.ErrNotExist)
	}
	return created, nil
}

// OpenBackup opens a copy of the catalog for reading, or returns
// fs.ErrNotExist.
func (s *Service) OpenBackup(name string) (*os.File, error) {
	if _, err := backupCreated(name); err != nil || s.deps.BackupDir == "" {
		return nil, errors.Join(err, fs.ErrNotExist)
	}
	return os.Open(filepath.Join(s.deps.BackupDir, name))
}

// RemoveBackup removes a copy of the catalog, or returns fs.ErrNotExist.
func (s *Service) RemoveBackup(name string) error {
	if _, err := backupCreated(name); err != nil || s.deps.BackupDir == "" {
		return errors.Join(err, fs.ErrNotExist)
	}
	if err := os.Remove(filepath.Join(s.deps.BackupDir, name)); err != nil {
		return err
	}
	s.deps.Log.Info("backup removed", "file", name)
	s.deps.Feed.Note(store.Activity{Kind: store.ActivityBackup, Outcome: store.OutcomeOK, File: name, Detail: "removed by the operator"})
	return nil
}
