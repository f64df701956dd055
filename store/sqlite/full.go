package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"coffer/store"
)

// The space that the catalog needs to work on a completely full disk is
// allocated in advance: the log, which is kept and overwritten, and pages in
// the file that are free. Then reading, starting and removing allocate nothing
// but the log's index, and a start first releases as much as that takes.

// logSize is how much of the log stays allocated. A transaction that writes
// more than that needs room on the disk.
const logSize = 4 << 20

// spareBytes are as many as the free pages of the file should hold. Removing
// changes pages and frees some; a few it may have to add.
const spareBytes = 256 << 10

// spareKey is a setting that is there for a moment alone, for the pages that
// it leaves.
const spareKey = "spare"

// logHeader is the size of the header of the log.
const logHeader = 32

func logName(path string) string { return path + "-wal" }

// allocateLog has the log take logSize bytes of the disk. Zeros behind the last
// frame are none. It is called where nothing else writes to the log.
func allocateLog(path string) error {
	f, err := os.OpenFile(logName(path), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < logSize {
		err = allocate(f, info.Size(), logSize-info.Size())
	}
	return errors.Join(err, f.Close())
}

// writeZeros is allocate where the system has nothing better.
func writeZeros(f *os.File, offset, size int64) error {
	block := make([]byte, 64<<10)
	for end := offset + size; offset < end; {
		n, err := f.WriteAt(block[:min(int64(len(block)), end-offset)], offset)
		if err != nil {
			return err
		}
		offset += int64(n)
	}
	return nil
}

// readLogHeader returns the log's header, nil if it has none.
func readLogHeader(path string) ([]byte, error) {
	f, err := os.Open(logName(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, logHeader)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, nil // it is empty
	}
	return b, nil
}

// emptyLog makes the log one without frames where it is as it was when all of
// it had been brought into the file: a catalog that is put in place of this one
// must not meet them. The log keeps its room.
func emptyLog(path string, was []byte) error {
	now, err := readLogHeader(path)
	if err != nil || now == nil || !bytes.Equal(now, was) {
		return err
	}
	f, err := os.OpenFile(logName(path), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, logHeader), 0)
	return errors.Join(err, f.Sync(), f.Close())
}

// Brace has the catalog get ready for a full disk, in a while.
func (c *Catalog) Brace() {
	select {
	case c.writer.bracing <- struct{}{}:
	default: // it will
	}
}

// brace allocates what a full disk could no longer give. Where that is so
// already, the log is still brought into the file as far as it goes, and
// overwritten from then on.
func (w *writer) brace() {
	_ = w.makeRoom()
}

func (w *writer) makeRoom() error {
	if _, err := w.checkpoint("PASSIVE"); err != nil {
		return err
	}
	if err := allocateLog(w.path); err != nil {
		return err
	}
	var pages, size int64
	if err := w.conn.QueryRowContext(w.ctx, "PRAGMA freelist_count").Scan(&pages); err != nil {
		return err
	}
	if err := w.conn.QueryRowContext(w.ctx, "PRAGMA page_size").Scan(&size); err != nil {
		return err
	}
	if pages*size >= spareBytes {
		return nil
	}
	// Both must be committed: the pages are in the file only when they have
	// been written.
	const put = "INSERT INTO settings (Key, Value) VALUES (?, zeroblob(?)) ON CONFLICT DO UPDATE SET Value = excluded.Value"
	_, err := w.conn.ExecContext(w.ctx, put, spareKey, 2*spareBytes)
	_, gone := w.conn.ExecContext(w.ctx, "DELETE FROM settings WHERE Key = ?", spareKey)
	if err := errors.Join(err, gone); err != nil {
		return err
	}
	_, err = w.checkpoint("PASSIVE")
	return err
}

// checkpoint brings the log into the file and reports whether all of it is
// there. Restarting waits for those who read; passive does not.
func (w *writer) checkpoint(mode string) (whole bool, err error) {
	var busy, frames, moved int
	err = w.conn.QueryRowContext(w.ctx, fmt.Sprintf("PRAGMA wal_checkpoint(%s)", mode)).Scan(&busy, &frames, &moved)
	return err == nil && busy == 0 && frames == moved, err
}

// isFull reports whether err says that the disk has no room.
func isFull(err error) bool { return errors.Is(explain(err), store.ErrFull) }
