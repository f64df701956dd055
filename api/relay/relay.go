// Package relay passes the packets of uploads on to the core while they come in,
// in bounded memory: by one request if a packet is small, in pieces if not. While
// none is under way it holds no connection, so a caller may be as slow as it
// likes. A spool keeps content of which it is not yet known where it goes.
package relay

import (
	"bytes"
	"context"

	"golang.org/x/sync/semaphore"

	"coffer/client"
	"coffer/internal/fair"
	"coffer/protocol"
)

// Core is what a relay wants of connections to the core.
type Core interface {
	// Idempotent calls f with a connection, and again with another if that one
	// turns out to be dead.
	Idempotent(ctx context.Context, f func(*client.Conn) error) error
	// Once calls f with a connection that has just shown life.
	Once(ctx context.Context, f func(*client.Conn) error) error
}

// Limits bound what a relay holds.
type Limits struct {
	Packet  int64  // most bytes of a packet's content
	Spool   int64  // most bytes in spools
	TempDir string // for what has no room in memory; "": the system's
}

// spoolMemory bounds what all spools together keep in memory, in bytes.
const spoolMemory = 64 << 20

// A Relay is what all packets under way share. It is static after New.
type Relay struct {
	core    Core
	limits  Limits
	chunks  *chunkPool          // of packets on their way
	pieces  *piecePool          // of packets not yet known where to go
	memory  *semaphore.Weighted // of those
	spooled *fair.Gate          // their bytes, by client
}

// New makes a relay.
func New(core Core, limits Limits) *Relay {
	return &Relay{
		core: core, limits: limits, chunks: newChunkPool(chunkMemory), pieces: newPiecePool(), memory: semaphore.NewWeighted(spoolMemory),
		// One account may take a quarter, but always a packet.
		spooled: fair.NewGate(max(limits.Spool/4, min(limits.Packet, limits.Spool)), limits.Spool),
	}
}

// A Packet says how a packet is sent, by whichever name its upload has: Named or
// Identified.
type Packet interface {
	// whole sends a packet of which all is there.
	whole(ctx context.Context, conn *client.Conn, id protocol.ClientID, content []byte) (*protocol.UploadState, error)
	// open announces one that comes in pieces.
	open(ctx context.Context, conn *client.Conn, id protocol.ClientID, transfer protocol.TransferID, room uint32) error
	// repeatable says whether whole may be repeated.
	repeatable() bool
}

// A Named packet belongs to the upload that bears its file's name.
type Named protocol.NamedPacket

func (m Named) whole(ctx context.Context, conn *client.Conn, id protocol.ClientID, content []byte) (*protocol.UploadState, error) {
	return conn.NamedPacket(ctx, id, protocol.NamedPacket(m), bytes.NewReader(content), uint32(len(content)))
}

func (m Named) open(ctx context.Context, conn *client.Conn, id protocol.ClientID, transfer protocol.TransferID, room uint32) error {
	return conn.OpenNamedPacket(ctx, id, protocol.OpenNamedPacket{Transfer: transfer, Room: room, Packet: protocol.NamedPacket(m)})
}

// repeatable: packet 1 a second time starts the file over.
func (m Named) repeatable() bool { return m.Number != 1 }

// An Identified packet belongs to the upload of an id. One that is there already
// is taken as received, so it may be sent again.
type Identified protocol.UploadPacket

func (m Identified) whole(ctx context.Context, conn *client.Conn, id protocol.ClientID, content []byte) (*protocol.UploadState, error) {
	return conn.UploadPacket(ctx, id, protocol.UploadPacket(m), content)
}

func (m Identified) open(ctx context.Context, conn *client.Conn, id protocol.ClientID, transfer protocol.TransferID, room uint32) error {
	return conn.OpenPacket(ctx, id, protocol.OpenPacket{Transfer: transfer, Room: room, Packet: protocol.UploadPacket(m)})
}

func (m Identified) repeatable() bool { return true }
