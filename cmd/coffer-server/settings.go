package main

import (
	"log/slog"
	"time"

	"coffer/internal/quantity"
	"coffer/server/settings"
)

// settingFlags are what can be changed in the console while the server runs,
// but for the log level, which all commands have. What they may be is in the
// table of package settings.
type settingFlags struct {
	SessionTTL     time.Duration  `name:"session-ttl" help:"Session lifetime without requests." default:"10m" env:"COFFER_SERVER_SESSION_TTL"`
	UploadTTL      time.Duration  `name:"upload-ttl" help:"Time after which an unfinished upload is dropped." default:"24h" env:"COFFER_SERVER_UPLOAD_TTL"`
	KeepVersions   int            `help:"Number of versions to keep of each file; 0 keeps all." default:"5" env:"COFFER_SERVER_KEEP_VERSIONS"`
	MinVersionAge  time.Duration  `help:"Minimum age before --keep-versions may drop a version, counted also for the newer versions that replace it; 0 is none." default:"168h" env:"COFFER_SERVER_MIN_VERSION_AGE"`
	Registration   string         `help:"Whether new clients can register." enum:"open,closed" default:"open" env:"COFFER_SERVER_REGISTRATION"`
	MaxConnections int            `help:"Maximum number of client connections." default:"4096" env:"COFFER_SERVER_MAX_CONNECTIONS"`
	ScrubInterval  time.Duration  `help:"Interval between integrity checks of everything stored; 0 disables them." default:"168h" env:"COFFER_SERVER_SCRUB_INTERVAL"`
	ScrubRate      quantity.Bytes `help:"Maximum bytes per second that an integrity check reads; 0 is no limit." default:"32MiB" env:"COFFER_SERVER_SCRUB_RATE"`
	SweepEvery     time.Duration  `help:"Interval between sweeps for packs that no snapshot needs; 0 disables them." default:"1h" env:"COFFER_SERVER_SWEEP_EVERY"`
	SweepGrace     time.Duration  `help:"Time that such a pack is kept before it is removed." default:"24h" env:"COFFER_SERVER_SWEEP_GRACE"`
	RunTimeout     time.Duration  `help:"Time without requests after which an unfinished snapshot run ends and no longer protects its packs." default:"168h" env:"COFFER_SERVER_RUN_TIMEOUT"`
}

// values are the settings that the flags give.
func (f *settingFlags) values() settings.Values {
	return settings.Values{
		LogLevel:         slog.LevelInfo, // which the log has its own flag for
		KeepVersions:     f.KeepVersions,
		MinVersionAge:    f.MinVersionAge,
		SessionTTL:       f.SessionTTL,
		UploadTTL:        f.UploadTTL,
		RegistrationOpen: f.Registration == "open",
		MaxConnections:   f.MaxConnections,
		ScrubInterval:    f.ScrubInterval,
		ScrubRate:        int(min(f.ScrubRate, 1<<62)),
		SweepEvery:       f.SweepEvery,
		SweepGrace:       f.SweepGrace,
		RunTimeout:       f.RunTimeout,
	}
}
