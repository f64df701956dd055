package seal

import (
	"errors"
	"fmt"
)

// What an archive may not become. They come wrapped, with the entry's name.
var (
	// ErrTooMuch: it holds more than was allowed.
	ErrTooMuch = errors.New("larger than allowed")
	// ErrAbsurdSize: a small archive becomes so large as none does by chance.
	ErrAbsurdSize = errors.New("implausibly large for the size of its archive")
	// ErrNoRoom: the disk would be full.
	ErrNoRoom = errors.New("no space left on the disk")
)

const (
	// AbsurdRatio is how many times as large as the archive nothing is that was
	// not made to be, but for files that are nearly all zeros.
	AbsurdRatio = 1000
	// plausible is what any archive may become, in bytes, unless a test says
	// otherwise.
	plausible = 1 << 30
	// entrySize is what an entry counts besides its content, in bytes: it takes
	// a place on the disk, too.
	entrySize = 1024
	// spaceStep is how much is written between two looks at the disk, in bytes,
	// and what has to stay free.
	spaceStep = 16 << 20
)

// bounds are those of one unpacking.
type bounds struct {
	opts      UnpackOptions
	archived  func() int64 // bytes of the archive read
	unpacked  int64        // bytes, holes and entries included
	contents  int64        // bytes of files alone
	unchecked int64        // bytes written since the disk was looked at
	confirmed bool
}

func (b *bounds) entry() error {
	if err := b.disk(entrySize); err != nil {
		return err
	}
	return b.grow(entrySize)
}

// content is called before n bytes of a file are written.
func (b *bounds) content(n int) error {
	b.contents += int64(n)
	if b.opts.MaxSize > 0 && b.contents > b.opts.MaxSize {
		return fmt.Errorf("%w: more than %d bytes", ErrTooMuch, b.opts.MaxSize)
	}
	return b.grow(int64(n))
}

func (b *bounds) grow(n int64) error {
	b.unpacked += n
	if b.opts.MaxSize > 0 {
		return nil
	}
	archived := b.archived()
	if b.confirmed || b.unpacked < b.opts.plausible || b.unpacked/AbsurdRatio < archived {
		return nil
	}
	if b.opts.Confirm == nil || !b.opts.Confirm(b.unpacked, archived) {
		return fmt.Errorf("%w: %d bytes so far from %d", ErrAbsurdSize, b.unpacked, archived)
	}
	b.confirmed = true
	return nil
}

// disk is called after n bytes were written.
func (b *bounds) disk(n int) error {
	b.unchecked += int64(n)
	if b.unchecked < spaceStep {
		return nil
	}
	b.unchecked = 0
	free, err := b.opts.free()
	if err != nil {
		return fmt.Errorf("get the free disk space: %w", err)
	}
	if free < spaceStep {
		return fmt.Errorf("%w: %d bytes are free", ErrNoRoom, free)
	}
	return nil
}
