package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"coffer/client"
	"coffer/internal/program"
	"coffer/protocol"
	"coffer/protocol/crypt"
)

// Names below --data of what gateways need, if they are on the same machine.
const (
	socketName     = "core.sock"
	coreSecretName = "core.secret"
)

// internalFlags say where the internal listener is, and what it asks for.
type internalFlags struct {
	InternalListen string `help:"Address for gateways and for commands that query a running server: host:port or unix:PATH; off disables it. The default, auto, is the Unix socket core.sock in the data folder, or 127.0.0.1:1257 on Windows." default:"auto" env:"COFFER_SERVER_INTERNAL_LISTEN"`
	CoreSecret     string `help:"Core secret, 64 hex digits. Set it in the environment only: process lists show flags." env:"COFFER_CORE_SECRET" hidden:""`
	CoreSecretFile string `help:"File with the core secret, which gateways need; created on first start. Default: core.secret in the data folder." type:"filename" env:"COFFER_CORE_SECRET_FILE" placeholder:"FILE"`
}

// internalAddress is where the internal listener is, for a data folder; empty
// if it is off.
func (f internalFlags) internalAddress(folder string) string {
	switch {
	case !listens(f.InternalListen):
		return ""
	case f.InternalListen != "auto":
		return f.InternalListen
	case runtime.GOOS == "windows":
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(protocol.DefaultInternalPort))
	default:
		return "unix:" + filepath.Join(folder, socketName)
	}
}

// coreSecret is where the core secret is, for a data folder. A file that the
// operator names is for the gateway to read, which has a user of its own.
func (f internalFlags) coreSecret(folder string) program.Secret {
	secret := program.Secret{What: "the core secret", Text: f.CoreSecret, Variable: "COFFER_CORE_SECRET", File: f.CoreSecretFile, Shared: true}
	if secret.File == "" {
		secret.File, secret.Shared = filepath.Join(folder, coreSecretName), false
	}
	return secret
}

// secret reads the core secret, or makes it.
func (f internalFlags) secret(folder string, log *slog.Logger) (crypt.CoreSecret, error) {
	secret := f.coreSecret(folder)
	key, err := secret.Read()
	if errors.Is(err, fs.ErrNotExist) {
		if key, err = secret.Make(); err == nil {
			log.Info("created a new core secret; gateways need it", "file", secret.File)
		}
	}
	return crypt.CoreSecret(key), err
}

// coreFlags say how a running server is reached by its internal listener.
type coreFlags struct {
	internalFlags

	Data    string        `help:"Data folder of the server, with its socket and its core secret." default:"./data" type:"filename" env:"COFFER_SERVER_DATA"`
	TLS     bool          `name:"tls" help:"Use TLS."`
	Timeout time.Duration `help:"Maximum time to wait for an answer." default:"5s"`
}

func (f coreFlags) dial(ctx context.Context) (*client.Conn, error) {
	if f.internalAddress(f.Data) == "" {
		return nil, fmt.Errorf("%w: --internal-listen: the internal listener is disabled", program.ErrUsage)
	}
	key, err := f.coreSecret(f.Data).Read()
	if err != nil {
		return nil, elsewhere(err, f.Data, "--core-secret-file")
	}
	secret := crypt.CoreSecret(key)
	opts := client.Options{Secret: &secret}
	if f.TLS {
		// The secret proves the core, over this very connection.
		opts.TLS = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	}
	return client.Dial(ctx, f.internalAddress(f.Data), opts)
}
