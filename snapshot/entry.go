package snapshot

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Type is what an entry of a directory is.
type Type uint8

// The types of entries.
const (
	File Type = iota + 1
	Dir
	Symlink
	FIFO
	Socket
	Char
	Block
)

var typeNames = [...]string{"", "file", "dir", "symlink", "fifo", "socket", "char", "block"}

func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return ""
}

// An Entry is one name in a directory, with all that is kept of it.
type Entry struct {
	Name string // any bytes but / and NUL
	Type Type

	// Mode is the permission, setuid, setgid and sticky bits, as chmod(2) has
	// them. With NoMode the writer did not know them (a browser, a stream), and
	// owners of 0 are not known either.
	Mode        uint32
	NoMode      bool
	UID, GID    uint32
	User, Group string // names of owner and group, if they are known

	MTime Time
	CTime Time   // for noticing changes alone
	Inode uint64 // likewise

	Size uint64 // of a file; what Content and Holes hold together
	Link string // "<device>:<inode>": the same for all names of a file with several
	// Target is where a symbolic link leads: any bytes.
	Target       string
	Major, Minor uint32 // of a device

	Xattrs []Xattr
	Holes  []Extent // of a sparse file, ascending; Content leaves them out

	// Content are the places of a file's bytes without its holes; with Depth n
	// the places of list pieces, n levels above the content.
	Content []Place
	Depth   int
	// Subtree are the places of a directory's tree pieces, in the order of names.
	Subtree []Place

	// Error is why the entry could not be read in whole; what it has may be
	// incomplete.
	Error   string
	Changed bool // the file changed while it was read
}

// An Xattr is an extended attribute: also ACLs and capabilities.
type Xattr struct {
	Name  string
	Value []byte
}

// An Extent is a range of a file.
type Extent struct{ Offset, Length uint64 }

// Bounds of an entry.
const (
	MaxName   = 4096
	MaxTarget = 64 << 10
	MaxHoles  = 65_536 // beyond, the smallest holes are kept as zeros
	MaxPlaces = 1024   // beyond, places go into list pieces
	MaxLists  = 4      // levels of list pieces
	// maxLine is how long an entry's line may be. Only extended attributes
	// come near it.
	maxLine = 4 << 20
)

// check refuses an entry that no writer makes.
func (e *Entry) check() error {
	if e.Name == "" || e.Name == "." || e.Name == ".." || len(e.Name) > MaxName ||
		strings.IndexByte(e.Name, '/') >= 0 || strings.IndexByte(e.Name, 0) >= 0 {
		return malformed("an entry that cannot be in a directory: %.60q", e.Name)
	}
	return e.checkRoot()
}

// checkRoot is check without the name: a root has any.
func (e *Entry) checkRoot() error {
	switch {
	case e.Type < File || e.Type > Block:
		return malformed("an entry without type: %.60q", e.Name)
	case e.Mode > 0o7777:
		return malformed("a mode with unknown bits: %#o", e.Mode)
	case len(e.Target) > MaxTarget || strings.IndexByte(e.Target, 0) >= 0:
		return malformed("a link with an impossible target: %.60q", e.Name)
	case e.Target != "" && e.Type != Symlink, (len(e.Content) > 0 || len(e.Holes) > 0) && e.Type != File,
		len(e.Subtree) > 0 && e.Type != Dir, e.Major|e.Minor != 0 && e.Type != Char && e.Type != Block:
		return malformed("a %s with members of another type: %.60q", e.Type, e.Name)
	case len(e.Content) > MaxPlaces || len(e.Holes) > MaxHoles:
		return malformed("too many places or holes: %.60q", e.Name)
	case e.Depth < 0 || e.Depth > MaxLists || e.Depth > 0 && len(e.Content) == 0:
		return malformed("impossible levels of lists: %.60q", e.Name)
	case e.Size > maxContent:
		return malformed("an impossible size: %.60q", e.Name)
	}
	if err := e.MTime.check(); err != nil {
		return err
	}
	if err := e.CTime.check(); err != nil {
		return err
	}
	return e.checkContent()
}

// checkContent holds content and holes against the size.
func (e *Entry) checkContent() error {
	var bytes uint64
	for i := range e.Content {
		p := &e.Content[i]
		if (p.Covers != 0) != (e.Depth > 0) {
			return malformed("content on another level than its entry says: %.60q", e.Name)
		}
		if bytes += p.Bytes(); bytes > e.Size {
			return malformed("content beyond the size: %.60q", e.Name)
		}
	}
	var end uint64
	for _, h := range e.Holes {
		if h.Length == 0 || h.Offset < end || h.Offset > e.Size || h.Length > e.Size-h.Offset {
			return malformed("impossible holes: %.60q", e.Name)
		}
		end = h.Offset + h.Length
		bytes += h.Length
	}
	if e.Type == File && bytes != e.Size && e.Error == "" {
		return malformed("%d bytes of content where the size is %d: %.60q", bytes, e.Size, e.Name)
	}
	for i := range e.Subtree {
		if e.Subtree[i].Covers != 0 {
			return malformed("a tree that is no piece of one: %.60q", e.Name)
		}
	}
	return nil
}

// appendEntry appends an entry as one JSON object, without line end.
func appendEntry(dst []byte, e *Entry, packs *packTable) []byte {
	dst = append(dst, '{')
	if e.Name != "" {
		dst = appendBytes(dst, "name", e.Name)
		dst = append(dst, ',')
	}
	dst = append(append(append(dst, `"type":"`...), e.Type.String()...), '"')
	if !e.NoMode {
		dst = appendUint(dst, "mode", uint64(e.Mode))
	}
	dst = appendNonZero(dst, "uid", uint64(e.UID))
	dst = appendNonZero(dst, "gid", uint64(e.GID))
	dst = appendText(dst, "user", e.User)
	dst = appendText(dst, "group", e.Group)
	dst = appendTime(dst, "mtime", e.MTime)
	dst = appendTime(dst, "ctime", e.CTime)
	dst = appendNonZero(dst, "size", e.Size)
	dst = appendNonZero(dst, "inode", e.Inode)
	dst = appendText(dst, "link", e.Link)
	if e.Target != "" {
		dst = appendBytes(append(dst, ','), "target", e.Target)
	}
	dst = appendNonZero(dst, "major", uint64(e.Major))
	dst = appendNonZero(dst, "minor", uint64(e.Minor))
	dst = appendXattrs(dst, e.Xattrs)
	dst = appendHoles(dst, e.Holes)
	if len(e.Content) > 0 {
		dst = appendPlaces(appendName(dst, "content"), e.Content, packs)
	}
	dst = appendNonZero(dst, "depth", uint64(e.Depth))
	if len(e.Subtree) > 0 {
		dst = appendPlaces(appendName(dst, "subtree"), e.Subtree, packs)
	}
	dst = appendText(dst, "error", e.Error)
	if e.Changed {
		dst = append(dst, `,"changed":true`...)
	}
	return append(dst, '}')
}

func appendName(dst []byte, name string) []byte {
	return append(append(append(dst, ',', '"'), name...), '"', ':')
}

func appendUint(dst []byte, name string, value uint64) []byte {
	return strconv.AppendUint(appendName(dst, name), value, 10)
}

func appendNonZero(dst []byte, name string, value uint64) []byte {
	if value == 0 {
		return dst
	}
	return appendUint(dst, name, value)
}

func appendText(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendString(appendName(dst, name), value)
}

// appendBytes appends a member, without a comma, that need not be UTF-8: it is
// called name_b64 then.
func appendBytes(dst []byte, name, value string) []byte {
	dst = append(append(dst, '"'), name...)
	if utf8.ValidString(value) {
		return appendString(append(dst, '"', ':'), value)
	}
	dst = append(dst, `_b64":"`...)
	return append(ids.AppendEncode(dst, []byte(value)), '"')
}

func appendTime(dst []byte, name string, t Time) []byte {
	if !t.Known {
		return dst
	}
	return append(t.append(append(appendName(dst, name), '"')), '"')
}

// appendXattrs appends pairs of name and value. A name that is not UTF-8 comes
// third, in base64url, after an empty one.
func appendXattrs(dst []byte, xattrs []Xattr) []byte {
	if len(xattrs) == 0 {
		return dst
	}
	dst = append(appendName(dst, "xattrs"), '[')
	for i, x := range xattrs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[')
		valid := utf8.ValidString(x.Name)
		if valid {
			dst = appendString(dst, x.Name)
		} else {
			dst = append(dst, '"', '"')
		}
		dst = append(ids.AppendEncode(append(dst, ',', '"'), x.Value), '"')
		if !valid {
			dst = append(ids.AppendEncode(append(dst, ',', '"'), []byte(x.Name)), '"')
		}
		dst = append(dst, ']')
	}
	return append(dst, ']')
}

func appendHoles(dst []byte, holes []Extent) []byte {
	if len(holes) == 0 {
		return dst
	}
	dst = append(appendName(dst, "holes"), '[')
	for i, h := range holes {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(append(dst, '['), h.Offset, 10)
		dst = strconv.AppendUint(append(dst, ','), h.Length, 10)
		dst = append(dst, ']')
	}
	return append(dst, ']')
}

// entry scans one object into e, which is zero.
func (s *scanner) entry(e *Entry, packs []PackID, places *placeSlab) {
	var seen uint64
	e.NoMode = true
	s.byte('{')
	for first := true; s.more('}', first); first = false {
		name := s.rawString()
		s.byte(':')
		if s.err != nil {
			return
		}
		bit := s.member(e, name, packs, places)
		if bit != 0 && seen&bit != 0 {
			s.fail("member %.20q twice", name)
		}
		seen |= bit
	}
}

// member scans the value of one member, and returns a bit that stands for it; 0
// if it is one of a newer writer.
func (s *scanner) member(e *Entry, name string, packs []PackID, places *placeSlab) uint64 {
	switch name {
	case "name":
		e.Name = s.string()
		return 1 << 0
	case "name_b64":
		e.Name = string(s.base64())
		return 1 << 0
	case "type":
		e.Type = s.entryType()
		return 1 << 1
	case "mode":
		e.Mode, e.NoMode = uint32(s.uint(0o7777)), false
		return 1 << 2
	case "uid":
		e.UID = s.uint32()
		return 1 << 3
	case "gid":
		e.GID = s.uint32()
		return 1 << 4
	case "user":
		e.User = s.string()
		return 1 << 5
	case "group":
		e.Group = s.string()
		return 1 << 6
	case "mtime":
		e.MTime = s.time()
		return 1 << 7
	case "ctime":
		e.CTime = s.time()
		return 1 << 8
	case "size":
		e.Size = s.uint(maxContent)
		return 1 << 9
	case "inode":
		e.Inode = s.uint(1<<64 - 1)
		return 1 << 10
	case "link":
		e.Link = s.string()
		return 1 << 11
	case "target":
		e.Target = s.string()
		return 1 << 12
	case "target_b64":
		e.Target = string(s.base64())
		return 1 << 12
	case "major":
		e.Major = s.uint32()
		return 1 << 13
	case "minor":
		e.Minor = s.uint32()
		return 1 << 14
	case "xattrs":
		e.Xattrs = s.xattrs()
		return 1 << 15
	case "holes":
		e.Holes = s.holes()
		return 1 << 16
	case "content":
		e.Content = s.places(packs, places)
		return 1 << 17
	case "depth":
		e.Depth = int(s.uint(MaxLists))
		return 1 << 18
	case "subtree":
		e.Subtree = s.places(packs, places)
		return 1 << 19
	case "error":
		e.Error = s.string()
		return 1 << 20
	case "changed":
		e.Changed = s.bool()
		return 1 << 21
	}
	s.skip(0)
	return 0
}

func (s *scanner) entryType() Type {
	text := s.rawString()
	for t := File; t <= Block; t++ {
		if typeNames[t] == text {
			return t
		}
	}
	s.fail("an unknown type of entry: %.20q", text)
	return 0
}

func (s *scanner) uint32() uint32 { return uint32(s.uint(1<<32 - 1)) }

func (s *scanner) time() Time {
	text := s.rawString()
	if s.err != nil {
		return Time{}
	}
	t, err := parseTime(text)
	if err != nil {
		s.failed(err)
	}
	return t
}

func (s *scanner) xattrs() (xattrs []Xattr) {
	s.byte('[')
	for first := true; s.more(']', first); first = false {
		var x Xattr
		s.byte('[')
		x.Name = s.string()
		s.byte(',')
		x.Value = s.base64()
		if s.peek() == ',' {
			s.byte(',')
			x.Name = string(s.base64())
		}
		s.byte(']')
		if x.Name == "" || strings.IndexByte(x.Name, 0) >= 0 {
			s.fail("an extended attribute without a name")
		}
		xattrs = append(xattrs, x)
	}
	return xattrs
}

func (s *scanner) holes() (holes []Extent) {
	s.byte('[')
	for first := true; s.more(']', first); first = false {
		var h Extent
		s.byte('[')
		h.Offset = s.uint(maxContent)
		s.byte(',')
		h.Length = s.uint(maxContent)
		s.byte(']')
		holes = append(holes, h)
	}
	return holes
}

// A placeSlab is room for places of many entries, so that a file of one chunk
// costs no allocation of its own.
type placeSlab struct{ free []Place }

const slabSize = 64

// places scans a list of places.
func (s *scanner) places(packs []PackID, slab *placeSlab) []Place {
	if cap(slab.free) == 0 {
		slab.free = make([]Place, 0, slabSize)
	}
	places := slab.free
	s.byte('[')
	for first := true; s.more(']', first); first = false {
		places = append(places, s.place(packs))
	}
	if len(places) == 0 {
		s.fail("an empty list of places")
		return nil
	}
	n := len(places)
	if n <= cap(slab.free) {
		slab.free = slab.free[n:n:cap(slab.free)]
	}
	return places[:n:n]
}
