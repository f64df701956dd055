// Package mount shows an account's snapshots as a folder that can only be read,
// by FUSE.
//
// The folder holds one for each name, and that one a folder for each version,
// by its number; symbolic links with the times of the snapshots, and latest,
// lead to them:
//
//	home/3/notes.txt
//	home/2026-11-01T120000 -> 3
//	home/latest -> 3
//
// Nothing is fetched before somebody asks for it, and little of it is kept: what
// trees and contents take in memory has a bound, whatever is read.
package mount

import (
	"context"
	"errors"
	"os"
	"time"

	"coffer/snapshot"
)

// What callers branch on. They come wrapped.
var (
	// ErrUnsupported: this system has no such mounts, or go-fuse does not build
	// for its 32 bits.
	ErrUnsupported = errors.New("mounting works on 64-bit Linux only")
	// ErrBusy: the folder was in use to the end.
	ErrBusy = errors.New("it was still in use")
)

// A Library is where snapshots are. Its methods can be called at once.
type Library interface {
	// Versions calls f for each version of each name.
	Versions(ctx context.Context, f func(Version) error) error
	// Open opens a version, with what its root is.
	Open(ctx context.Context, name string, number uint32) (Chunks, *snapshot.Entry, error)
}

// Chunks are the pieces that a snapshot consists of. Its method can be called at
// once.
type Chunks interface {
	// Chunk reads a chunk, and says which pack it was in.
	Chunk(ctx context.Context, kind snapshot.Kind, p snapshot.Place) ([]byte, snapshot.PackID, error)
}

// A Version is a snapshot of a name.
type Version struct {
	Name   string
	Number uint32
	Time   time.Time
}

// Options say how snapshots are mounted.
type Options struct {
	AllowOther bool // users other than the one who mounts have access, as modes allow
	Trust      bool // setuid bits and devices count
	// Failed, if not nil, is called with what cannot be read, and why.
	Failed func(path string, err error)
	// Ready, if not nil, is called once the folder is there.
	Ready func()
	// Busy, if not nil, is called if the folder is in use as it is to be
	// unmounted. Whoever uses it can go on; what Busy returns ends the wait for
	// them.
	Busy func() <-chan os.Signal
}
