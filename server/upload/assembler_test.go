package upload

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"coffer/store"
)

// memSink takes what an assembler puts out. The bytes in order are kept apart
// from the content, to see that both are the same.
type memSink struct {
	ordered, marked []byte
	file, waiting   memFile
	direct          int // bytes that were in the content before their turn
	records         [][]byte
}

func (s *memSink) write(b, _ []byte, how writing) error {
	if how.stored {
		s.direct += len(b)
	} else if _, err := s.file.WriteAt(b, s.size()); err != nil {
		return err
	}
	s.ordered = append(s.ordered, b...)
	return nil
}

func (s *memSink) size() int64          { return int64(len(s.ordered)) }
func (s *memSink) mark()                { s.marked = bytes.Clone(s.ordered) }
func (s *memSink) rewind()              { s.ordered = s.marked }
func (s *memSink) stale() bool          { return false }
func (s *memSink) reread(*buffer) error { return nil }
func (s *memSink) open() error          { return nil }
func (s *memSink) content() store.File  { return &s.file }
func (s *memSink) log(r record)         { s.records = append(s.records, r.encode()) }
func (s *memSink) spool() store.File    { return &s.waiting }

// A line is an assembler that is driven by hand.
type line struct {
	t *testing.T
	*assembler
	out *memSink
	b   *buffer
}

func newLine(t *testing.T, strict bool, original uint64, total uint32) *line {
	out := &memSink{}
	return &line{t, newAssembler(strict, original, total, out, spooled{rooms: newWaitingRooms()}), out, new(buffer)}
}

// send brings a whole packet.
func (l *line) send(number uint32, last bool, content []byte) error {
	p := &packet{number: number, last: last, size: int64(len(content)), exact: true}
	needed, err := l.begin(p)
	if err != nil || !needed {
		return err
	}
	err = l.bring(p, content)
	return errors.Join(err, l.leave(p, err))
}

// bring brings some content of a packet that has begun, in two pieces.
func (l *line) bring(p *packet, content []byte) error {
	for _, piece := range [][]byte{content[:len(content)/2], content[len(content)/2:]} {
		if p.route == inOrder {
			if err := l.take(p, piece, nil); err != nil {
				return err
			}
			continue
		}
		if file, offset, ok := l.where(p); ok {
			n, err := file.WriteAt(piece, offset)
			l.wrote(p, n)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// leave ends a packet, and takes in what follows.
func (l *line) leave(p *packet, err error) error {
	l.active--
	l.end(p, err)
	for {
		more, wait, err := l.step(l.b)
		if wait != nil {
			l.t.Fatal("there is a piece to wait for")
		}
		if err != nil || !more {
			return err
		}
	}
}

// A sent packet is one of a test's.
type sent struct {
	number  uint32
	last    bool
	content string
	err     error
}

// Whatever order the packets come in, their bytes come out in order, each once.
func TestAssembler(t *testing.T) {
	unknown := uint64(UnknownSize)
	whole := "aaaabbbbccccdddd" + "e" // 16 bytes of plaintext or less: 17 is no ciphertext, but nobody looks
	for _, tt := range []struct {
		name     string
		base     bool
		original uint64
		total    uint32
		packets  []sent
		want     string
		complete bool
	}{
		{name: "in order", original: unknown, total: 3, packets: []sent{{1, false, "aaaa", nil}, {2, false, "bbbb", nil}, {3, false, "cc", nil}}, want: "aaaabbbbcc", complete: true},
		{name: "reversed", original: unknown, total: 3, packets: []sent{{3, false, "cc", nil}, {2, false, "bbbb", nil}, {1, false, "aaaa", nil}}, want: "aaaabbbbcc", complete: true},
		{name: "a gap", original: unknown, total: 4, packets: []sent{{1, false, "aaaa", nil}, {3, false, "cccc", nil}, {4, false, "d", nil}}, want: "aaaa"},
		{name: "a gap that is filled", original: unknown, total: 4, packets: []sent{{1, false, "aaaa", nil}, {3, false, "cccc", nil}, {4, false, "d", nil}, {2, false, "bbbb", nil}}, want: "aaaabbbbccccd", complete: true},
		{name: "the last early", original: unknown, packets: []sent{{3, true, "cc", nil}, {1, false, "aaaa", nil}, {2, false, "bbbb", nil}}, want: "aaaabbbbcc", complete: true},
		{name: "one that was there", original: unknown, total: 2, packets: []sent{{1, false, "aaaa", nil}, {1, false, "aaaa", nil}, {2, false, "bb", nil}}, want: "aaaabb", complete: true},
		{name: "one that was there, with other content", original: unknown, total: 2, packets: []sent{{1, false, "aaaa", nil}, {1, false, "xxxx", nil}, {2, false, "bb", nil}}, want: "aaaabb", complete: true},
		{name: "one that waits, with other content", original: unknown, total: 2, packets: []sent{{2, false, "bb", nil}, {2, false, "xx", nil}, {1, false, "aaaa", nil}}, want: "aaaabb", complete: true},
		{name: "each of another size", original: unknown, total: 4, packets: []sent{{4, false, "d", nil}, {2, false, "bbbbbbb", nil}, {3, false, "cccc", nil}, {1, false, "aa", nil}}, want: "aabbbbbbbccccd", complete: true},
		{name: "a large one among small ones that were placed", original: unknown, total: 4, packets: []sent{{4, false, "dd", nil}, {3, false, "cc", nil}, {2, false, "bbbbbb", nil}, {1, false, "aa", nil}}, want: "aabbbbbbccdd", complete: true},
		{name: "a small one before those that were placed", original: unknown, total: 4, packets: []sent{{2, false, "bb", nil}, {3, false, "cc", nil}, {4, false, "dd", nil}, {1, false, "a", nil}}, want: "abbccdd", complete: true},
		{name: "empty ones", original: unknown, total: 3, packets: []sent{{2, false, "", nil}, {3, false, "cc", nil}, {1, false, "", nil}}, want: "cc", complete: true},
		{name: "number 0", original: unknown, total: 3, packets: []sent{{0, false, "a", errPacketZero}}},
		{name: "above the total", original: unknown, total: 3, packets: []sent{{1, false, "aaaa", nil}, {4, false, "d", errBeyondTotal}}, want: "aaaa"},
		{name: "last, and not the total's", original: unknown, total: 3, packets: []sent{{2, true, "bb", errNotLast}}},
		{name: "last, and a later one waits", original: unknown, packets: []sent{{3, false, "cc", nil}, {2, true, "bb", errLaterPacket}}},
		{name: "last, and a later one came", original: unknown, packets: []sent{{1, false, "a", nil}, {2, false, "b", nil}, {1, true, "a", errLaterPacket}}, want: "ab"},
		{name: "more than there is of the file", original: 8, total: 2, packets: []sent{{1, false, whole, errSurplus}}},
		{name: "less than there is of the file", original: 16, total: 1, packets: []sent{{1, false, "aaaa", nil}}, want: "aaaa"},
		{name: "base, padded", base: true, original: 8, total: 1, packets: []sent{{1, false, whole, nil}}, want: whole[:16], complete: true},
		{name: "base, one more than announced", base: true, original: 8, total: 1, packets: []sent{{1, false, whole[:10], nil}, {2, false, whole[10:], nil}}, want: whole[:16], complete: true},
		{name: "base, two more than announced", base: true, original: 8, total: 1, packets: []sent{{3, false, "c", errBeyondTotal}}},
		{name: "base, complete before its last packet", base: true, original: 8, total: 2, packets: []sent{{1, false, whole[:16], nil}}, want: whole[:16], complete: true},
		{name: "base, with an IV before", base: true, original: 8, total: 2, packets: []sent{{1, false, string(make([]byte, 16)) + whole[:4], nil}, {2, false, whole[4:16], nil}}, want: whole[:16], complete: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLine(t, !tt.base, tt.original, tt.total)
			for _, one := range tt.packets {
				if err := l.send(one.number, one.last, []byte(one.content)); !errors.Is(err, one.err) {
					t.Fatalf("packet %d: %v, want %v", one.number, err, one.err)
				}
			}
			l.check(tt.want)
			if done, _ := l.complete(); done != tt.complete {
				t.Errorf("complete: %v", done)
			}
		})
	}
}

// check compares what came out, in order and in the content.
func (l *line) check(want string) {
	l.t.Helper()
	if string(l.out.ordered) != want {
		l.t.Errorf("in order is %q, want %q", l.out.ordered, want)
	}
	if got := l.out.file.bytes(); len(got) < len(want) || string(got[:len(want)]) != want {
		l.t.Errorf("the content is %q, want %q", got, want)
	}
}

// Sizes that do not add up are reported once everything has arrived.
func TestAssemblerMissesBytes(t *testing.T) {
	l := newLine(t, true, 16, 1)
	if err := l.send(1, false, []byte("aaaa")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.complete(); !errors.Is(err, errSizes) {
		t.Errorf("%v", err)
	}
}

// After a wrong checksum all packets come again, whatever was there; one that
// was still coming in belongs to the time before.
func TestAssemblerBeginsAnew(t *testing.T) {
	l := newLine(t, true, UnknownSize, 3)
	for _, n := range []uint32{1, 3} {
		if err := l.send(n, false, []byte("old.")); err != nil {
			t.Fatal(err)
		}
	}
	late := &packet{number: 2, size: 4, exact: true}
	if _, err := l.begin(late); err != nil {
		t.Fatal(err)
	}
	l.reset()
	l.out.ordered = nil
	if l.received() != 0 || l.inOrder != nil {
		t.Errorf("%d packets are left", l.received())
	}
	if err := l.send(3, false, []byte("new3")); err != nil {
		t.Fatal(err)
	}
	if err := l.bring(late, []byte("late")); err != nil {
		t.Fatal(err)
	}
	if err := l.leave(late, nil); err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint32{1, 2} {
		if err := l.send(n, false, fmt.Appendf(nil, "new%d", n)); err != nil {
			t.Fatal(err)
		}
	}
	l.check("new1new2new3")
}

// Packets of equal size are written in place before their turn, others
// elsewhere.
func TestAssemblerWritesDirectly(t *testing.T) {
	for _, tt := range []struct {
		name   string
		sizes  []int
		direct int
	}{
		{"alike", []int{100, 100, 100, 30}, 230},
		{"not alike", []int{10, 100, 50, 30}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLine(t, true, UnknownSize, uint32(len(tt.sizes)))
			var want []byte
			var packets [][]byte
			for i, n := range tt.sizes {
				packets = append(packets, bytes.Repeat([]byte{byte('a' + i)}, n))
				want = append(want, packets[i]...)
			}
			for _, n := range []uint32{2, 3, 4, 1} {
				if err := l.send(n, false, packets[n-1]); err != nil {
					t.Fatal(err)
				}
			}
			l.check(string(want))
			if l.out.direct < tt.direct {
				t.Errorf("%d bytes were written directly, want %d", l.out.direct, tt.direct)
			}
		})
	}
}

// The same packet twice at once: the one that is whole first counts, and takes
// the turn from one that is stuck.
func TestAssemblerDuplicates(t *testing.T) {
	for _, tt := range []struct {
		name   string
		number uint32
	}{{"in order", 1}, {"out of order", 2}} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLine(t, true, UnknownSize, 3)
			if err := l.send(3, false, []byte("cccc")); err != nil {
				t.Fatal(err)
			}
			stuck := &packet{number: tt.number, size: 4, exact: true}
			if needed, err := l.begin(stuck); err != nil || !needed {
				t.Fatal(needed, err)
			}
			if err := l.bring(stuck, []byte("xx")); err != nil {
				t.Fatal(err)
			}
			for _, n := range []uint32{1, 2} {
				if err := l.send(n, false, bytes.Repeat([]byte{"ab"[n-1]}, 4)); err != nil {
					t.Fatal(err)
				}
			}
			l.check("aaaabbbbcccc")
			if err := l.bring(stuck, []byte("yyyy")); err != nil {
				t.Fatal(err)
			}
			if err := l.leave(stuck, nil); err != nil {
				t.Fatal(err)
			}
			l.check("aaaabbbbcccc")
		})
	}
}

// A piece that is being written to a place that was taken away is waited for.
func TestAssemblerWaitsForPiece(t *testing.T) {
	l := newLine(t, true, UnknownSize, 3)
	stuck := &packet{number: 2, size: 4, exact: true}
	first := &packet{number: 1, size: 4, exact: true}
	for _, p := range []*packet{first, stuck} {
		if needed, err := l.begin(p); err != nil || !needed {
			t.Fatal(needed, err)
		}
	}
	file, offset, ok := l.where(stuck)
	if !stuck.at.direct || !ok {
		t.Fatalf("packet 2 has no place: %+v", stuck)
	}
	if err := l.send(2, false, []byte("bbbb")); err != nil { // over another connection
		t.Fatal(err)
	}
	if err := l.bring(first, []byte("aaaa")); err != nil {
		t.Fatal(err)
	}
	l.active--
	l.end(first, nil)
	more, wait, err := l.step(l.b)
	if !more || wait == nil || err != nil {
		t.Fatalf("nothing is waited for: %v, %v", more, err)
	}
	if _, err := file.WriteAt([]byte("xx"), offset); err != nil {
		t.Fatal(err)
	}
	l.wrote(stuck, 2)
	<-wait
	if _, _, ok := l.where(stuck); ok {
		t.Error("the place is written to after it was taken away")
	}
	if err := l.leave(stuck, errors.New("cut")); err != nil {
		t.Fatal(err)
	}
	l.check("aaaabbbb")
}

// A packet that breaks off leaves everything as if it had not come.
func TestAssemblerBreaks(t *testing.T) {
	cut := errors.New("cut")
	for _, number := range []uint32{1, 2} {
		l := newLine(t, true, UnknownSize, 2)
		p := &packet{number: number, size: 4, exact: true}
		if _, err := l.begin(p); err != nil {
			t.Fatal(err)
		}
		if err := l.bring(p, []byte("xx")); err != nil {
			t.Fatal(err)
		}
		if err := l.leave(p, cut); err != nil {
			t.Fatal(err)
		}
		if l.received() != 0 || l.active != 0 {
			t.Errorf("packet %d is there", number)
		}
		for _, n := range []uint32{2, 1} {
			if err := l.send(n, false, bytes.Repeat([]byte{"ab"[n-1]}, 4)); err != nil {
				t.Fatal(err)
			}
		}
		l.check("aaaabbbb")
	}
}

// Many packets of any sizes in any order, several of them at a time and some
// twice, come out in order.
func TestAssemblerAtRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		total := 1 + random.IntN(20)
		alike := random.IntN(2) == 0
		var want []byte
		packets := make([][]byte, total)
		for i := range packets {
			size := 64
			if !alike || i == total-1 {
				size = random.IntN(100)
			}
			packets[i] = make([]byte, size)
			for j := range packets[i] {
				packets[i][j] = byte(random.Uint32())
			}
			want = append(want, packets[i]...)
		}
		l := newLine(t, true, UnknownSize, uint32(total))
		order := append(random.Perm(total), random.Perm(total)[:random.IntN(total+1)]...)
		var under []*packet
		finish := func() {
			at := random.IntN(len(under))
			p := under[at]
			under = slices.Delete(under, at, at+1)
			if err := errors.Join(l.bring(p, packets[p.number-1]), l.leave(p, nil)); err != nil {
				t.Fatal(err)
			}
		}
		for _, i := range order {
			p := &packet{number: uint32(i + 1), size: int64(len(packets[i])), exact: true}
			needed, err := l.begin(p)
			if err != nil {
				t.Fatal(err)
			}
			if needed {
				under = append(under, p)
			}
			for len(under) > random.IntN(4) {
				finish()
			}
		}
		for len(under) > 0 {
			finish()
		}
		if done, err := l.complete(); !done || err != nil || !bytes.Equal(l.out.ordered, want) || !bytes.Equal(l.out.file.bytes()[:len(want)], want) {
			t.Fatalf("round %d: %d of %d packets, complete %v, %v", round, l.received(), total, done, err)
		}
	}
}

// Missing packets are reported in ranges, as many as requested.
func TestAssemblerMissing(t *testing.T) {
	for _, tt := range []struct {
		name   string
		total  uint32
		have   []uint32
		most   int
		count  uint32
		ranges []Range
	}{
		{"nothing came", 5, nil, 9, 5, []Range{{1, 5}}},
		{"nothing came, of how many nobody knows", 0, nil, 9, 0, nil},
		{"gaps", 9, []uint32{1, 3, 6, 7}, 9, 5, []Range{{2, 2}, {4, 5}, {8, 9}}},
		{"gaps, below the highest", 0, []uint32{1, 3, 6, 7}, 9, 3, []Range{{2, 2}, {4, 5}}},
		{"some of the gaps", 9, []uint32{1, 3, 6, 7}, 2, 5, []Range{{2, 2}, {4, 5}}},
		{"all came", 2, []uint32{2, 1}, 9, 0, nil},
	} {
		l := newLine(t, true, UnknownSize, tt.total)
		for _, n := range tt.have {
			if err := l.send(n, false, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if count, ranges := l.missing(tt.most); count != tt.count || !slices.Equal(ranges, tt.ranges) {
			t.Errorf("%s: %d, %v; want %d, %v", tt.name, count, ranges, tt.count, tt.ranges)
		}
	}
}

// A run that starts again goes on where the log of the one before ends.
func TestAssemblerResumes(t *testing.T) {
	l := newLine(t, true, UnknownSize, 0)
	l.out.ordered = []byte("aaaa")
	l.out.file.b = []byte("aaaa....cccc")
	l.out.waiting.b = []byte("ddd")
	l.resume([]record{
		{kind: recordInOrder, number: 1, size: 4},
		{kind: recordDirect, number: 3, at: region{offset: 8, size: 4, direct: true}},
		{kind: recordWaiting, number: 4, at: region{size: 3}},
		{kind: recordTotal, number: 4},
	})
	if count, ranges := l.missing(9); count != 1 || !slices.Equal(ranges, []Range{{2, 2}}) {
		t.Errorf("%d are missing: %v", count, ranges)
	}
	if err := l.send(2, false, []byte("bbbb")); err != nil {
		t.Fatal(err)
	}
	l.check("aaaabbbbccccddd")
	if done, err := l.complete(); !done || err != nil {
		t.Errorf("complete: %v, %v", done, err)
	}
}

// Whenever a run ends, the next one takes up what was there from the log alone.
func TestAssemblerResumesAnywhere(t *testing.T) {
	contents := []string{"aaaa", "bbbb", "cc", "dddddd", "e"}
	order := []uint32{4, 2, 5, 1, 3}
	for crash := range len(order) + 1 {
		before := newLine(t, true, UnknownSize, 0)
		for _, n := range order[:crash] {
			if err := before.send(n, n == 5, []byte(contents[n-1])); err != nil {
				t.Fatal(err)
			}
		}
		after := newLine(t, true, UnknownSize, 0)
		records := parseRecords(before.out.records)
		after.out.file.b, after.out.waiting.b = before.out.file.b, before.out.waiting.b
		for _, r := range records {
			if r.kind == recordInOrder {
				after.out.ordered = before.out.ordered[:r.size]
			}
		}
		after.resume(records)
		if after.received() != before.received() || after.total != before.total {
			t.Errorf("after %d packets: %d of %d, want %d of %d", crash, after.received(), after.total, before.received(), before.total)
		}
		for _, n := range order {
			if err := after.send(n, n == 5, []byte(contents[n-1])); err != nil {
				t.Fatalf("after %d packets, packet %d: %v", crash, n, err)
			}
		}
		after.check("aaaabbbbccdddddde")
		if done, err := after.complete(); !done || err != nil {
			t.Errorf("after %d packets: complete %v, %v", crash, done, err)
		}
	}
}
