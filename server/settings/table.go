package settings

import (
	"log/slog"
	"time"

	"coffer/store"
)

// Values are what can be changed while the core runs.
type Values struct {
	LogLevel         slog.Level
	KeepVersions     int           // versions kept of each file; 0 keeps all
	MinVersionAge    time.Duration // a version is not dropped for newer ones before they, and it, have this age
	SessionTTL       time.Duration // a session ends after this time without a request
	UploadTTL        time.Duration // an unfinished upload is dropped after it
	RegistrationOpen bool          // whether 1025 is served
	MaxConnections   int           // on the public listener
	ScrubInterval    time.Duration // how often what is stored is read back and compared; 0: never by itself
	ScrubRate        int           // bytes a second that a scrub reads; 0: no limit
	SweepEvery       time.Duration // how often packs are looked for that no snapshot needs; 0: never
	SweepGrace       time.Duration // how long such a pack stays before it is removed
	RunTimeout       time.Duration // a run of a snapshot ends after this time without a request
}

// Defaults are the values that a core starts with unless it is given others.
func Defaults() Values {
	return Values{
		LogLevel:         slog.LevelInfo,
		KeepVersions:     5,
		MinVersionAge:    7 * 24 * time.Hour,
		SessionTTL:       10 * time.Minute,
		UploadTTL:        24 * time.Hour,
		RegistrationOpen: true,
		MaxConnections:   4096,
		ScrubInterval:    7 * 24 * time.Hour,
		ScrubRate:        32 << 20,
		SweepEvery:       time.Hour,
		SweepGrace:       24 * time.Hour,
		RunTimeout:       7 * 24 * time.Hour,
	}
}

// Retention is which versions of a file stay when one is added.
func (v Values) Retention() store.Retention {
	return store.Retention{Versions: v.KeepVersions, MinAge: v.MinVersionAge}
}

// table has a row for each setting: its flag, what kind it is, where its value
// lies, and what it may be. All else follows from the row: what the console
// reads and shows, what activities say, and what the command line refuses.
func table() []row {
	return []row{
		rowOf("log-level", levels(), func(v *Values) *slog.Level { return &v.LogLevel }, named),
		rowOf("keep-versions", counts(), func(v *Values) *int { return &v.KeepVersions }, atLeast(0)),
		rowOf("min-version-age", durations(), func(v *Values) *time.Duration { return &v.MinVersionAge }, notNegative),
		rowOf("session-ttl", durations(), func(v *Values) *time.Duration { return &v.SessionTTL }, aSecond),
		rowOf("upload-ttl", durations(), func(v *Values) *time.Duration { return &v.UploadTTL }, aSecond),
		rowOf("registration", switches(), func(v *Values) *bool { return &v.RegistrationOpen }, free),
		rowOf("max-connections", counts(), func(v *Values) *int { return &v.MaxConnections }, atLeast(1)),
		rowOf("scrub-interval", durations(), func(v *Values) *time.Duration { return &v.ScrubInterval }, aMinuteOrNever),
		rowOf("scrub-rate", sizes(), func(v *Values) *int { return &v.ScrubRate }, between(64<<10, 1<<40)),
		rowOf("sweep-every", durations(), func(v *Values) *time.Duration { return &v.SweepEvery }, aMinuteOrNever),
		rowOf("sweep-grace", durations(), func(v *Values) *time.Duration { return &v.SweepGrace }, notNegative),
		rowOf("run-timeout", durations(), func(v *Values) *time.Duration { return &v.RunTimeout }, aSecond),
	}
}

// Flags names all settings.
func Flags() []string {
	var flags []string
	for _, r := range table() {
		flags = append(flags, r.flag)
	}
	return flags
}

// A row is one setting.
type row struct {
	flag  string
	kind  Kind
	get   func(*Values) string
	set   func(*Values, string) error
	check func(*Values) error
}

func rowOf[T any](flag string, f form[T], field func(*Values) *T, allowed bound[T]) row {
	check := func(v *Values) error {
		if reason := allowed(*field(v)); reason != "" {
			return &Error{Flag: flag, Reason: reason}
		}
		return nil
	}
	return row{
		flag: flag,
		kind: f.kind,
		get:  func(v *Values) string { return f.format(*field(v)) },
		set: func(v *Values, text string) error {
			value, err := f.parse(text)
			if err != nil {
				return &Error{Flag: flag, Reason: "cannot be read as the flag would be", Cause: err}
			}
			*field(v) = value
			return check(v)
		},
		check: check,
	}
}

// An Error says which setting cannot be what, and why.
type Error struct {
	Flag   string // without dashes
	Reason string
	Cause  error // may be nil
}

func (e *Error) Error() string { return e.Flag + ": " + e.Reason }

func (e *Error) Unwrap() error { return e.Cause }

// Check returns an *Error for the first value that cannot be, nil if all can.
func (v Values) Check() error {
	for _, r := range table() {
		if err := r.check(&v); err != nil {
			return err
		}
	}
	return nil
}
