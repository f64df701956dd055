package program

import "log/slog"

// LogFlags say how to log. Who embeds them gives their variables a prefix.
type LogFlags struct {
	LogFormat string `help:"Log format." enum:"text,json" default:"text" env:"LOG_FORMAT"`
	LogLevel  string `help:"Least severe records to log." enum:"debug,info,warn,error" default:"info" env:"LOG_LEVEL"`
}

// Logger logs to standard error.
func (f LogFlags) Logger(std Streams) *slog.Logger {
	handler, _ := f.Handler(std)
	return slog.New(handler)
}

// Handler handles what is logged to standard error. What level it is enabled
// for can be changed.
func (f LogFlags) Handler(std Streams) (slog.Handler, *slog.LevelVar) {
	level := new(slog.LevelVar)
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		level.Set(slog.LevelInfo) // the flag's enum leaves no other
	}
	opts := &slog.HandlerOptions{Level: level}
	if f.LogFormat == "json" {
		return slog.NewJSONHandler(escapeControls{std.Err}, opts), level
	}
	return slog.NewTextHandler(std.Err, opts), level
}
