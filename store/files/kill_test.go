package files

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"coffer/store"
)

// killDir names the environment variable that makes TestKilled the process to
// be killed.
const killDir = "COFFER_TEST_KILL_DIR"

// What was answered before a process was killed is there afterwards, and the
// folder opens by itself.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(killDir); dir != "" {
		storeUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	answered := make(map[store.BlobRef]int)
	confirmed := make(map[store.BlobRef]bool)
	removed := make(map[store.BlobRef]bool)
	for round := range 10 {
		for _, line := range killAfter(t, dir, 30+round*17) {
			what, ref, _ := strings.Cut(line, " ")
			ref, number, _ := strings.Cut(ref, " ")
			switch what {
			case "stored":
				n, err := strconv.Atoi(number)
				noErr(t, err)
				answered[store.BlobRef(ref)] = n
			case "confirmed":
				confirmed[store.BlobRef(ref)] = true
			case "removing":
				removed[store.BlobRef(ref)] = true
			}
		}
		s := openTest(t, dir, PackSize(1<<20))
		pending := make(map[store.BlobRef]bool)
		noErr(t, s.Walk(t.Context(), func(b store.StoredBlob) error {
			pending[b.Ref] = b.Confirmed == nil
			return nil
		}))
		noErr(t, s.Parts(t.Context(), func(p store.Part, header []byte, records [][]byte) error {
			if string(header) != "header" {
				t.Errorf("a part with header %q", header)
			}
			return p.Discard()
		}))
		for ref, n := range answered {
			got, err := read(t, s, ref)
			switch {
			case errors.Is(err, store.ErrNoBlob) && removed[ref]:
			case err != nil:
				t.Errorf("blob %d of what was answered: %v", n, err)
			case !bytes.Equal(got, random(uint64(n), len(got))) || len(got) != sizeOf(n):
				t.Errorf("blob %d is not what was stored", n)
			case confirmed[ref] && pending[ref]:
				t.Errorf("blob %d has lost its confirmation", n)
			}
		}
		noErr(t, s.Close())
	}
}

// killAfter runs storeUntilKilled, kills it after so many answers, and returns
// all that it gave.
func killAfter(t *testing.T, dir string, answers int) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$", "-test.v=false")
	cmd.Env = append(os.Environ(), killDir+"="+dir)
	out, err := cmd.StdoutPipe()
	noErr(t, err)
	noErr(t, cmd.Start())
	var lines []string
	for in := bufio.NewScanner(out); in.Scan(); {
		if lines = append(lines, in.Text()); len(lines) == answers {
			noErr(t, cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); err == nil || len(lines) < answers {
		t.Fatalf("it ended by itself: %q", lines)
	}
	return lines
}

func sizeOf(n int) int {
	if n%5 == 0 {
		return store.SmallBlob + n%1000
	}
	return n % 9000
}

// storeUntilKilled stores, confirms and removes blobs from several goroutines,
// and prints what it did.
func storeUntilKilled(t *testing.T, dir string) {
	s := openTest(t, dir, PackSize(1<<20))
	var mu sync.Mutex
	say := func(what string, ref store.BlobRef, n int) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(what, ref, n)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for n := os.Getpid()*1000 + w; ; n += 8 {
				size, l := sizeOf(n), meta(n, sizeOf(n))
				p, err := s.NewPart(t.Context(), l.Upload, []byte("header"))
				if err != nil {
					continue // the numbers repeat
				}
				_, err = p.Content().WriteAt(random(uint64(n), size), 0)
				var ref store.BlobRef
				if err == nil {
					ref, err = p.Commit(t.Context(), l)
				}
				if err != nil {
					panic(err)
				}
				say("stored", ref, n)
				if n%3 > 0 {
					if err := s.Confirm(t.Context(), ref, store.Confirmation{Number: 1}); err != nil {
						panic(err)
					}
					say("confirmed", ref, n)
				}
				if n%4 == 0 {
					say("removing", ref, n)
					if err := s.Remove(t.Context(), ref); err != nil {
						panic(err)
					}
				}
			}
		})
	}
	wg.Wait()
}
