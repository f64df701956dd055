// Command bench measures the built programs as a whole and prints ratios of
// what it measured in the same run: machines differ, and are noisy. It is what
// make bench runs.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"text/tabwriter"
)

// A figure is one result.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// bench is what a measurement works with.
type bench struct {
	bin    string // folder of the built programs
	tmp    string // folder on disk, removed at the end
	memory string // folder in memory, removed at the end
	size   int64  // bytes of a large file
	many   int64  // bytes of each of the 64 uploads at once
	rows   int    // files in a large catalog
	web    int64  // bytes of each of 32 uploads at once through the gateway

	figures []figure
}

func (b *bench) report(name string, value float64, unit string) {
	b.figures = append(b.figures, figure{name, value, unit})
	fmt.Fprintf(os.Stderr, "%s: %.4g %s\n", name, value, unit)
}

func main() {
	var b bench
	flag.StringVar(&b.bin, "bin", "bin", "folder of the built programs")
	flag.Int64Var(&b.size, "size", 1<<30, "bytes of a large file")
	flag.Int64Var(&b.many, "many", 1<<30, "bytes of each of 64 uploads at once")
	flag.IntVar(&b.rows, "rows", 1_000_000, "files in a large catalog")
	flag.Int64Var(&b.web, "web", 256<<20, "bytes of each of 32 uploads at once through the gateway")
	run := flag.String("run", ".", "measurements to run, a regular expression")
	out := flag.String("json", "", "file for the figures as JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.main(ctx, *run, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) main(ctx context.Context, run, out string) (err error) {
	want, err := regexp.Compile(run)
	if err != nil {
		return err
	}
	if b.bin, err = filepath.Abs(b.bin); err != nil {
		return err
	}
	if b.tmp, err = os.MkdirTemp("", "coffer-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.tmp)
	if b.memory, err = os.MkdirTemp("/dev/shm", "coffer-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.memory)
	for _, m := range []struct {
		name    string
		measure func(context.Context) error
	}{
		{"upload", b.upload},
		{"packet", b.onePacket},
		{"many", b.manyPackets},
		{"small", b.smallFiles},
		{"activities", b.activities},
		{"console", b.consoleOpen},
		{"pages", b.consolePages},
		{"idle", b.idleConnections},
		{"catalog", b.largeCatalog},
		{"gateway", b.gatewayUploads},
		{"status", b.gatewayStatus},
		{"web", b.gatewayMemory},
		{"cpp", b.cppUpload},
	} {
		if !want.MatchString(m.name) {
			continue
		}
		if err := m.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	tw := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, f := range b.figures {
		fmt.Fprintf(tw, "%s\t%.4g\t%s\n", f.Name, f.Value, f.Unit)
	}
	if err := tw.Flush(); err != nil || out == "" {
		return err
	}
	text, err := json.MarshalIndent(b.figures, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(text, '\n'), 0o644)
}
