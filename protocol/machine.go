package protocol

import "time"

// A send-only machine backs up into an account and reads nothing of it. It has
// an id and an RSA key of its own, and never learns the account's.

// A MachineID names a machine. Whoever sets it up makes it, at random. On the
// machine's own connections it stands in each header in place of a client id.
type MachineID [16]byte

// Rights are what a machine may do, as bits.
type Rights uint8

// RightSend: making snapshots under labels that the machine began.
const RightSend Rights = 1

// MaxMachineName is the longest name of a machine, in bytes.
const MaxMachineName = 64

// OpenMachine asks for a session key of the machine whose id is in the header:
// 1097, empty. Answered with SessionKeyIssued; Prove follows, as after
// Reconnect. From then on, the connection is the machine's alone.
type OpenMachine struct{}

func (*OpenMachine) Code() Code                    { return CodeOpenMachine }
func (*OpenMachine) AppendPayload(b []byte) []byte { return b }
func (*OpenMachine) DecodePayload(p []byte) error  { return decodeEmpty(p) }

// AddMachine adds a machine to the account: 1098, machine[16], rights u8, name
// text, DER SubjectPublicKeyInfo to the end. Answered with Done. Repeated with
// the same content, it is answered as the first.
type AddMachine struct {
	Machine MachineID
	Rights  Rights
	Name    string
	DER     []byte
}

func (*AddMachine) Code() Code { return CodeAddMachine }
func (m *AddMachine) AppendPayload(b []byte) []byte {
	b = append(append(b, m.Machine[:]...), byte(m.Rights))
	return append(appendText(b, m.Name), m.DER...)
}
func (m *AddMachine) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Machine[:])
	m.Rights, m.Name, m.DER = Rights(r.u8()), r.text(), r.rest()
	return r.end()
}

// ListMachines asks for the account's machines: 1099, empty. Answered with
// MachineList.
type ListMachines struct{}

func (*ListMachines) Code() Code                    { return CodeListMachines }
func (*ListMachines) AppendPayload(b []byte) []byte { return b }
func (*ListMachines) DecodePayload(p []byte) error  { return decodeEmpty(p) }

// A MachineEntry is one machine: machine[16], rights u8, SHA-256[32] of its
// public key, created time, used time (zero: never), removed time (zero: it is
// in use), labels u32 (how many it began), name text.
type MachineEntry struct {
	Machine                MachineID
	Rights                 Rights
	Fingerprint            [32]byte
	Created, Used, Removed time.Time
	Labels                 uint32
	Name                   string
}

// MachineList answers ListMachines: 1651, count u16, as many MachineEntries,
// ordered by name. A removed machine is listed as long as it has labels, whose
// snapshots bear its id.
type MachineList struct{ Machines []MachineEntry }

func (*MachineList) Code() Code { return CodeMachineList }
func (m *MachineList) AppendPayload(b []byte) []byte {
	b = le.AppendUint16(b, uint16(len(m.Machines)))
	for i := range m.Machines {
		e := &m.Machines[i]
		b = append(append(b, e.Machine[:]...), byte(e.Rights))
		b = appendTime(appendTime(appendTime(append(b, e.Fingerprint[:]...), e.Created), e.Used), e.Removed)
		b = appendText(le.AppendUint32(b, e.Labels), e.Name)
	}
	return b
}
func (m *MachineList) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Machines = nil
	for n := r.u16(); n > 0 && r.err == nil; n-- {
		var e MachineEntry
		r.fill(e.Machine[:])
		e.Rights = Rights(r.u8())
		r.fill(e.Fingerprint[:])
		e.Created, e.Used, e.Removed = r.time(), r.time(), r.time()
		e.Labels, e.Name = r.u32(), r.text()
		m.Machines = append(m.Machines, e)
	}
	return r.end()
}

// RemoveMachine takes a machine's rights away: 1100, machine[16]. Answered with
// Done. Its connections are refused from then on; its snapshots stay.
type RemoveMachine struct{ Machine MachineID }

func (*RemoveMachine) Code() Code                      { return CodeRemoveMachine }
func (m *RemoveMachine) AppendPayload(b []byte) []byte { return append(b, m.Machine[:]...) }
func (m *RemoveMachine) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Machine[:])
	return r.end()
}

// IsMachineName reports whether a machine may be called name: 1 to
// MaxMachineName letters, digits, dots, hyphens and underscores of ASCII, of
// which the first is a letter. So NAME@MACHINE cannot be taken for a backup's
// version or date.
func IsMachineName(name string) bool {
	if name == "" || len(name) > MaxMachineName {
		return false
	}
	for i, c := range []byte(name) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '.' && c != '-' && c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return true
}
