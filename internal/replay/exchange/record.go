package exchange

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// A Recorder writes down an exchange as it happens. Its methods may be called
// from several goroutines.
type Recorder struct {
	mu    sync.Mutex
	w     io.Writer
	began time.Time
	err   error
}

// NewRecorder makes a recorder that writes to w.
func NewRecorder(w io.Writer) *Recorder { return &Recorder{w: w, began: time.Now()} }

// lineBytes is the number of bytes on a line.
const lineBytes = 32

// Record writes down what one side sent; verb is ">" or "<". When it did is a
// comment.
func (r *Recorder) Record(verb string, b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var text strings.Builder
	fmt.Fprintf(&text, "# %d ms\n", time.Since(r.began).Milliseconds())
	for len(b) > 0 {
		n := min(len(b), lineBytes)
		fmt.Fprintf(&text, "%s %s\n", verb, hex.EncodeToString(b[:n]))
		b = b[n:]
	}
	r.write(text.String())
}

// Mark writes down a line that stands alone: "half-close" or "closed".
func (r *Recorder) Mark(verb string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.write(verb + "\n")
}

func (r *Recorder) write(text string) {
	if r.err == nil {
		_, r.err = io.WriteString(r.w, text)
	}
}

// Err is what went wrong with writing.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// A halfCloser is a connection of which one direction can end.
type halfCloser interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// Proxy passes on what client and server say to each other, and records it,
// until both have ended. It closes both.
func Proxy(client, server halfCloser, r *Recorder) {
	var both sync.WaitGroup
	both.Go(func() { pass(server, client, r, ">", "half-close") })
	both.Go(func() { pass(client, server, r, "<", "closed") })
	both.Wait()
	client.Close()
	server.Close()
}

func pass(to, from halfCloser, r *Recorder, verb, end string) {
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			r.Record(verb, b[:n])
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			r.Mark(end)
			to.CloseWrite()
			return
		}
	}
}
