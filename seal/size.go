package seal

// What age makes of content, in bytes.
const (
	chunkContent  = 64 << 10 // at most, of each chunk
	chunkOverhead = 16
)

// ContentSize is how much content there is in a sealed file of so many bytes;
// ok is false if no file that is sealed to the identity alone has that length.
func (id Identity) ContentSize(sealed uint64) (content uint64, ok bool) {
	var n sizeCounter
	w, err := Seal(&n, id)
	if err != nil || w.Close() != nil {
		return 0, false
	}
	// One chunk, and an empty one, there is always.
	begin := uint64(n) - chunkOverhead
	if sealed < begin+chunkOverhead {
		return 0, false
	}
	chunks := (sealed - begin + chunkContent + chunkOverhead - 1) / (chunkContent + chunkOverhead)
	if sealed-begin < chunks*chunkOverhead {
		return 0, false
	}
	content = sealed - begin - chunks*chunkOverhead
	return content, chunks == 1 || content > (chunks-1)*chunkContent
}

// sizeCounter counts what is written to it.
type sizeCounter uint64

func (c *sizeCounter) Write(p []byte) (int, error) {
	*c += sizeCounter(len(p))
	return len(p), nil
}
