package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"coffer/internal/program"
)

// A registration that is under way has its profile in registering.json, at
// first without a client id, and becomes profile.json by a rename, which needs
// no space.

func (a *app) begunPath() (string, error) {
	dir, err := a.home()
	return filepath.Join(dir, "registering.json"), err
}

// loadBegun returns the profile of a registration that was begun and not
// finished, nil if there is none.
func (a *app) loadBegun() (*profile, error) {
	path, err := a.begunPath()
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := new(profile)
	if json.Unmarshal(content, p) != nil || p.Version != profileVersion {
		return nil, fmt.Errorf("read %s: %w", path, errProfile)
	}
	complete := *p
	if complete.ClientID == "" {
		complete.ClientID = "00000000000000000000000000000000" // what it may still lack
	}
	if _, err := complete.credentials(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	_, err = p.identity()
	return p, err
}

// saveBegun writes the profile of a registration that is under way.
func (a *app) saveBegun(p *profile) error {
	path, err := a.begunPath()
	if err != nil {
		return err
	}
	content, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return program.WritePrivate(path, append(content, '\n'))
}

// finishBegun makes the profile of a registration that is done this machine's.
func (a *app) finishBegun() error {
	begun, err := a.begunPath()
	if err != nil {
		return err
	}
	path, err := a.profilePath()
	if err != nil {
		return err
	}
	return os.Rename(begun, path)
}

// dropBegun forgets a registration that came to nothing.
func (a *app) dropBegun() error {
	path, err := a.begunPath()
	if err != nil {
		return err
	}
	return os.Remove(path)
}
