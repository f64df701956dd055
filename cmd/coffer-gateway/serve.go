package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"time"

	"coffer/api"
	"coffer/internal/program"
	"coffer/internal/quantity"
	"coffer/protocol"
	"coffer/web"
)

// serveCmd serves the API until it is told to stop.
type serveCmd struct {
	program.LogFlags `envprefix:"COFFER_GATEWAY_"`
	program.TLSFlags `envprefix:"COFFER_GATEWAY_"`
	secretFlags
	coreSecretFlags

	Listen    string         `help:"Address to listen on for HTTP." default:":5000" env:"COFFER_GATEWAY_LISTEN"`
	MaxPacket quantity.Bytes `help:"Maximum content of a packet." default:"16MiB" env:"COFFER_GATEWAY_MAX_PACKET"`

	MaxSpool quantity.Bytes `help:"Maximum bytes of packets, over all callers, held until their destination is known. Default: 256MiB, or --max-packet if that is larger." placeholder:"256MiB" env:"COFFER_GATEWAY_MAX_SPOOL"`

	Core        string        `help:"Internal address of the core: host:port or unix:PATH. The default, auto, is a core in the same folder: unix:./data/core.sock, or 127.0.0.1:1257 on Windows." default:"auto" env:"COFFER_GATEWAY_CORE" placeholder:"ADDRESS"`
	CoreTLS     bool          `name:"core-tls" help:"Use TLS to the core. The core secret authenticates it, whatever its certificate." env:"COFFER_GATEWAY_CORE_TLS"`
	CoreCA      string        `name:"core-ca" help:"CA certificates (PEM) that must also have signed the core's certificate." env:"COFFER_GATEWAY_CORE_CA" type:"filename" placeholder:"FILE"`
	CoreConns   int           `help:"Maximum number of connections to the core." default:"32" env:"COFFER_GATEWAY_CORE_CONNS"`
	CoreWait    time.Duration `help:"Maximum time a call waits for a free connection to the core." default:"5s" env:"COFFER_GATEWAY_CORE_WAIT"`
	CoreTimeout time.Duration `help:"Maximum time without progress from the core." default:"30s" env:"COFFER_GATEWAY_CORE_TIMEOUT"`

	TokenTTL       time.Duration  `name:"token-ttl" help:"Lifetime of a session token." default:"1h" env:"COFFER_GATEWAY_TOKEN_TTL"`
	CORSOrigins    []string       `name:"cors-origins" help:"Other origins that browsers may call from; * for all. Default: only the gateway's own." placeholder:"ORIGIN" env:"COFFER_GATEWAY_CORS_ORIGINS"`
	TrustedProxies []netip.Prefix `help:"Networks of proxies whose X-Forwarded-For header is trusted." env:"COFFER_GATEWAY_TRUSTED_PROXIES" placeholder:"CIDR"`
	StatusNetworks []netip.Prefix `help:"Networks that may read /metrics and the figures of /api/v1/status; others only learn whether the server works. Default: everyone." env:"COFFER_GATEWAY_STATUS_NETWORKS" placeholder:"CIDR"`
	Rate           float64        `help:"Maximum calls per second from one address." default:"200" env:"COFFER_GATEWAY_RATE"`
	RateBurst      int            `help:"Maximum burst of calls from one address." default:"400" env:"COFFER_GATEWAY_RATE_BURST"`
	AuthRate       float64        `help:"Maximum sign-ins and registrations per second, from one address and for one username." default:"5" env:"COFFER_GATEWAY_AUTH_RATE"`
	AuthBurst      int            `help:"Maximum burst of sign-ins and registrations." default:"20" env:"COFFER_GATEWAY_AUTH_BURST"`
	AddressCalls   int            `help:"Maximum concurrent calls from one address." default:"256" env:"COFFER_GATEWAY_ADDRESS_CALLS"`
	AccountCalls   int            `help:"Maximum concurrent calls for one account." default:"64" env:"COFFER_GATEWAY_ACCOUNT_CALLS"`
	BodyTimeout    time.Duration  `help:"Maximum time without progress while a body is read." default:"30s" env:"COFFER_GATEWAY_BODY_TIMEOUT"`
	DrainDelay     time.Duration  `help:"How long to keep serving on shutdown while /readyz returns 503, so that load balancers notice." default:"0s" env:"COFFER_GATEWAY_DRAIN_DELAY"`
	DrainTimeout   time.Duration  `help:"Maximum time for calls in flight to finish on shutdown." default:"15s" env:"COFFER_GATEWAY_DRAIN_TIMEOUT"`
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
	case cmd.MaxSpool != 0 && (cmd.MaxSpool < cmd.MaxPacket || cmd.MaxSpool > 1<<40):
		return errors.New("--max-spool: from --max-packet to 1TiB")
	case cmd.AddressCalls < 1 || cmd.AccountCalls < 1:
		return errors.New("--address-calls, --account-calls: at least 1")
	case cmd.CoreConns < 1 || cmd.CoreConns > 1<<16:
		return errors.New("--core-conns: from 1 to 65536")
	case cmd.Rate <= 0 || cmd.AuthRate <= 0 || cmd.RateBurst < 1 || cmd.AuthBurst < 1:
		return errors.New("--rate, --rate-burst, --auth-rate, --auth-burst: must be positive")
	case cmd.CoreWait <= 0 || cmd.CoreTimeout <= 0 || cmd.BodyTimeout <= 0 || cmd.DrainTimeout <= 0:
		return errors.New("times must be positive")
	case cmd.DrainDelay < 0:
		return errors.New("--drain-delay: must not be negative")
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
	cfg.Log, cfg.Core, cfg.CoreConns = log, cmd.coreAddress(), cmd.CoreConns
	cfg.CoreWait, cfg.CoreTimeout = cmd.CoreWait, cmd.CoreTimeout
	cfg.TokenTTL, cfg.BodyTimeout = cmd.TokenTTL, cmd.BodyTimeout
	cfg.DrainDelay, cfg.DrainTimeout = cmd.DrainDelay, cmd.DrainTimeout
	cfg.MaxPacket, cfg.CORSOrigins, cfg.TrustedProxies = int64(cmd.MaxPacket), cmd.CORSOrigins, cmd.TrustedProxies
	cfg.StatusNetworks = cmd.StatusNetworks
	cfg.AddressCalls, cfg.AccountCalls = cmd.AddressCalls, cmd.AccountCalls
	cfg.MaxSpool = max(cfg.MaxSpool, cfg.MaxPacket)
	if cmd.MaxSpool != 0 {
		cfg.MaxSpool = int64(cmd.MaxSpool)
	}
	cfg.Rate = api.Rate{PerSecond: cmd.Rate, Burst: cmd.RateBurst}
	cfg.AuthRate = api.Rate{PerSecond: cmd.AuthRate, Burst: cmd.AuthBurst}
	var err error
	if cfg.Secret, err = cmd.secret(log); err != nil {
		return err
	}
	if cfg.CoreSecret, err = cmd.coreSecret(); err != nil {
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
	log.Info("serving", "version", version, "listen", l.Addr().String(), "core", cfg.Core, "tls", cfg.TLS != nil)
	err = g.Serve(ctx, l)
	log.Info("stopped")
	return err
}

// coreAddress is where the core's internal listener is.
func (cmd *serveCmd) coreAddress() string {
	switch {
	case cmd.Core != "auto":
		return cmd.Core
	case runtime.GOOS == "windows":
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(protocol.DefaultInternalPort))
	default:
		return "unix:./data/core.sock"
	}
}

// coreTLS is nil if the core is reached without TLS. Both sides prove over the
// very connection that they know the core secret: who made the core's
// certificate does not matter, unless the operator says so.
func (cmd *serveCmd) coreTLS() (*tls.Config, error) {
	if !cmd.CoreTLS {
		return nil, nil
	}
	if cmd.CoreCA == "" {
		return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, nil
	}
	pem, err := os.ReadFile(cmd.CoreCA)
	if err != nil {
		return nil, fmt.Errorf("reading --core-ca: %w", err)
	}
	conf, err := program.ClientTLS(pem)
	if err != nil {
		return nil, fmt.Errorf("%w: --core-ca: %w", program.ErrUsage, err)
	}
	return conf, nil
}
