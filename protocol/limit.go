package protocol

// A SizeLimit bounds the payload of a message.
type SizeLimit struct {
	Min, Max uint32 // payload size in bytes, content included
	// Content is true if content follows; the message itself is then exactly
	// Min bytes.
	Content bool
}

// Allows reports whether a payload of size bytes is within the limit.
func (l SizeLimit) Allows(size uint32) bool { return l.Min <= size && size <= l.Max }

// Bounds of the messages of variable size, in bytes.
const (
	maxPublicKey = 4 << 10  // DER, and what deployed clients leave behind it
	maxText      = 1 << 10  // one text
	maxWrapped   = 2 << 10  // one wrapped key
	MaxKeyBundle = 64 << 10 // a client's key bundle
	maxList      = 2 << 20  // a page of a listing
)

func exactly(n uint32) SizeLimit        { return SizeLimit{Min: n, Max: n} }
func between(min, max uint32) SizeLimit { return SizeLimit{Min: min, Max: max} }
func withContent(meta uint32) SizeLimit { return SizeLimit{Min: meta, Max: MaxPayload, Content: true} }
func withContentUpTo(meta, max uint32) SizeLimit {
	return SizeLimit{Min: meta, Max: meta + max, Content: true}
}
