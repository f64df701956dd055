// Command replay records what a client and a server say to each other, in the
// format of docs/compatibility.md, from which a test is made.
//
//	replay --listen 127.0.0.1:1300 --server HOST:1256 > exchange.txt
//
// It serves one connection and ends. A recording has everything that was said,
// the client's id and name included: keep it as private as they are until they
// are replaced by directives.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"

	"coffer/internal/replay/exchange"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	flags.SetOutput(log)
	listen := flags.String("listen", "127.0.0.1:1300", "where the client connects")
	server := flags.String("server", "127.0.0.1:1256", "where the server is")
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(log, "waiting for a client at %s\n", l.Addr())
	defer context.AfterFunc(ctx, func() { l.Close() })()
	client, err := l.Accept()
	l.Close()
	if err != nil {
		return err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", *server)
	if err != nil {
		client.Close()
		return err
	}
	defer context.AfterFunc(ctx, func() { client.Close(); conn.Close() })()
	r := exchange.NewRecorder(out)
	exchange.Proxy(client.(*net.TCPConn), conn.(*net.TCPConn), r)
	return r.Err()
}
