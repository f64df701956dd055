package main

import (
	"errors"
	"time"

	"coffer/server"
)

// limitFlags bound what a stranger can make the server hold. docs/security.md
// has them in a table.
type limitFlags struct {
	MaxPerAddress        int           `name:"max-connections-per-address" help:"Maximum number of connections from one IPv4 address or IPv6 /64; 0 is no limit." default:"256" env:"COFFER_SERVER_MAX_CONNECTIONS_PER_ADDRESS"`
	MaxPerAccount        int           `name:"max-connections-per-account" help:"Maximum number of authenticated connections for one account; 0 is no limit." default:"64" env:"COFFER_SERVER_MAX_CONNECTIONS_PER_ACCOUNT"`
	MaxUploads           int           `name:"max-uploads" help:"Maximum number of unfinished uploads; 0 is no limit." default:"4096" env:"COFFER_SERVER_MAX_UPLOADS"`
	MaxUploadsPerAddress int           `name:"max-uploads-per-address" help:"Maximum number of unfinished uploads from one IPv4 address or IPv6 /64; 0 is no limit." default:"512" env:"COFFER_SERVER_MAX_UPLOADS_PER_ADDRESS"`
	MaxVersions          int           `name:"max-versions" help:"Maximum number of file versions of one account; 0 is no limit." default:"1000000" env:"COFFER_SERVER_MAX_VERSIONS"`
	RegistrationRate     int           `help:"Maximum registrations per hour from one IPv4 address or IPv6 /64 on the client port; 0 is no limit." default:"60" env:"COFFER_SERVER_REGISTRATION_RATE"`
	HeaderTimeout        time.Duration `help:"Maximum time to receive a request header once it has begun." default:"10s" env:"COFFER_SERVER_HEADER_TIMEOUT"`
	UnprovenTimeout      time.Duration `help:"Time after which a connection that neither authenticates nor stores anything is closed; 0 is never." default:"5m" env:"COFFER_SERVER_UNPROVEN_TIMEOUT"`
}

func (f *limitFlags) check() error {
	switch {
	case f.MaxPerAddress < 0:
		return errors.New("--max-connections-per-address: must not be negative")
	case f.MaxPerAccount < 0:
		return errors.New("--max-connections-per-account: must not be negative")
	case f.MaxUploads < 0:
		return errors.New("--max-uploads: must not be negative")
	case f.MaxUploadsPerAddress < 0:
		return errors.New("--max-uploads-per-address: must not be negative")
	case f.MaxVersions < 0:
		return errors.New("--max-versions: must not be negative")
	case f.RegistrationRate < 0:
		return errors.New("--registration-rate: must not be negative")
	case f.HeaderTimeout <= 0:
		return errors.New("--header-timeout: must be positive")
	case f.UnprovenTimeout < 0:
		return errors.New("--unproven-timeout: must not be negative")
	}
	return nil
}

func (f *limitFlags) apply(cfg *server.Config) {
	cfg.MaxPerAddress, cfg.MaxPerAccount = f.MaxPerAddress, f.MaxPerAccount
	cfg.MaxUploadsInAll, cfg.MaxUploadsPerAddress = f.MaxUploads, f.MaxUploadsPerAddress
	cfg.MaxVersions = f.MaxVersions
	cfg.RegistrationRate = f.RegistrationRate
	cfg.HeaderTimeout, cfg.UnprovenTimeout = f.HeaderTimeout, f.UnprovenTimeout
}
