// Package backup backs up a person's files and folders and brings them back:
// sealed, checksummed and encrypted as one stream, in constant memory, and over
// connections that may break.
//
// It refuses to call something backed up before the server has confirmed its
// checksum, and to leave anything at the place of a restored file before its
// last byte was checked. It asks nobody questions and prints nothing.
package backup

import (
	"context"
	"errors"
	"fmt"

	"coffer/client"
	"coffer/protocol"
	"coffer/seal"
)

// What callers branch on. They come wrapped.
var (
	ErrChanged  = errors.New("the file changed while being read")
	ErrChecksum = errors.New("the checksum is wrong")
	ErrLost     = errors.New("the server lost part of the stream, and the stream cannot be read again")
	ErrOtherKey = errors.New("encrypted with a different key than this profile's")
	ErrExists   = errors.New("already exists")
	// ErrFolderExists is the same of a folder that has something in it; into an
	// empty one a folder is restored.
	ErrFolderExists = fmt.Errorf("%w as a folder that is not empty", ErrExists)
	ErrNoIdentity   = errors.New("sealed, and this profile has no identity to open it")
	// ErrSnapshot: a version that package backup does not read.
	ErrSnapshot = errors.New("a snapshot, which is restored from a server by the name that its owner gave it")
	ErrIsFolder = errors.New("a folder, which cannot be written to a terminal")
)

// Phases of a transfer, as Progress gets them.
const (
	Sending   = "sending"
	Receiving = "receiving"
)

// Progress receives the bytes transferred so far and the total, -1 if unknown.
// It is called from one goroutine at a time and must not block.
type Progress func(phase string, done, total int64)

func (p Progress) report(phase string, done, total int64) {
	if p != nil {
		p(phase, done, total)
	}
}

// Sizes of a transfer by default.
const (
	defaultPacket   = 1 << 20
	defaultInFlight = 4
)

// Options change how [Backup] works. Zero fields are defaults.
type Options struct {
	Identity   *seal.Identity // nil: not sealed
	PacketSize int            // bytes, a multiple of 16; 1 MiB
	InFlight   int            // packets sent and not yet answered; 4
	Progress   Progress
	// Skipped receives what a folder's backup leaves out, and why; Changed what
	// it keeps although it changed meanwhile, and how; NotKept, once a kind, what
	// no backup keeps. They are reported anew when a file is sent again. Paths are
	// absolute.
	Skipped func(path, reason string)
	Changed func(path, how string)
	NotKept func(kind, path string)

	Memory Memory // if not nil: a name means one source
	Origin string // what the source is, for Memory: its host and absolute path
	Adopt  bool   // lets a name continue with another source
}

// A Result is what was backed up.
type Result struct {
	Name    string
	Version uint32
	Size    uint64   // bytes read from the source
	Stored  uint64   // bytes of ciphertext
	Cksum   uint32   // of the plaintext, as the protocol calls it
	SHA256  [32]byte // of the ciphertext
	Format  protocol.Format
	Skipped int    // how much was left out
	Changed int    // how much is kept although it changed meanwhile
	Before  uint32 // the newest version that this machine had seen, 0 if none
	// Unremembered is why it could not be noted what was backed up.
	Unremembered error
}

// maxRestarts is how often a file is begun anew because the server has lost
// parts of its upload.
const maxRestarts = 5

// Backup sends the source to the server under a name and returns when the
// server has confirmed the checksum and committed the file. It sends again
// after a wrong checksum, three more times, and after a broken connection only
// what the server misses. When it fails the upload is cancelled.
func Backup(ctx context.Context, session *client.Session, name string, source Source, opts Options) (Result, error) {
	if _, err := protocol.NewField(name); err != nil {
		return Result{}, err
	}
	if opts.PacketSize == 0 {
		opts.PacketSize = defaultPacket
	}
	if opts.InFlight == 0 {
		opts.InFlight = defaultInFlight
	}
	c, err := claimName(ctx, session, name, opts)
	if err != nil {
		return Result{}, err
	}
	result, err := send(ctx, session, name, source, opts)
	if err != nil {
		return Result{}, errors.Join(err, c.release())
	}
	result.Before, result.Unremembered = c.before, c.keep(result)
	return result, nil
}

// send is Backup for a name that means this source.
func send(ctx context.Context, session *client.Session, name string, source Source, opts Options) (Result, error) {
	var err error
	for range maxRestarts {
		u := &upload{session: session, source: source, opts: opts, name: name}
		var result Result
		result, err = u.run(ctx)
		if err == nil {
			return result, nil
		}
		if u.begun {
			u.cancel(ctx)
		}
		if !errors.Is(err, errRestart) {
			return Result{}, err
		}
		if !source.Repeatable() {
			return Result{}, fmt.Errorf("back up %s: %w", name, ErrLost)
		}
	}
	return Result{}, fmt.Errorf("back up %s: %w", name, err)
}
