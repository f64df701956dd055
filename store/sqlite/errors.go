package sqlite

import (
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"coffer/store"
)

// primary is the part of an SQLite result code that names its kind; the rest
// says which flavour.
const primary = 0xff

// code returns the extended SQLite result code in err, 0 if there is none.
func code(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code()
	}
	return 0
}

// explain gives errors of the medium their names in store.
func explain(err error) error {
	c := code(err)
	switch {
	case c&primary == lib.SQLITE_FULL, c == lib.SQLITE_IOERR_SHMSIZE: // the latter where the log's index cannot grow
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	case c&primary == lib.SQLITE_BUSY, c&primary == lib.SQLITE_LOCKED:
		return fmt.Errorf("%w: %w", store.ErrBusy, err)
	case c&primary == lib.SQLITE_CORRUPT, c&primary == lib.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return err
}

// isTaken reports whether a row of that key exists.
func isTaken(err error) bool {
	switch code(err) {
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY:
		return true
	}
	return false
}

// isOrphan reports whether the row it refers to is missing.
func isOrphan(err error) bool {
	return code(err) == lib.SQLITE_CONSTRAINT_FOREIGNKEY
}

// spoilsBatch reports whether err says more about the database than about the
// one statement that met it.
func spoilsBatch(err error) bool {
	switch code(err) & primary {
	case 0, lib.SQLITE_CONSTRAINT, lib.SQLITE_TOOBIG, lib.SQLITE_MISMATCH:
		return false
	}
	return true
}
