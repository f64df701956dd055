package server

import (
	"slices"
	"sync"
)

// maxStrangers is how many connections to the internal listener may be about to
// prove that they know the core's secret. A gateway takes milliseconds for it.
const maxStrangers = 128

// strangers are the unproven connections to the internal listener, the oldest
// first. Above the maximum, the oldest is closed, so connections held open
// without a proof do not keep a gateway out.
type strangers struct {
	mu    sync.Mutex
	conns []*conn
}

func (u *strangers) add(c *conn) (evicted bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.conns) >= maxStrangers {
		u.conns[0].nc.Close()
		u.conns = slices.Delete(u.conns, 0, 1)
		evicted = true
	}
	u.conns = append(u.conns, c)
	return evicted
}

// remove forgets a connection that has proven it, or ended.
func (u *strangers) remove(c *conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if i := slices.Index(u.conns, c); i >= 0 {
		u.conns = slices.Delete(u.conns, i, i+1)
	}
}
