package protocol

import "time"

// Snapshots are made in runs. A run pins the packs of its base and whatever is
// put and asked about under it, until it commits, is ended, or falls silent:
// nobody holds a lock, and nobody waits for it.

// A RunID names a run. Its client makes it, at random, so that each request of
// a run can be repeated.
type RunID [16]byte

// BeginRun begins a run that is to make the next version of a snapshot: 1084,
// run[16], base version u32 (whose packs are pinned; 0 none), name text. One
// that there is already is gone on with. Answered with RunBegun.
type BeginRun struct {
	Run  RunID
	Base uint32
	Name string
}

func (*BeginRun) Code() Code { return CodeBeginRun }
func (m *BeginRun) AppendPayload(b []byte) []byte {
	b = append(b, m.Run[:]...)
	return appendText(le.AppendUint32(b, m.Base), m.Name)
}
func (m *BeginRun) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Run[:])
	m.Base, m.Name = r.u32(), r.text()
	return r.end()
}

// RunBegun answers BeginRun: 1643, newest version u32 (0: there is none), run
// seconds u32 (how long it may be silent), max pack u32 (bytes).
type RunBegun struct {
	Newest  uint32
	TTL     time.Duration // whole seconds
	MaxPack uint32
}

func (*RunBegun) Code() Code { return CodeRunBegun }
func (m *RunBegun) AppendPayload(b []byte) []byte {
	b = le.AppendUint32(b, m.Newest)
	b = le.AppendUint32(b, uint32(m.TTL/time.Second))
	return le.AppendUint32(b, m.MaxPack)
}
func (m *RunBegun) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Newest, m.TTL, m.MaxPack = r.u32(), time.Duration(r.u32())*time.Second, r.u32()
	return r.end()
}

// EndRun gives a run up, and no longer pins what it pinned: 1091, run[16].
// Answered with Done, also for one that there is not.
type EndRun struct{ Run RunID }

func (*EndRun) Code() Code                      { return CodeEndRun }
func (m *EndRun) AppendPayload(b []byte) []byte { return append(b, m.Run[:]...) }
func (m *EndRun) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Run[:])
	return r.end()
}

// ListRuns asks for the client's unfinished runs: 1092, empty. Answered with
// RunList.
type ListRuns struct{}

func (*ListRuns) Code() Code                    { return CodeListRuns }
func (*ListRuns) AppendPayload(b []byte) []byte { return b }
func (*ListRuns) DecodePayload(p []byte) error  { return decodeEmpty(p) }

// A RunEntry is one unfinished run: run[16], base version u32, packs u32 and
// pack bytes u64 (put under it), begun time, seen time (its last request), name
// text.
type RunEntry struct {
	Run         RunID
	Base        uint32
	Packs       uint32
	Bytes       uint64
	Begun, Seen time.Time
	Name        string
}

// RunList answers ListRuns: 1648, count u16, as many RunEntries.
type RunList struct{ Runs []RunEntry }

func (*RunList) Code() Code { return CodeRunList }
func (m *RunList) AppendPayload(b []byte) []byte {
	b = le.AppendUint16(b, uint16(len(m.Runs)))
	for i := range m.Runs {
		e := &m.Runs[i]
		b = append(b, e.Run[:]...)
		b = le.AppendUint32(le.AppendUint32(b, e.Base), e.Packs)
		b = le.AppendUint64(b, e.Bytes)
		b = appendText(appendTime(appendTime(b, e.Begun), e.Seen), e.Name)
	}
	return b
}
func (m *RunList) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Runs = nil
	for n := r.u16(); n > 0 && r.err == nil; n-- {
		var e RunEntry
		r.fill(e.Run[:])
		e.Base, e.Packs, e.Bytes = r.u32(), r.u32(), r.u64()
		e.Begun, e.Seen, e.Name = r.time(), r.time(), r.text()
		m.Runs = append(m.Runs, e)
	}
	return r.end()
}
