package program

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// redraw is how often the bar changes.
const redraw = 100 * time.Millisecond

// A Bar is a line on a terminal that says how far something is. Its zero value
// shows nothing.
type Bar struct {
	w        io.Writer // nil: silent
	terminal *os.File

	mu      sync.Mutex
	started time.Time
	drawn   time.Time
}

// NewBar makes a bar on w if that is a terminal, and one that shows nothing if
// it is not, or quiet is set.
func NewBar(w io.Writer, quiet bool) *Bar {
	f, ok := w.(*os.File)
	if quiet || !ok || !term.IsTerminal(int(f.Fd())) {
		return &Bar{}
	}
	return &Bar{w: f, terminal: f}
}

// Show says how far a phase is, in bytes; a total below 1 is unknown.
func (b *Bar) Show(phase string, done, total int64) { b.show(phase, done, total, "") }

func (b *Bar) show(phase string, done, total int64, more string) {
	if b.w == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.started.IsZero() {
		b.started = now
	}
	if now.Sub(b.drawn) < redraw {
		return
	}
	b.drawn = now
	line := progressLine(phase, done, total, now.Sub(b.started)) + more
	if width, _, err := term.GetSize(int(b.terminal.Fd())); err == nil && len(line) >= width {
		line = line[:max(width-1, 0)]
	}
	fmt.Fprintf(b.w, "\r\x1b[K%s", line)
}

// ShowFiles says how far the reading of files is, and at which; a total below 1
// is unknown.
func (b *Bar) ShowFiles(path string, files, done, total uint64) {
	b.show(Count(files, "file,", "files,"), int64(done), int64(total), "  "+Printable(path))
}

// Clear removes the line.
func (b *Bar) Clear() {
	if b.w == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprint(b.w, "\r\x1b[K")
}

// barWidth is the length of the drawn part, in characters.
const barWidth = 24

func progressLine(phase string, done, total int64, elapsed time.Duration) string {
	rate := 0.0
	if elapsed > 0 {
		rate = float64(done) / elapsed.Seconds()
	}
	amount := fmt.Sprintf("%s, %s/s", Size(uint64(done)), Size(uint64(rate)))
	if total <= 0 {
		return phase + " " + amount
	}
	share := min(float64(done)/float64(total), 1)
	filled := int(share * barWidth)
	line := fmt.Sprintf("%s [%s%s] %3.0f%% %s", phase, strings.Repeat("=", filled), strings.Repeat(" ", barWidth-filled), share*100, amount)
	if rate > 0 && done < total {
		left := time.Duration(float64(total-done) / rate * float64(time.Second))
		line += ", " + left.Round(time.Second).String() + " left"
	}
	return line
}
