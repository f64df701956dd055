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
	InternalListen string `help:"Address for gateways, and for commands that ask a running server: host:port, or unix: and a path; off turns it off. The default, auto, is the Unix socket core.sock in the data folder, and 127.0.0.1:1257 on Windows." default:"auto" env:"COFFER_SERVER_INTERNAL_LISTEN"`
	CoreSecret     string `help:"The core secret, 64 hex digits; only by the environment, so that no process list shows it." env:"COFFER_CORE_SECRET" hidden:""`
	CoreSecretFile string `help:"File with the core secret, which gateways must know; made at the first start. Default: core.secret in the data folder." type:"filename" env:"COFFER_CORE_SECRET_FILE" placeholder:"FILE"`
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
			log.Info("made a new core secret; gateways need it", "file", secret.File)
		}
	}
	return crypt.CoreSecret(key), err
}

// coreFlags say how a running server is reached by its internal listener.
type coreFlags struct {
	internalFlags

	Data    string        `help:"Folder of the server's data, where its socket and its core secret are." default:"./data" type:"filename" env:"COFFER_SERVER_DATA"`
	TLS     bool          `name:"tls" help:"Speak TLS to it."`
	Timeout time.Duration `help:"How long to wait." default:"5s"`
}

func (f coreFlags) dial(ctx context.Context) (*client.Conn, error) {
	if f.internalAddress(f.Data) == "" {
		return nil, fmt.Errorf("%w: --internal-listen: the internal listener is off", program.ErrUsage)
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
