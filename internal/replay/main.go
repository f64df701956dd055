// Command replay records what a client and a server say to each other, and
// converts a recording into an exchange from which a test is made: see
// docs/compatibility.md for the format.
//
//	replay --listen 127.0.0.1:1300 --server HOST:1256 > recording.txt
//	replay --convert recording.txt --key client.pem --key-name NAME > exchange.txt
//
// It serves one connection and ends. A recording has everything that was said,
// the client's id and name included: keep it as private as they are.
package main

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
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
	recording := flags.String("convert", "", "a recording to convert, in place of making one")
	key := flags.String("key", "", "with --convert: the client's private key, PEM")
	name := flags.String("key-name", "", "with --convert: what the key is called in server/testdata")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *recording != "" {
		return convert(out, *recording, *key, *name)
	}
	return record(ctx, out, log, *listen, *server)
}

func convert(out io.Writer, recording, keyFile, name string) error {
	if keyFile == "" || name == "" {
		return errors.New("--convert needs --key and --key-name")
	}
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	key, err := parseKey(text)
	if err != nil {
		return fmt.Errorf("%s: %w", keyFile, err)
	}
	f, err := os.Open(recording)
	if err != nil {
		return err
	}
	defer f.Close()
	steps, err := exchange.Parse(f)
	if err != nil {
		return err
	}
	return exchange.Convert(out, steps, key, name)
}

func parseKey(text []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("not PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("not an RSA private key")
	}
	return key, nil
}

func record(ctx context.Context, out, log io.Writer, listen, server string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
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
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", server)
	if err != nil {
		client.Close()
		return err
	}
	defer context.AfterFunc(ctx, func() { client.Close(); conn.Close() })()
	r := exchange.NewRecorder(out)
	exchange.Proxy(client.(*net.TCPConn), conn.(*net.TCPConn), r)
	return r.Err()
}
