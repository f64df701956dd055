package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/text/encoding/htmlindex"

	"coffer/internal/program"
	"coffer/internal/quantity"
	"coffer/protocol"
	"coffer/server"
	"coffer/store/sqlite"
)

// serveCmd serves clients until it is told to stop.
type serveCmd struct {
	dataFlags
	program.LogFlags `envprefix:"COFFER_SERVER_"`
	program.TLSFlags `envprefix:"COFFER_SERVER_"`
	TLSOnly          bool `name:"tls-only" help:"Refuse clients without TLS, including deployed C++ clients." env:"COFFER_SERVER_TLS_ONLY"`
	consoleFlags
	settingFlags
	limitFlags
	internalFlags

	Listen        string         `help:"Address to listen on for clients. Default: :1256, or the port in the file port.info." placeholder:":1256" env:"COFFER_SERVER_LISTEN"`
	ProxyProtocol []trusted      `help:"Addresses and networks of proxies that send client addresses by the PROXY protocol." placeholder:"CIDR" env:"COFFER_SERVER_PROXY_PROTOCOL"`
	IdleTimeout   time.Duration  `help:"Time without a complete header after which a connection is closed." default:"60s" env:"COFFER_SERVER_IDLE_TIMEOUT"`
	RetryAckAfter time.Duration  `help:"Silence after a 1030 before it is answered with 1604." default:"2s" env:"COFFER_SERVER_RETRY_ACK_AFTER"`
	MaxPacket     quantity.Bytes `help:"Maximum payload of a packet, up to 4GiB." default:"4GiB" env:"COFFER_SERVER_MAX_PACKET"`
	MinRate       quantity.Bytes `help:"Minimum bytes per second of a payload, once the idle timeout has passed." default:"1KiB" env:"COFFER_SERVER_MIN_RATE"`
	OAEPHash      string         `name:"oaep-hash" help:"OAEP hash for wrapping session keys; auto is SHA-1 for a 160-byte key and SHA-256 otherwise." enum:"auto,sha256,sha1" default:"auto" env:"COFFER_SERVER_OAEP_HASH"`
	BaseSessions  string         `help:"Scope of a session key of the base protocol: the connection it was issued on, or the client on any connection." enum:"connection,client" default:"connection" env:"COFFER_SERVER_BASE_SESSIONS"`
	LegacyCharset string         `help:"Character set of names that are not UTF-8." default:"windows-1252" env:"COFFER_SERVER_LEGACY_CHARSET"`
	MinFree       quantity.Bytes `help:"Free disk space below which new uploads are refused." default:"1GiB" env:"COFFER_SERVER_MIN_FREE"`
	ConsoleHost   []string       `help:"Host names accepted by the console, besides localhost and its address." placeholder:"NAME" env:"COFFER_CONSOLE_HOST"`
	ActivityKeep  int            `help:"Number of activities to keep." default:"100000" env:"COFFER_SERVER_ACTIVITY_KEEP"`
}

// Validate checks what flags mean together.
func (cmd *serveCmd) Validate() error {
	if err := cmd.TLSFlags.Check(); err != nil {
		return err
	}
	if err := cmd.settingFlags.values().Check(); err != nil {
		return fmt.Errorf("--%w", err)
	}
	if err := cmd.limitFlags.check(); err != nil {
		return err
	}
	switch {
	case cmd.MaxPacket < 64<<10 || cmd.MaxPacket > 4<<30:
		return errors.New("--max-packet: from 64KiB to 4GiB")
	case cmd.MinRate == 0:
		return errors.New("--min-rate: at least 1")
	case cmd.IdleTimeout <= 0 || cmd.RetryAckAfter <= 0:
		return errors.New("times must be positive")
	case cmd.ActivityKeep < 0:
		return errors.New("--activity-keep: must not be negative")
	}
	if _, err := htmlindex.Get(cmd.LegacyCharset); err != nil {
		return fmt.Errorf("--legacy-charset %q: unknown", cmd.LegacyCharset)
	}
	return nil
}

// Run serves.
func (cmd *serveCmd) Run(ctx context.Context, std program.Streams, p program.Program, given *kong.Context) error {
	handler, level := cmd.Handler(std)
	op := &operator{cmd: cmd, std: std, flags: flagsOf(p, given)}
	if listens(cmd.ConsoleListen) {
		handler = op.records.Handler(handler)
	}
	log := slog.New(handler)
	d, err := cmd.open(ctx, log, sqlite.KeepActivities(cmd.ActivityKeep))
	if err != nil {
		return err
	}
	warnOfModes(d.folder, log)
	err = cmd.serve(ctx, log, level, d, op)
	return errors.Join(err, d.close())
}

func (cmd *serveCmd) serve(ctx context.Context, log *slog.Logger, level *slog.LevelVar, d *data, op *operator) error {
	charset, err := htmlindex.Get(cmd.LegacyCharset)
	if err != nil {
		return fmt.Errorf("%w: --legacy-charset: %w", program.ErrUsage, err)
	}
	space := server.NewSpace(uint64(cmd.MinFree), d.blobs.Space, d.path(reserveName), log)
	d.onFull(space.Full)
	space.OnLow(d.catalog.Brace)

	cfg := server.DefaultConfig()
	cfg.Catalog, cfg.Blobs, cfg.MasterKey, cfg.Log, cfg.Space = d.catalog, d.blobs, d.masterKey, log, space
	cfg.Values = cmd.settingFlags.values()
	cfg.IdleTimeout, cfg.RetryAckAfter = cmd.IdleTimeout, cmd.RetryAckAfter
	cmd.limitFlags.apply(&cfg)
	cfg.MaxPacket = uint32(min(cmd.MaxPacket, protocol.MaxPayload))
	cfg.MinRate = int(cmd.MinRate)
	cfg.OAEPHash = cmd.OAEPHash
	cfg.BaseSessions = server.BaseSessions(cmd.BaseSessions)
	cfg.LegacyCharset, cfg.Version, cfg.Level = charset, version, level
	if cmd.internalAddress(cmd.Data) != "" {
		if cfg.CoreSecret, err = cmd.secret(cmd.Data, log); err != nil {
			return err
		}
	}
	if cfg.TLS, err = cmd.clientTLS(log); err != nil {
		return err
	}
	cfg.TLSOnly = cmd.TLSOnly
	pin, err := pinOf(cfg.TLS)
	if err != nil {
		return err
	}
	cfg.BackupDir = d.path(backupsName)
	s, err := server.New(ctx, cfg)
	if err != nil {
		return err
	}

	public, internal, err := cmd.listen(ctx, log)
	if err != nil {
		return err
	}
	console, err := op.open(ctx, log, d, s, public)
	if err != nil {
		return errors.Join(err, closeAll(public, internal))
	}
	log.Info("serving", "version", version, "listen", public.Addr().String(), "internal", address(internal), "console", address(op.listener), "data", cmd.Data, "pin", pin)

	var beside sync.WaitGroup
	watch, stop := context.WithCancel(ctx)
	beside.Go(func() { space.Watch(watch, 500*time.Millisecond) })
	beside.Go(func() { op.serve(watch, log, console) })
	err = s.Serve(ctx, public, internal)
	stop()
	beside.Wait()
	log.Info("stopped")
	return err
}

func closeAll(listeners ...net.Listener) error {
	var err error
	for _, l := range listeners {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}
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
	if public, err = program.Listen(ctx, addr, "clients"); err != nil {
		return nil, nil, err
	}
	if len(cmd.ProxyProtocol) > 0 {
		public = &proxyListener{Listener: public, trusted: cmd.ProxyProtocol, patience: min(proxyHeaderTimeout, cmd.IdleTimeout), log: log}
	}
	if addr := cmd.internalAddress(cmd.Data); addr != "" {
		if internal, err = program.Listen(ctx, addr, "the gateway"); err != nil {
			return nil, nil, errors.Join(err, public.Close())
		}
	}
	return public, internal, nil
}

// defaultPort is the port that file says, in one line, or the protocol's.
func defaultPort(file string, log *slog.Logger) int {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		log.Info("no port.info, using the default port", "port", protocol.DefaultPort)
		return protocol.DefaultPort
	}
	if err == nil {
		var port int
		if port, err = strconv.Atoi(strings.TrimSpace(string(text))); err == nil && port > 0 && port < 1<<16 {
			return port
		}
		err = errors.New("not a single line with a port from 1 to 65535")
	}
	log.Warn("invalid port.info, using the default port", "port", protocol.DefaultPort, "error", err)
	return protocol.DefaultPort
}
