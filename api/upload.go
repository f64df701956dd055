package api

import (
	"context"
	"io"
	"net/http"

	"coffer/api/contract"
	"coffer/api/packetjson"
	"coffer/api/relay"
	"coffer/protocol"
)

// maxAwaiting is the most missing packets that an answer lists.
const maxAwaiting = 100

// UploadFilePacket takes a packet in JSON: POST /api/v1/files/upload.
func (g *Gateway) UploadFilePacket(w http.ResponseWriter, r *http.Request, _ contract.UploadFilePacketParams) {
	g.handle(w, r, http.StatusOK, func(context.Context) (any, error) {
		const metadata = 1 << 20
		c := &jsonContent{g: g, r: r}
		defer c.close()
		p, err := packetjson.Read(http.MaxBytesReader(w, r.Body, g.cfg.MaxPacket/3*4+metadata), c.sink)
		if err != nil {
			return nil, err
		}
		if err := c.settle(&p); err != nil {
			return nil, err
		}
		return received(p.Number, c.out)
	})
}

// jsonContent is where the content of a packet in JSON goes: on to the core, or,
// if it comes before it is known where, into a spool.
type jsonContent struct {
	g    *Gateway
	r    *http.Request
	out  *relay.Sender // as soon as the destination is known
	kept *relay.Spool  // holds it until then; nil if that was known in time
}

// sink is a packetjson.Sink.
func (c *jsonContent) sink(p *packetjson.Packet, known bool) (io.Writer, error) {
	if known {
		switch err := c.send(p); {
		case err == nil:
			return c.out, nil
		case p.ClientID != nil:
			return nil, err
		}
	}
	// Nothing is held for a caller who has not shown who they are.
	id, err := c.g.identify(c.r, p.ClientID)
	if err != nil {
		return nil, err
	}
	c.kept = c.g.relay.Spool(id, c.g.cfg.MaxPacket)
	return c.kept, nil
}

// settle has the content on its way once all of the packet was read.
func (c *jsonContent) settle(p *packetjson.Packet) error {
	if c.out != nil {
		_, err := c.g.identify(c.r, p.ClientID) // the client id may have come last
		return err
	}
	if err := c.send(p); err != nil {
		return err
	}
	_, err := c.kept.WriteTo(c.out)
	return err
}

// send begins to pass the packet on.
func (c *jsonContent) send(p *packetjson.Packet) error {
	name, err := nameField("filename", p.Filename)
	if err != nil {
		return err
	}
	id, err := c.g.identify(c.r, p.ClientID)
	if err != nil {
		return err
	}
	m := relay.Named{OriginalSize: uint64(p.OriginalSize), Number: p.Number, Total: p.Total, Name: name}
	c.out = c.g.relay.Packet(c.r.Context(), id, m, c.g.cfg.MaxPacket)
	return nil
}

func (c *jsonContent) close() {
	if c.kept != nil {
		c.g.close(c.r, c.kept)
	}
	if c.out != nil {
		c.g.close(c.r, c.out)
	}
}

// close ends what a call used.
func (g *Gateway) close(r *http.Request, c io.Closer) {
	if err := c.Close(); err != nil {
		g.log.Warn("a packet under way was not cleaned up", requestAttr(r), "error", err)
	}
}

// received ends a packet, and says how far its upload is.
func received(number uint32, out *relay.Sender) (*contract.PacketReceived, error) {
	state, err := out.Finish()
	if err != nil {
		return nil, err
	}
	m := &contract.PacketReceived{PacketReceived: int64(number), AwaitingPackets: awaiting(state), AwaitingCount: int64(state.MissingCount)}
	if state.Complete {
		sum := formatChecksum(state.Cksum)
		m.ServerCrc = &sum
	}
	return m, nil
}

// awaiting lists the first missing packets.
func awaiting(state *protocol.UploadState) []int64 {
	list := []int64{}
	for _, missing := range state.Missing {
		for n := int64(missing.From); n <= int64(missing.To); n++ {
			if len(list) == maxAwaiting {
				return list
			}
			list = append(list, n)
		}
	}
	return list
}
