package main

import (
	"errors"
	"io/fs"
	"log/slog"

	"coffer/internal/program"
)

// secretFlags say where the secret of the tokens is.
type secretFlags struct {
	JWTSecret     string `name:"jwt-secret" help:"The tokens' secret, 64 hex digits; only by the environment, so that no process list shows it." env:"COFFER_GATEWAY_JWT_SECRET" hidden:""`
	JWTSecretFile string `name:"jwt-secret-file" help:"File with the tokens' secret; made at the first start. The environment variable COFFER_GATEWAY_JWT_SECRET goes before it." default:"./jwt.secret" env:"COFFER_GATEWAY_JWT_SECRET_FILE" type:"path"`
}

// secret reads the secret, or makes it.
func (f secretFlags) secret(log *slog.Logger) ([]byte, error) {
	secret := program.Secret{What: "the tokens' secret", Text: f.JWTSecret, Variable: "COFFER_GATEWAY_JWT_SECRET", File: f.JWTSecretFile}
	key, err := secret.Read()
	if errors.Is(err, fs.ErrNotExist) {
		if key, err = secret.Make(); err == nil {
			log.Info("made a new secret for tokens", "file", secret.File)
		}
	}
	return key[:], err
}
