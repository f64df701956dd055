package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/dustin/go-humanize"

	"coffer/api"
	"coffer/protocol"
)

// serveCmd serves the API until it is told to stop.
type serveCmd struct {
	logFlags
	secretFlags

	Listen    string   `help:"Address for HTTP." default:":5000" env:"COFFER_GATEWAY_LISTEN"`
	TLSCert   string   `name:"tls-cert" help:"Certificate chain, PEM; with --tls-key the gateway speaks HTTPS." env:"COFFER_GATEWAY_TLS_CERT" placeholder:"FILE"`
	TLSKey    string   `name:"tls-key" help:"The certificate's private key, PEM." env:"COFFER_GATEWAY_TLS_KEY" placeholder:"FILE"`
	MaxPacket byteSize `help:"Largest content of a packet." default:"16MiB" env:"COFFER_GATEWAY_MAX_PACKET"`

	Core        string        `help:"The core's internal address." default:"127.0.0.1:1257" env:"COFFER_CORE" placeholder:"HOST:PORT"`
	CoreTLS     bool          `name:"core-tls" help:"Speak TLS to the core." env:"COFFER_CORE_TLS"`
	CoreCA      string        `name:"core-ca" help:"Certificates to trust the core by, PEM; default: the system's." env:"COFFER_CORE_CA" placeholder:"FILE"`
	CoreConns   int           `help:"Most connections to the core." default:"32" env:"COFFER_CORE_CONNS"`
	CoreWait    time.Duration `help:"How long a call waits for a free connection to the core." default:"5s" env:"COFFER_CORE_WAIT"`
	CoreTimeout time.Duration `help:"How long the core may stand still." default:"30s" env:"COFFER_CORE_TIMEOUT"`

	TokenTTL       time.Duration  `name:"token-ttl" help:"How long a session token is good." default:"1h" env:"COFFER_TOKEN_TTL"`
	CORSOrigins    []string       `name:"cors-origins" help:"Origins that may call from a browser." default:"*" env:"COFFER_CORS_ORIGINS"`
	TrustedProxies []netip.Prefix `help:"Networks whose X-Forwarded-For counts." env:"COFFER_TRUSTED_PROXIES" placeholder:"CIDR"`
	Rate           float64        `help:"Calls a second from one address." default:"200" env:"COFFER_RATE"`
	RateBurst      int            `help:"Calls at once from one address." default:"400" env:"COFFER_RATE_BURST"`
	AuthRate       float64        `help:"Sign-ins and registrations a second from one address, and with one username." default:"5" env:"COFFER_AUTH_RATE"`
	AuthBurst      int            `help:"The same, at once." default:"20" env:"COFFER_AUTH_BURST"`
	BodyTimeout    time.Duration  `help:"How long a body may stand still." default:"30s" env:"COFFER_BODY_TIMEOUT"`
	DrainTimeout   time.Duration  `help:"How long calls in flight may take at the end." default:"15s" env:"COFFER_GATEWAY_DRAIN_TIMEOUT"`
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
	LogFormat string `help:"Log format." enum:"text,json" default:"text" env:"COFFER_GATEWAY_LOG_FORMAT"`
	LogLevel  string `help:"Least severe records to log." enum:"debug,info,warn,error" default:"info" env:"COFFER_GATEWAY_LOG_LEVEL"`
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
	case cmd.CoreCA != "" && !cmd.CoreTLS:
		return errors.New("--core-ca needs --core-tls")
	case cmd.MaxPacket < 64<<10 || cmd.MaxPacket > protocol.MaxPayload-1<<10:
		return errors.New("--max-packet: from 64KiB to less than 4GiB")
	case cmd.CoreConns < 1 || cmd.CoreConns > 1<<16:
		return errors.New("--core-conns: from 1 to 65536")
	case cmd.Rate <= 0 || cmd.AuthRate <= 0 || cmd.RateBurst < 1 || cmd.AuthBurst < 1:
		return errors.New("rates must be positive")
	case cmd.CoreWait <= 0 || cmd.CoreTimeout <= 0 || cmd.BodyTimeout <= 0 || cmd.DrainTimeout <= 0:
		return errors.New("times must be positive")
	case cmd.TokenTTL < time.Second:
		return errors.New("--token-ttl: at least 1s")
	}
	return nil
}

// Run serves.
func (cmd *serveCmd) Run(ctx context.Context, out output) error {
	log := cmd.logger(out.err)
	cfg := api.DefaultConfig()
	cfg.Log, cfg.Core, cfg.CoreConns = log, cmd.Core, cmd.CoreConns
	cfg.CoreWait, cfg.CoreTimeout = cmd.CoreWait, cmd.CoreTimeout
	cfg.TokenTTL, cfg.BodyTimeout, cfg.DrainTimeout = cmd.TokenTTL, cmd.BodyTimeout, cmd.DrainTimeout
	cfg.MaxPacket, cfg.CORSOrigins, cfg.TrustedProxies = int64(cmd.MaxPacket), cmd.CORSOrigins, cmd.TrustedProxies
	cfg.Rate = api.Rate{PerSecond: cmd.Rate, Burst: cmd.RateBurst}
	cfg.AuthRate = api.Rate{PerSecond: cmd.AuthRate, Burst: cmd.AuthBurst}
	var err error
	if cfg.Secret, err = cmd.secret(log); err != nil {
		return err
	}
	if cfg.TLS, err = cmd.tls(); err != nil {
		return err
	}
	if cfg.CoreTLS, err = cmd.coreTLS(); err != nil {
		return err
	}
	g, err := api.New(cfg)
	if err != nil {
		return err
	}
	defer g.Close()
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cmd.Listen)
	if err != nil {
		return fmt.Errorf("listening for HTTP: %w", err)
	}
	log.Info("serving", "version", version, "listen", l.Addr().String(), "core", cmd.Core, "tls", cfg.TLS != nil)
	err = g.Serve(ctx, l)
	log.Info("stopped")
	return err
}

func (cmd *serveCmd) tls() (*tls.Config, error) {
	if cmd.TLSCert == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(cmd.TLSCert, cmd.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
}

func (cmd *serveCmd) coreTLS() (*tls.Config, error) {
	if !cmd.CoreTLS {
		return nil, nil
	}
	host, _, err := net.SplitHostPort(cmd.Core)
	if err != nil {
		return nil, usageError{fmt.Errorf("--core: %w", err)}
	}
	conf := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if cmd.CoreCA == "" {
		return conf, nil
	}
	pem, err := os.ReadFile(cmd.CoreCA)
	if err != nil {
		return nil, fmt.Errorf("reading --core-ca: %w", err)
	}
	conf.RootCAs = x509.NewCertPool()
	if !conf.RootCAs.AppendCertsFromPEM(pem) {
		return nil, usageError{errors.New("--core-ca: no certificate in it")}
	}
	return conf, nil
}
