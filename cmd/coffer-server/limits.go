package main

import (
	"errors"
	"time"

	"coffer/server"
)

// limitFlags bound what a stranger can make the server hold. docs/security.md
// has them in a table.
type limitFlags struct {
	MaxPerAddress        int           `name:"max-connections-per-address" help:"Most connections from one IPv4 address or IPv6 /64; 0 is no limit." default:"256" env:"COFFER_SERVER_MAX_CONNECTIONS_PER_ADDRESS"`
	MaxPerAccount        int           `name:"max-connections-per-account" help:"Most connections that one account has proven; 0 is no limit." default:"64" env:"COFFER_SERVER_MAX_CONNECTIONS_PER_ACCOUNT"`
	MaxUploads           int           `name:"max-uploads" help:"Most unfinished uploads at once; 0 is no limit." default:"4096" env:"COFFER_SERVER_MAX_UPLOADS"`
	MaxUploadsPerAddress int           `name:"max-uploads-per-address" help:"Most of them that one IPv4 address or IPv6 /64 began; 0 is no limit." default:"512" env:"COFFER_SERVER_MAX_UPLOADS_PER_ADDRESS"`
	RegistrationRate     int           `help:"Clients that may register in an hour from one IPv4 address or IPv6 /64, on this port; 0 is no limit." default:"60" env:"COFFER_SERVER_REGISTRATION_RATE"`
	HeaderTimeout        time.Duration `help:"A request header that has begun to come has to be whole within it." default:"10s" env:"COFFER_SERVER_HEADER_TIMEOUT"`
	UnprovenTimeout      time.Duration `help:"A connection that proves nothing and stores nothing is closed after it; 0 is never." default:"5m" env:"COFFER_SERVER_UNPROVEN_TIMEOUT"`
}

func (f *limitFlags) check() error {
	switch {
	case f.MaxPerAddress < 0:
		return errors.New("--max-connections-per-address: not negative")
	case f.MaxPerAccount < 0:
		return errors.New("--max-connections-per-account: not negative")
	case f.MaxUploads < 0:
		return errors.New("--max-uploads: not negative")
	case f.MaxUploadsPerAddress < 0:
		return errors.New("--max-uploads-per-address: not negative")
	case f.RegistrationRate < 0:
		return errors.New("--registration-rate: not negative")
	case f.HeaderTimeout <= 0:
		return errors.New("--header-timeout: must be positive")
	case f.UnprovenTimeout < 0:
		return errors.New("--unproven-timeout: not negative")
	}
	return nil
}

func (f *limitFlags) apply(cfg *server.Config) {
	cfg.MaxPerAddress, cfg.MaxPerAccount = f.MaxPerAddress, f.MaxPerAccount
	cfg.MaxUploadsInAll, cfg.MaxUploadsPerAddress = f.MaxUploads, f.MaxUploadsPerAddress
	cfg.RegistrationRate = f.RegistrationRate
	cfg.HeaderTimeout, cfg.UnprovenTimeout = f.HeaderTimeout, f.UnprovenTimeout
}
