package upload

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"coffer/store"
)

// maxSmallInAll is how many bytes of small content may be in memory before it
// gets a part to gather in.
const maxSmallInAll = 64 << 20

// errUnreadable: what an earlier run stored cannot be read.
var errUnreadable = errors.New("read back an upload")

// contents are the sink of an upload's assembler: the ciphertext gathers in a
// part, or in memory while it is small, and runs through the stream.
type contents struct {
	// Static.
	id     store.UploadID
	header func() ([]byte, error) // of the part, for the next run
	blobs  store.Parts
	inAll  *atomic.Int64 // bytes of small content of all uploads
	logged bool          // the next run can continue with it
	logger *slog.Logger

	stream  stream
	marked  stream
	stored  int64      // bytes in order that an earlier run stored, until the stream has read them
	small   []byte     // the content, while it is small enough for memory
	counted int        // bytes of it in the count of all
	part    store.Part // the content, otherwise
}

func (c *contents) size() int64 { return max(c.stream.size, c.stored) }

func (c *contents) mark() { c.marked = c.stream.clone() }

func (c *contents) rewind() {
	c.stream, c.marked = c.marked, stream{}
	if c.part == nil {
		c.small = c.small[:c.stream.size]
		c.count()
	}
}

// write stores the next bytes in order. Small content need not go by way of a
// part if losing it with the process breaks no promise: packets of base clients
// get no answers, and a packet that is the whole file is answered when it is
// stored. All of it has a bound.
func (c *contents) write(b, scratch []byte, how writing) error {
	switch {
	case how.stored:
	case c.part == nil && len(c.small)+len(b) <= store.SmallBlob && how.losable && c.inAll.Load() < maxSmallInAll:
		c.small = append(c.small, b...)
		c.count()
	default:
		if err := c.open(); err != nil {
			return err
		}
		if _, err := c.part.Content().WriteAt(b, c.stream.size); err != nil {
			return fmt.Errorf("store content: %w", err)
		}
	}
	c.stream.write(b, scratch)
	return nil
}

// count counts what is in memory.
func (c *contents) count() {
	c.inAll.Add(int64(len(c.small) - c.counted))
	c.counted = len(c.small)
}

// open makes the part to gather in.
func (c *contents) open() error {
	if c.part != nil {
		return nil
	}
	header, err := c.header()
	if err != nil {
		return fmt.Errorf("describe an upload: %w", err)
	}
	part, err := c.blobs.NewPart(context.Background(), c.id, header)
	if err != nil {
		return fmt.Errorf("make room for an upload: %w", err)
	}
	c.part = part
	if len(c.small) > 0 {
		if _, err := part.Content().WriteAt(c.small, 0); err != nil {
			return fmt.Errorf("store content: %w", err)
		}
		c.forgetSmall()
	}
	return nil
}

func (c *contents) forgetSmall() {
	c.small = nil
	c.count()
}

func (c *contents) content() store.File { return c.part.Content() }
func (c *contents) spool() store.File   { return c.part.Waiting() }

func (c *contents) stale() bool { return c.stream.size < c.stored }

// reread makes the stream anew from what an earlier run stored: what the
// checksum is of is what is on disk.
func (c *contents) reread(b *buffer) error {
	n, err := c.part.Content().ReadAt(b.in[:min(int64(len(b.in)), c.stored-c.stream.size)], c.stream.size)
	if n == 0 {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	c.stream.write(b.piece(n), b.out[:])
	return nil
}

// Kinds of records of a part's log.
const (
	recordInOrder = 'P' // content size u64 up to and with this packet
	recordWaiting = 'W' // offset u64, size u64
	recordDirect  = 'A' // the same, in the content
	recordTotal   = 'T' // the packet is the last
)

// A record is what a part's log says of a packet: kind u8, packet u32, then what
// the kind says.
type record struct {
	kind   byte
	number uint32
	size   int64  // of recordInOrder
	at     region // of recordWaiting and recordDirect
}

func parseRecords(raw [][]byte) (records []record) {
	for _, b := range raw {
		if len(b) < 13 {
			continue
		}
		r := record{kind: b[0], number: binary.LittleEndian.Uint32(b[1:])}
		value := int64(binary.LittleEndian.Uint64(b[5:]))
		switch r.kind {
		case recordInOrder:
			r.size = value
		case recordWaiting, recordDirect:
			if len(b) < 21 {
				continue
			}
			r.at = region{offset: value, size: int64(binary.LittleEndian.Uint64(b[13:])), direct: r.kind == recordDirect}
		}
		records = append(records, r)
	}
	return records
}

// waiting is the record of a packet that waits.
func waiting(number uint32, at region) record {
	kind := byte(recordWaiting)
	if at.direct {
		kind = recordDirect
	}
	return record{kind: kind, number: number, at: at}
}

func (r record) encode() []byte {
	b := binary.LittleEndian.AppendUint32([]byte{r.kind}, r.number)
	if r.kind == recordWaiting || r.kind == recordDirect {
		b = binary.LittleEndian.AppendUint64(b, uint64(r.at.offset))
		return binary.LittleEndian.AppendUint64(b, uint64(r.at.size))
	}
	return binary.LittleEndian.AppendUint64(b, uint64(r.size))
}

// log records progress. If it fails, the upload is no worse off until the
// server restarts, so it continues.
func (c *contents) log(r record) {
	if c.part == nil || !c.logged {
		return
	}
	if err := c.part.Log(r.encode()); err != nil {
		c.logger.Warn("an upload in progress would not survive a restart", "upload", c.id, "error", err)
	}
}

// partHeader is what a part keeps of its upload, for a server that starts
// again.
type partHeader struct {
	Client      store.ClientID `json:"client"`
	Name        string         `json:"name"`
	Wire        []byte         `json:"wire"`
	ByID        bool           `json:"by_id"`
	Format      uint8          `json:"format"`
	Original    uint64         `json:"original"`
	Total       uint32         `json:"total"`
	Attempts    int            `json:"attempts"`
	Created     time.Time      `json:"created"`
	SealedKey   []byte         `json:"sealed_key"` // with the master key
	WrappedKey  []byte         `json:"wrapped_key"`
	Fingerprint [32]byte       `json:"fingerprint"`
	OAEPHash    string         `json:"oaep_hash"`
	Strict      bool           `json:"strict"`
	Holder      netip.Prefix   `json:"holder,omitzero"` // where it was begun
}

// wireField is how long a name is in a part's header: padded with zeros, as it
// came.
const wireField = 255

// header returns the header of the part.
func (u *Upload) header() ([]byte, error) {
	f := &u.file
	wire := make([]byte, wireField)
	copy(wire, f.WireName)
	return json.Marshal(partHeader{
		Client: f.Key.Client, Name: f.Key.Name, Wire: wire, ByID: f.ByID, Format: f.Format,
		Original: f.Original, Total: u.packets.total, Attempts: u.failedAttempts, Created: u.created,
		SealedKey: u.r.Keys.WrapKey(f.Session.Key, u.id[:]), WrappedKey: f.Session.Wrapped,
		Fingerprint: f.Session.Fingerprint, OAEPHash: f.Session.OAEPHash.String(), Strict: f.Strict, Holder: f.Holder,
	})
}
