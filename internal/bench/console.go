package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"coffer/store"
	"coffer/store/sqlite"
)

// An operator asks a core's console.
type operator struct{ url, token string }

// operatorOf is one who reads the token where the core keeps it. A core that
// has just begun to serve clients may not have made it yet.
func operatorOf(ctx context.Context, dir, addr string) (*operator, error) {
	o := &operator{url: "http://" + addr}
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		if _, err := o.get(ctx, "/healthz"); err == nil {
			break
		} else if time.Since(began) > time.Minute {
			return nil, err
		}
	}
	token, err := os.ReadFile(filepath.Join(dir, "console.token"))
	o.token = strings.TrimSpace(string(token))
	return o, err
}

// get asks, and reads the answer to its end.
func (o *operator) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.url+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+o.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, response.Status, body)
	}
	return body, err
}

// watch does what open pages do until ctx is done: it reads the live figures
// and log, and requests lists each second.
func (o *operator) watch(ctx context.Context) error {
	var group errgroup.Group
	for _, stream := range []string{"/api/events", "/api/logs/events?level=debug"} {
		group.Go(func() error {
			_, err := o.get(ctx, stream) // which does not end by itself
			return err
		})
	}
	group.Go(func() error {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			for _, path := range []string{"/api/history", "/api/activities", "/api/clients", "/api/transfers", "/api/storage"} {
				if _, err := o.get(ctx, path); err != nil {
					return err
				}
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
			}
		}
	})
	err := group.Wait()
	if ctx.Err() != nil {
		return nil // stopped by its caller
	}
	return err
}

// watching runs what is measured while the console is open.
func (o *operator) watching(ctx context.Context, measured func() error) error {
	watch, stop := context.WithCancel(ctx)
	var done sync.WaitGroup
	var watched error
	done.Go(func() { watched = o.watch(watch) })
	err := measured()
	stop()
	done.Wait()
	return errors.Join(err, watched)
}

// consoleRounds is how often an upload is timed with the console closed and
// open, in turns: what is looked for is smaller than what else the machine does.
const consoleRounds = 9

// consoleOpen compares uploads while the console's pages are open with uploads
// while they are not: one large file, and many small ones.
func (b *bench) consoleOpen(ctx context.Context) error {
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	err = b.inPlace(ctx, "memory", b.memory, func(ctx context.Context, l *large) error {
		o, err := operatorOf(ctx, l.core.dir, addr)
		if err != nil {
			return err
		}
		var times, cpus [2][]float64
		for range consoleRounds {
			for i := range 2 {
				before, err := l.core.cpu()
				if err != nil {
					return err
				}
				var took time.Duration
				backup := func() (err error) {
					took, err = l.coffer(ctx, "backup", l.file, "--no-seal")
					return err
				}
				if i == 0 {
					err = backup()
				} else {
					err = o.watching(ctx, backup)
				}
				if err != nil {
					return err
				}
				after, err := l.core.cpu()
				if err != nil {
					return err
				}
				times[i], cpus[i] = append(times[i], took.Seconds()), append(cpus[i], (after-before).Seconds())
			}
		}
		b.report("backup with the console closed, memory", float64(b.size)/median(times[0])/1e6, "MB/s")
		b.report("backup with the console open / closed, memory", median(times[0])/median(times[1]), "ratio")
		b.report("the core's processor time for it with the console open / closed", median(cpus[1])/median(cpus[0]), "ratio")
		return nil
	}, "--console-listen", addr)
	if err != nil {
		return err
	}

	var rates, cpus [2][]float64
	for range 5 {
		for i := range 2 {
			rate, cpu, err := b.commitSmallIn(ctx, func(c *core, commit func() error) error {
				if i == 0 {
					return commit()
				}
				o, err := operatorOf(ctx, c.dir, addr)
				if err != nil {
					return err
				}
				return o.watching(ctx, commit)
			}, "--console-listen", addr)
			if err != nil {
				return err
			}
			rates[i], cpus[i] = append(rates[i], rate), append(cpus[i], cpu.Seconds())
		}
	}
	b.report("4 KiB files committed with the console open / closed", median(rates[1])/median(rates[0]), "ratio")
	b.report("the core's processor time a file with the console open / closed", median(cpus[1])/median(cpus[0]), "ratio")
	return nil
}

// filesEach is how many files each client of a large catalog has.
const filesEach = 10

// consolePages times what the console's pages ask for, of a server with a
// large catalog.
func (b *bench) consolePages(ctx context.Context) (err error) {
	dir := filepath.Join(b.tmp, "pages")
	defer os.RemoveAll(dir)
	clients := b.rows / filesEach
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := fillClients(ctx, filepath.Join(dir, "defensive.db"), clients); err != nil {
		return err
	}
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	// The catalog is not a fresh one, so it has to have a master key.
	if err := os.WriteFile(filepath.Join(dir, "master.key"), []byte(strings.Repeat("01", 32)+"\n"), 0o600); err != nil {
		return err
	}
	core, err := b.start(ctx, dir, "--console-listen", addr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, core.stop()) }()
	o, err := operatorOf(ctx, dir, addr)
	if err != nil {
		return err
	}
	name := url.PathEscape(clientName(clients / 2))
	for _, page := range []struct {
		name  string
		paths []string
	}{
		{"dashboard", []string{"/api/stats", "/api/history", "/api/history?window=day", "/api/activities"}},
		{"clients, by name", []string{"/api/clients?sort=name"}},
		{"clients, last seen first", []string{"/api/clients?sort=last_seen&descending=true"}},
		{"clients, most files first", []string{"/api/clients?sort=files&descending=true"}},
		{"clients, most bytes first", []string{"/api/clients?sort=bytes&descending=true"}},
		{"clients, the last page", []string{fmt.Sprintf("/api/clients?sort=created&offset=%d", clients-50)}},
		{"clients, searched", []string{"/api/clients?search=" + fmt.Sprint(clients/2)}},
		{"clients, searched in vain", []string{"/api/clients?search=nobody"}},
		{"a client", []string{"/api/clients/" + name, "/api/clients/" + name + "/files", "/api/activities?client=" + name}},
		{"activities, of one kind", []string{"/api/activities?kind=removal&kind=mismatch"}},
		{"transfers", []string{"/api/transfers"}},
		{"storage", []string{"/api/storage", "/api/scrub", "/api/backups"}},
		{"logs", []string{"/api/logs?level=debug&text=nothing"}},
		{"settings", []string{"/api/settings", "/api/backups"}},
		{"failures", []string{"/api/failures"}},
		{"metrics", []string{"/metrics"}},
	} {
		var times []time.Duration
		for range 21 {
			began := time.Now()
			for _, path := range page.paths {
				if _, err := o.get(ctx, path); err != nil {
					return err
				}
			}
			times = append(times, time.Since(began))
		}
		slices.Sort(times)
		b.report(fmt.Sprintf("%s, of %d clients with %d files", page.name, clients, clients*filesEach), times[len(times)/2].Seconds()*1e3, "ms")
		b.report("  the slowest of 21", times[len(times)-1].Seconds()*1e3, "ms")
	}
	var stats struct{ Clients, Files int }
	text, err := o.get(ctx, "/api/stats")
	if err == nil {
		err = json.Unmarshal(text, &stats)
	}
	if err == nil && (stats.Clients != clients || stats.Files != clients*filesEach) {
		err = fmt.Errorf("the console tells of %+v", stats)
	}
	return err
}

func clientName(i int) string { return fmt.Sprintf("client %07d", i) }

// fillClients makes a catalog of clients with files, and a full history of
// activities.
func fillClients(ctx context.Context, path string, clients int) error {
	catalog, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	now := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	const workers = 256 // so that commits are shared
	for w := range workers {
		group.Go(func() error {
			for i := w; i < clients; i += workers {
				c := store.Client{Name: clientName(i), Kind: "api_client", OAEPHash: "sha256", Created: now, LastSeen: now.Add(-time.Duration(i) * time.Second)}
				binary.BigEndian.PutUint64(c.ID[:], uint64(i)+1)
				if err := catalog.AddClient(ctx, c); err != nil {
					return err
				}
				for n := range filesEach {
					v := store.Version{Number: 1, Verified: true, Created: now, Blob: store.BlobRef(fmt.Sprintf("packs/00000001.pack@%d", i*filesEach+n))}
					v.Client, v.Name, v.OAEPHash, v.Size, v.Received = c.ID, fmt.Sprintf("folder/file %d", n), "sha256", int64(i%1000), now
					v.WrappedKey = make([]byte, 256)
					if err := catalog.AddVersion(ctx, v); err != nil {
						return err
					}
				}
				catalog.NoteActivity(store.Activity{At: now, Kind: store.ActivityUpload, Outcome: store.OutcomeOK, Client: c.ID, Name: c.Name, File: "folder/file 0", Version: 1})
			}
			return nil
		})
	}
	return errors.Join(group.Wait(), catalog.Close())
}
