package files

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
)

// A part's log is a row of frames: size u32, CRC-32C u32 of the size and what
// follows, then so many bytes; little-endian. The first is the header, the
// others are records, but for those with the top bit of their size set: they
// say that the part was about to become a blob.
const (
	frameHead   = 8
	sealingFlag = 1 << 31
	maxRecord   = 255
	maxHeader   = 64 << 10
)

// A partLog is the log of one part. It is made with its first frame.
type partLog struct {
	handles *handles
	used    atomic.Int64
	root    *os.Root
	name    string

	mu     sync.Mutex
	header []byte   // guarded by mu; nil once it is written
	file   *os.File // guarded by mu; nil while closed
	end    int64    // where the next frame goes; guarded by mu
}

// begin writes the header, if that has not been done.
func (l *partLog) begin() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.openLocked()
}

// append adds a frame.
func (l *partLog) append(payload []byte, flag uint32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.openLocked(); err != nil {
		return err
	}
	return l.writeLocked(payload, flag)
}

func (l *partLog) openLocked() error {
	l.handles.use(&l.used)
	if l.file != nil {
		return nil
	}
	flags := os.O_RDWR
	if l.header != nil {
		flags |= os.O_CREATE | os.O_EXCL
	}
	f, err := l.root.OpenFile(l.name, flags, fileMode)
	if err != nil {
		return err
	}
	l.file = f
	if l.header == nil {
		l.handles.opened(l)
		return nil
	}
	if err := l.writeLocked(l.header, 0); err != nil {
		l.file = nil
		return errors.Join(err, f.Close(), l.root.Remove(l.name))
	}
	l.header = nil
	l.handles.opened(l)
	return nil
}

func (l *partLog) writeLocked(payload []byte, flag uint32) error {
	frame := appendFrame(make([]byte, 0, frameHead+len(payload)), payload, flag)
	if _, err := l.file.WriteAt(frame, l.end); err != nil {
		return errors.Join(err, l.file.Truncate(l.end))
	}
	l.end += int64(len(frame))
	return nil
}

func (l *partLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	l.handles.closed(l)
	return err
}

func (l *partLog) lastUsed() int64 { return l.used.Load() }

// tryClose implements handle.
func (l *partLog) tryClose() bool {
	if !l.mu.TryLock() {
		return false
	}
	defer l.mu.Unlock()
	if l.file != nil && l.file.Close() != nil {
		return false
	}
	l.file = nil
	return true
}

func appendFrame(b, payload []byte, flag uint32) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload))|flag)
	b = binary.LittleEndian.AppendUint32(b, frameSum(b[start:start+4], payload))
	return append(b, payload...)
}

func frameSum(size, payload []byte) uint32 {
	b := make([]byte, 0, 4+maxRecord)
	return sum(append(append(b, size...), payload...))
}

// A logged is what a log holds up to where it breaks off.
type logged struct {
	header  []byte // nil if not even that is there
	records [][]byte
	sealing bool // the part was about to become a blob
	end     int64
}

// readLog reads the frames that are whole.
func readLog(r io.Reader) (logged, error) {
	var l logged
	buffered := bufio.NewReader(r)
	for {
		payload, flag, err := readFrame(buffered)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errFrame) {
			return l, nil
		}
		if err != nil {
			return logged{}, err
		}
		switch {
		case l.header == nil && flag == 0:
			l.header = payload
		case l.header == nil || len(payload) > maxRecord:
			return l, nil
		case flag != 0:
			l.sealing = true
		default:
			l.records = append(l.records, payload)
		}
		l.end += int64(frameHead + len(payload))
	}
}

var errFrame = errors.New("a frame is broken")

func readFrame(r io.Reader) (payload []byte, flag uint32, err error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, 0, err
	}
	size := binary.LittleEndian.Uint32(head[:])
	flag = size & sealingFlag
	size &^= sealingFlag
	if size > maxHeader {
		return nil, 0, errFrame
	}
	payload = make([]byte, size)
	if _, err := io.ReadFull(r, payload); err != nil {
		return nil, 0, err
	}
	if frameSum(head[:4], payload) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, 0, errFrame
	}
	return payload, flag, nil
}

// openLog reads the log that an earlier run left, and cuts off a torn tail.
func (s *Store) openLog(name string) (*partLog, logged, error) {
	f, err := s.root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, logged{}, err
	}
	defer f.Close()
	l, err := readLog(f)
	if err == nil && l.header != nil {
		err = f.Truncate(l.end)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, logged{}, err
	}
	return &partLog{handles: s.handles, root: s.root, name: name, end: l.end}, l, nil
}
