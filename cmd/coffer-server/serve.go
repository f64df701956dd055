package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/encoding/htmlindex"

	"github.com/dustin/go-humanize"

	"coffer/protocol"
	"coffer/server"
)

// serveCmd serves clients until it is told to stop.
type serveCmd struct {
	dataFlags
	logFlags

	Listen         string        `help:"Address for clients. Default :1256, or the port in the file port.info." placeholder:":1256"`
	InternalListen string        `help:"Address for the gateway; empty turns it off." default:"127.0.0.1:1257"`
	SessionTTL     time.Duration `name:"session-ttl" help:"A session ends after so long without a request." default:"10m"`
	UploadTTL      time.Duration `name:"upload-ttl" help:"An unfinished upload is dropped after so long." default:"24h"`
	IdleTimeout    time.Duration `help:"A connection is closed after so long without a complete header." default:"60s"`
	RetryAckAfter  time.Duration `help:"Silence after a 1030 that earns it a 1604." default:"2s"`
	MaxConnections int           `help:"Most connections of clients at once." default:"4096"`
	MaxPacket      byteSize      `help:"Largest payload of a packet, at most 4GiB." default:"4GiB"`
	MinRate        byteSize      `help:"Bytes per second that a payload must keep up, once the idle timeout has passed." default:"1KiB"`
	KeepVersions   int           `help:"Versions kept of each file; 0 keeps all." default:"5"`
	OAEPHash       string        `name:"oaep-hash" help:"Hash for wrapping session keys; auto is SHA-1 for a 160-byte key, else SHA-256." enum:"auto,sha256,sha1" default:"auto"`
	Registration   string        `help:"Whether new clients may register." enum:"open,closed" default:"open"`
	LegacyCharset  string        `help:"Charset of names that are not UTF-8." default:"windows-1252"`
	MinFree        byteSize      `help:"Free space below which new uploads are refused." default:"1GiB"`
	TLSCert        string        `name:"tls-cert" help:"Certificate chain, PEM; with --tls-key both listeners speak TLS." placeholder:"FILE"`
	TLSKey         string        `name:"tls-key" help:"The certificate's private key, PEM." placeholder:"FILE"`
}

// byteSize is a number of bytes, written like 4096, 16MiB or 1GiB.
type byteSize uint64

// UnmarshalText parses a size.
func (b *byteSize) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	*b = byteSize(n)
	return err
}

// logFlags say how to log.
type logFlags struct {
	LogFormat string `help:"Log format." enum:"text,json" default:"text"`
	LogLevel  string `help:"Least severe records to log." enum:"debug,info,warn,error" default:"info"`
}

func (l logFlags) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.LogLevel)); err != nil {
		level = slog.LevelInfo // the flag's enum leaves no other
	}
	opts := &slog.HandlerOptions{Level: level}
	if l.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// Validate checks what flags mean together.
func (cmd *serveCmd) Validate() error {
	switch {
	case (cmd.TLSCert == "") != (cmd.TLSKey == ""):
		return errors.New("--tls-cert and --tls-key go together")
	case cmd.MaxPacket < 64<<10 || cmd.MaxPacket > 4<<30:
		return errors.New("--max-packet: from 64KiB to 4GiB")
	case cmd.MinRate == 0:
		return errors.New("--min-rate: at least 1")
	case cmd.KeepVersions < 0:
		return errors.New("--keep-versions: not negative")
	case cmd.MaxConnections < 1:
		return errors.New("--max-connections: at least 1")
	case cmd.SessionTTL <= 0 || cmd.UploadTTL <= 0 || cmd.IdleTimeout <= 0 || cmd.RetryAckAfter <= 0:
		return errors.New("times must be positive")
	}
	if _, err := htmlindex.Get(cmd.LegacyCharset); err != nil {
		return fmt.Errorf("--legacy-charset %q: unknown", cmd.LegacyCharset)
	}
	return nil
}

// Run serves.
func (cmd *serveCmd) Run(ctx context.Context, out output) error {
	log := cmd.logger(out.err)
	d, err := cmd.open(ctx, log)
	if err != nil {
		return err
	}
	err = cmd.serve(ctx, log, d)
	return errors.Join(err, d.close())
}

func (cmd *serveCmd) serve(ctx context.Context, log *slog.Logger, d *data) error {
	charset, err := htmlindex.Get(cmd.LegacyCharset)
	if err != nil {
		return usageError{fmt.Errorf("--legacy-charset: %w", err)}
	}
	space := server.NewSpace(uint64(cmd.MinFree), d.blobs.Space, d.path("reserve"), log)
	d.onFull(space.Full)

	cfg := server.DefaultConfig()
	cfg.Catalog, cfg.Blobs, cfg.MasterKey, cfg.Log, cfg.Space = d.catalog, d.blobs, d.masterKey, log, space
	cfg.SessionTTL, cfg.UploadTTL = cmd.SessionTTL, cmd.UploadTTL
	cfg.IdleTimeout, cfg.RetryAckAfter = cmd.IdleTimeout, cmd.RetryAckAfter
	cfg.MaxConnections, cfg.KeepVersions = cmd.MaxConnections, cmd.KeepVersions
	cfg.MaxPacket = uint32(min(cmd.MaxPacket, protocol.MaxPayload))
	cfg.MinRate = int(cmd.MinRate)
	cfg.OAEPHash, cfg.RegistrationOpen = cmd.OAEPHash, cmd.Registration == "open"
	cfg.LegacyCharset, cfg.Version = charset, version
	s, err := server.New(ctx, cfg)
	if err != nil {
		return err
	}

	public, internal, err := cmd.listen(ctx, log)
	if err != nil {
		return err
	}
	log.Info("serving", "version", version, "listen", public.Addr().String(), "internal", address(internal), "data", cmd.Data, "tls", cmd.TLSCert != "")

	var watching sync.WaitGroup
	watch, stop := context.WithCancel(ctx)
	watching.Go(func() { space.Watch(watch, 500*time.Millisecond) })
	err = s.Serve(ctx, public, internal)
	stop()
	watching.Wait()
	log.Info("stopped")
	return err
}

func address(l net.Listener) string {
	if l == nil {
		return "off"
	}
	return l.Addr().String()
}

// listen opens both listeners, or none.
func (cmd *serveCmd) listen(ctx context.Context, log *slog.Logger) (public, internal net.Listener, err error) {
	addr := cmd.Listen
	if addr == "" {
		addr = net.JoinHostPort("", strconv.Itoa(defaultPort("port.info", log)))
	}
	var lc net.ListenConfig
	if public, err = lc.Listen(ctx, "tcp", addr); err != nil {
		return nil, nil, fmt.Errorf("listening for clients: %w", err)
	}
	if cmd.InternalListen != "" {
		if internal, err = lc.Listen(ctx, "tcp", cmd.InternalListen); err != nil {
			public.Close()
			return nil, nil, fmt.Errorf("listening for the gateway: %w", err)
		}
	}
	if cmd.TLSCert == "" {
		return public, internal, nil
	}
	cert, err := tls.LoadX509KeyPair(cmd.TLSCert, cmd.TLSKey)
	if err != nil {
		public.Close()
		if internal != nil {
			internal.Close()
		}
		return nil, nil, fmt.Errorf("reading the certificate: %w", err)
	}
	conf := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	public = tls.NewListener(public, conf)
	if internal != nil {
		internal = tls.NewListener(internal, conf)
	}
	return public, internal, nil
}

// defaultPort is the port that file says, in one line, or the protocol's.
func defaultPort(file string, log *slog.Logger) int {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		log.Warn("no port.info; using the default port", "port", protocol.DefaultPort)
		return protocol.DefaultPort
	}
	if err == nil {
		var port int
		if port, err = strconv.Atoi(strings.TrimSpace(string(text))); err == nil && port > 0 && port < 1<<16 {
			return port
		}
		err = errors.New("not one line with a port from 1 to 65535")
	}
	log.Warn("port.info is of no use; using the default port", "port", protocol.DefaultPort, "error", err)
	return protocol.DefaultPort
}
