package take

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"coffer/snapshot"
	"coffer/snapshot/cache"
)

// provisionalText is how the text of each provisional pack id begins.
var provisionalText = []byte((&openPack{}).provisional().String()[:32])

// isProvisional reports whether a pack has no id yet, and its number.
func isProvisional(id snapshot.PackID) (cache.Number, bool) {
	o := openPack{number: cache.Number(uint32(id[28])<<24 | uint32(id[29])<<16 | uint32(id[30])<<8 | uint32(id[31]))}
	return o.number, o.provisional() == id
}

// rename gives the packs in a piece's table that are closed by now their ids,
// and leaves the open one without, as that of the piece itself.
func (p *packer) rename(piece []byte) (renamed []byte, self bool, err error) {
	end := bytes.IndexByte(piece, '\n')
	if end < 0 || !bytes.Contains(piece[:end], provisionalText) {
		return piece, false, nil
	}
	var table struct {
		Packs []snapshot.PackID `json:"packs"`
	}
	if err := json.Unmarshal(piece[:end], &table); err != nil {
		return nil, false, fmt.Errorf("read the packs of a tree: %w", err)
	}
	var b strings.Builder
	b.WriteString(`{"packs":[`)
	for i, id := range table.Packs {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		if id = p.real(id); id != (snapshot.PackID{}) {
			b.WriteString(id.String())
		} else {
			self = true
		}
		b.WriteByte('"')
	}
	b.WriteString("]}")
	return append([]byte(b.String()), piece[end:]...), self, nil
}

// real is the id of a pack that may be provisional, zero for the open one.
func (p *packer) real(id snapshot.PackID) snapshot.PackID {
	n, ok := isProvisional(id)
	if !ok {
		return id
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ids[n]
}
