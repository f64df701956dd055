package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"coffer/backup"
	"coffer/internal/program"
)

// memoryVersion is the version of the layout of seen.json.
const memoryVersion = 1

// A memory is the file seen.json beside the profile: what this machine knows of
// its accounts' backups. It is written anew as a whole, by one process at a
// time, so that neither a crash nor a second run harms it.
type memory struct {
	ctx     context.Context
	path    string
	account string
}

// seenFile is the content of seen.json.
type seenFile struct {
	Version  int                     `json:"version"`
	Accounts map[string]*seenAccount `json:"accounts"` // by a digest of their ids
}

// seenAccount is what is known of one account.
type seenAccount struct {
	// Complete: this file has been there since the account came to this
	// machine, so that it has every name that was backed up here.
	Complete bool                      `json:"complete"`
	Names    map[string]backup.Memento `json:"names"`
}

// memory is that of a profile's account.
func (a *app) memory(p *profile) (*memory, error) {
	dir, err := a.home()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte("coffer seen\x00" + p.ClientID))
	return &memory{a.ctx, filepath.Join(dir, "seen.json"), hex.EncodeToString(sum[:8])}, nil
}

// beginMemory makes the memory of an account that has just come to this machine.
func (a *app) beginMemory(p *profile) {
	m, err := a.memory(p)
	if err == nil {
		err = m.begin()
	}
	a.remembers(err)
}

// begin makes the memory of an account that has just come to this machine.
func (m *memory) begin() error {
	return m.change(func(account *seenAccount) error {
		account.Complete = true
		return nil
	})
}

// Load returns what is remembered, by name.
func (m *memory) Load() (map[string]backup.Memento, error) {
	file, err := m.read()
	if err != nil {
		return nil, err
	}
	return file.account(m.account).Names, nil
}

// Complete reports whether every name that was backed up here is remembered.
func (m *memory) Complete() (bool, error) {
	file, err := m.read()
	if err != nil {
		return false, err
	}
	return file.account(m.account).Complete, nil
}

// Update changes what is remembered of a name.
func (m *memory) Update(name string, change func(*backup.Memento) error) error {
	return m.change(func(account *seenAccount) error {
		memento := account.Names[name]
		if err := change(&memento); err != nil {
			return err
		}
		if memento.Source == "" && len(memento.Versions) == 0 {
			delete(account.Names, name)
		} else {
			account.Names[name] = memento
		}
		return nil
	})
}

// lockRetry is how often a lock that another process holds is tried.
const lockRetry = 20 * time.Millisecond

func (m *memory) change(change func(*seenAccount) error) (err error) {
	lock := flock.New(m.path+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(m.ctx, lockRetry); err != nil {
		return fmt.Errorf("lock the record of seen versions: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	file, err := m.read()
	if err != nil {
		return err
	}
	if err := change(file.account(m.account)); err != nil {
		return err
	}
	content, err := json.MarshalIndent(file, "", " ")
	if err != nil {
		return err
	}
	return program.WritePrivate(m.path, append(content, '\n'))
}

func (m *memory) read() (*seenFile, error) {
	content, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return &seenFile{Version: memoryVersion, Accounts: make(map[string]*seenAccount)}, nil
	}
	if err != nil {
		return nil, err
	}
	file := new(seenFile)
	if json.Unmarshal(content, file) != nil || file.Version != memoryVersion || file.Accounts == nil {
		return nil, fmt.Errorf("%s is damaged: move it away to continue without a record of earlier backups", m.path)
	}
	return file, nil
}

func (f *seenFile) account(key string) *seenAccount {
	account := f.Accounts[key]
	if account == nil {
		account = new(seenAccount)
		f.Accounts[key] = account
	}
	if account.Names == nil {
		account.Names = make(map[string]backup.Memento)
	}
	return account
}

// seeSnapshot notes a snapshot that was made, or read and found right, and
// returns the newest version that this machine had seen of its name.
func (m *memory) seeSnapshot(wireName, label string, version uint32, digest [32]byte) (before uint32, err error) {
	err = m.Update(wireName, func(memento *backup.Memento) error {
		before = memento.Newest()
		memento.SeeSnapshot(label, version, digest)
		return nil
	})
	return before, err
}
