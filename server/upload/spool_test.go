package upload

import (
	"errors"
	"sync"
	"testing"
	"time"

	"coffer/store"
)

// Packets that wait for others are bounded for an account and in all, but an
// upload's first few always may.
func TestWaitingIsBounded(t *testing.T) {
	rooms := newWaitingRooms()
	of := func(n byte, packets int) *spooled {
		w := &spooled{rooms: rooms, client: store.ClientID{n}}
		for i := range packets {
			w.put(uint32(i+1), region{size: 1})
		}
		return w
	}
	const half = maxWaitingOfAccount / 2
	first := of(1, half)
	second := of(1, half)
	if first.full() == nil || second.full() == nil {
		t.Error("an account has no bound over its uploads")
	}
	if of(1, waitingAnyway-1).full() != nil {
		t.Error("the first packets of another upload may not wait")
	}
	if of(2, waitingAnyway).full() != nil {
		t.Error("another account's packets may not wait")
	}
	first.drop(1)
	first.put(2, region{size: 1}) // is there already
	second.clear()
	if err := first.full(); err != nil {
		t.Errorf("after half of them left: %v", err)
	}
	for n := byte(3); rooms.total < maxWaiting; n++ {
		of(n, min(maxWaitingOfAccount-1, maxWaiting-rooms.total))
	}
	late := of(200, waitingAnyway)
	if r, ok := errors.AsType[*Refusal](late.full()); !ok || r.Reason != TooMany {
		t.Error("there is no bound in all")
	}
	if of(201, waitingAnyway-1).full() != nil {
		t.Error("a flood elsewhere keeps an upload's first packets out")
	}
}

// No more buffers are lent than there may be; who waits for one gets the next
// that is given back.
func TestBuffersAreBounded(t *testing.T) {
	p := newBufferPool()
	var lent []*lease
	for range maxBuffers {
		lent = append(lent, p.get())
	}
	got := make(chan *lease)
	var waiting sync.WaitGroup
	waiting.Go(func() { got <- p.get() })
	select {
	case <-got:
		t.Fatal("one more was lent")
	case <-time.After(20 * time.Millisecond): // only to see that nothing comes
	}
	lent[7].release()
	lent[7].release() // has been done
	(<-got).release()
	waiting.Wait()
	if free := cap(p.slots) - len(p.slots); free != 1 {
		t.Errorf("%d are free", free)
	}
}
