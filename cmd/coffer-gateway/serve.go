package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"coffer/api"
	"coffer/internal/program"
	"coffer/protocol"
	"coffer/web"
)

// serveCmd serves the API until it is told to stop.
type serveCmd struct {
	program.LogFlags `envprefix:"COFFER_GATEWAY_"`
	program.TLSFlags `envprefix:"COFFER_GATEWAY_"`
	secretFlags

	Listen    string           `help:"Address for HTTP." default:":5000" env:"COFFER_GATEWAY_LISTEN"`
	MaxPacket program.ByteSize `help:"Largest content of a packet." default:"16MiB" env:"COFFER_GATEWAY_MAX_PACKET"`

	Core        string        `help:"The core's internal address." default:"127.0.0.1:1257" env:"COFFER_GATEWAY_CORE" placeholder:"HOST:PORT"`
	CoreTLS     bool          `name:"core-tls" help:"Speak TLS to the core." env:"COFFER_GATEWAY_CORE_TLS"`
	CoreCA      string        `name:"core-ca" help:"Certificates to trust the core by, PEM; default: the system's." env:"COFFER_GATEWAY_CORE_CA" type:"filename" placeholder:"FILE"`
	CoreConns   int           `help:"Most connections to the core." default:"32" env:"COFFER_GATEWAY_CORE_CONNS"`
	CoreWait    time.Duration `help:"How long a call waits for a free connection to the core." default:"5s" env:"COFFER_GATEWAY_CORE_WAIT"`
	CoreTimeout time.Duration `help:"How long the core may stand still." default:"30s" env:"COFFER_GATEWAY_CORE_TIMEOUT"`

	TokenTTL       time.Duration  `name:"token-ttl" help:"How long a session token is good." default:"1h" env:"COFFER_GATEWAY_TOKEN_TTL"`
	CORSOrigins    []string       `name:"cors-origins" help:"Origins that may call from a browser." default:"*" env:"COFFER_GATEWAY_CORS_ORIGINS"`
	TrustedProxies []netip.Prefix `help:"Networks whose X-Forwarded-For counts." env:"COFFER_GATEWAY_TRUSTED_PROXIES" placeholder:"CIDR"`
	Rate           float64        `help:"Calls a second from one address." default:"200" env:"COFFER_GATEWAY_RATE"`
	RateBurst      int            `help:"Calls at once from one address." default:"400" env:"COFFER_GATEWAY_RATE_BURST"`
	AuthRate       float64        `help:"Sign-ins and registrations a second from one address, and with one username." default:"5" env:"COFFER_GATEWAY_AUTH_RATE"`
	AuthBurst      int            `help:"The same, at once." default:"20" env:"COFFER_GATEWAY_AUTH_BURST"`
	BodyTimeout    time.Duration  `help:"How long a body may stand still." default:"30s" env:"COFFER_GATEWAY_BODY_TIMEOUT"`
	DrainDelay     time.Duration  `help:"How long to serve on at the end, while /readyz says 503, so that balancers notice." default:"0s" env:"COFFER_GATEWAY_DRAIN_DELAY"`
	DrainTimeout   time.Duration  `help:"How long calls in flight may take at the end." default:"15s" env:"COFFER_GATEWAY_DRAIN_TIMEOUT"`
}

// Validate checks what flags mean together.
func (cmd *serveCmd) Validate() error {
	if err := cmd.TLSFlags.Check(); err != nil {
		return err
	}
	switch {
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
	case cmd.DrainDelay < 0:
		return errors.New("--drain-delay: not negative")
	case cmd.TokenTTL < time.Second || cmd.TokenTTL > protocol.MaxTokenTTL:
		return errors.New("--token-ttl: from 1s to 720h")
	}
	return nil
}

// Run serves.
func (cmd *serveCmd) Run(ctx context.Context, std program.Streams) error {
	log := cmd.Logger(std)
	cfg := api.DefaultConfig()
	cfg.Web = web.Client()
	cfg.Log, cfg.Core, cfg.CoreConns = log, cmd.Core, cmd.CoreConns
	cfg.CoreWait, cfg.CoreTimeout = cmd.CoreWait, cmd.CoreTimeout
	cfg.TokenTTL, cfg.BodyTimeout = cmd.TokenTTL, cmd.BodyTimeout
	cfg.DrainDelay, cfg.DrainTimeout = cmd.DrainDelay, cmd.DrainTimeout
	cfg.MaxPacket, cfg.CORSOrigins, cfg.TrustedProxies = int64(cmd.MaxPacket), cmd.CORSOrigins, cmd.TrustedProxies
	cfg.Rate = api.Rate{PerSecond: cmd.Rate, Burst: cmd.RateBurst}
	cfg.AuthRate = api.Rate{PerSecond: cmd.AuthRate, Burst: cmd.AuthBurst}
	var err error
	if cfg.Secret, err = cmd.secret(log); err != nil {
		return err
	}
	if cfg.TLS, err = cmd.ServerTLS(); err != nil {
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
	l, err := program.Listen(ctx, cmd.Listen, "HTTP")
	if err != nil {
		return err
	}
	log.Info("serving", "version", version, "listen", l.Addr().String(), "core", cmd.Core, "tls", cfg.TLS != nil)
	err = g.Serve(ctx, l)
	log.Info("stopped")
	return err
}

// coreTLS is nil if the core is reached by plain TCP.
func (cmd *serveCmd) coreTLS() (*tls.Config, error) {
	if !cmd.CoreTLS {
		return nil, nil
	}
	host, _, err := net.SplitHostPort(cmd.Core)
	if err != nil {
		return nil, fmt.Errorf("%w: --core: %w", program.ErrUsage, err)
	}
	var pem []byte
	if cmd.CoreCA != "" {
		if pem, err = os.ReadFile(cmd.CoreCA); err != nil {
			return nil, fmt.Errorf("reading --core-ca: %w", err)
		}
	}
	conf, err := program.ClientTLS(pem)
	if err != nil {
		return nil, fmt.Errorf("%w: --core-ca: %w", program.ErrUsage, err)
	}
	conf.ServerName = host
	return conf, nil
}
