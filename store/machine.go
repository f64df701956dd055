package store

import (
	"context"
	"encoding/hex"
	"time"
)

// A MachineID names a send-only machine of a client, and no other machine at
// this server. It is no secret.
type MachineID [16]byte

// String is the id in hexadecimal.
func (id MachineID) String() string { return hex.EncodeToString(id[:]) }

// A Machine is one that backs up into a client's account with a key of its own.
type Machine struct {
	ID        MachineID
	Client    ClientID
	Name      string // unique in the account, UTF-8
	PublicKey []byte // DER SubjectPublicKeyInfo
	OAEPHash  string // "sha256" or "sha1": how session keys are wrapped for it
	Rights    uint8  // bits
	Created   time.Time
	Used      time.Time // a recent request of it, not exactly the last; zero if there was none
	Removed   time.Time // when its rights were taken away; zero: they were not
	Labels    int       // how many it began; the catalog counts them
}

// Machines is the part of the catalog that knows the machines of each client,
// and which machine began a label. Labels never change hands: who has none
// began it. Every method that changes something returns once the change is on
// stable storage. All of it goes with the client.
type Machines interface {
	// AddMachine adds a machine. ErrNameTaken if its id is in use, or its name
	// in the account; ErrNoClient if the client is gone. To add one again that
	// has the same name and key is no error and changes nothing.
	AddMachine(ctx context.Context, m Machine) error
	// Machine finds a machine by its id, or returns ErrNoMachine.
	Machine(ctx context.Context, id MachineID) (Machine, error)
	// ListMachines returns the machines of a client, ordered by name (bytewise).
	ListMachines(ctx context.Context, client ClientID) ([]Machine, error)
	// TouchMachine sets Used. One that is not there is no error.
	TouchMachine(ctx context.Context, id MachineID, used time.Time) error
	// RemoveMachine sets Removed, unless it is set; a machine without labels
	// is forgotten. ErrNoMachine if the client has no such machine.
	RemoveMachine(ctx context.Context, client ClientID, id MachineID, at time.Time) error
	// ClaimLabel notes that a machine begins a label, which is the name of a
	// file, and is no error if it did before. ErrNameTaken if another machine
	// began it, or if there are versions or runs of it that no machine began.
	// ErrNoMachine if the client has no such machine, or it was removed.
	ClaimLabel(ctx context.Context, client ClientID, id MachineID, label string) error
	// LabelMachine returns the machine that began a label, the zero id if none
	// did.
	LabelMachine(ctx context.Context, client ClientID, label string) (MachineID, error)
}
