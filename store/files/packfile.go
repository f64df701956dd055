package files

import (
	"errors"
	"os"
	"time"
)

// A packFile is an open pack.
type packFile interface {
	ReadAt(b []byte, offset int64) (int, error)
	WriteAt(b []byte, offset int64) (int, error)
	Size() (int64, error)
	Truncate(size int64) error
	Sync() error
	Punch(offset, size int64) error
	Close() error
}

// packFiles is the folder that packs are in.
type packFiles interface {
	list() ([]string, error)
	create(number int) (packFile, error) // durable, and empty
	open(number int) (packFile, error)
	modified(number int) (time.Time, error)
	remove(number int) error
}

// rootFiles are packs in a folder of the file system.
type rootFiles struct{ root *os.Root }

func (r rootFiles) list() ([]string, error) { return names(r.root, packsDir) }

func (r rootFiles) create(number int) (packFile, error) {
	f, err := r.root.OpenFile(packName(number), os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(packHead)
	if err == nil {
		err = errors.Join(f.Sync(), syncDir(r.root, packsDir))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), r.root.Remove(packName(number)))
	}
	return diskPack{f}, nil
}

func (r rootFiles) open(number int) (packFile, error) {
	f, err := r.root.OpenFile(packName(number), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return diskPack{f}, nil
}

func (r rootFiles) modified(number int) (time.Time, error) {
	info, err := r.root.Stat(packName(number))
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

func (r rootFiles) remove(number int) error { return r.root.Remove(packName(number)) }

// A diskPack is a pack in the file system.
type diskPack struct{ *os.File }

func (d diskPack) Sync() error                    { return syncData(d.File) }
func (d diskPack) Punch(offset, size int64) error { return punchHole(d.File, offset, size) }

func (d diskPack) Size() (int64, error) {
	info, err := d.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
