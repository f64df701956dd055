package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"coffer/console"
	"coffer/console/contract"
	"coffer/internal/program"
	"coffer/internal/quantity"
	"coffer/server"
	"coffer/web"
)

// consoleFlags say where the operator's console is, and what opens it.
type consoleFlags struct {
	ConsoleListen    string `help:"Address to listen on for the operator's console; off disables it." default:"127.0.0.1:8090" env:"COFFER_CONSOLE_LISTEN"`
	ConsoleToken     string `help:"Console token, 64 hex digits. Set it in the environment only: process lists show flags." hidden:"" env:"COFFER_CONSOLE_TOKEN"`
	ConsoleTokenFile string `help:"File with the console token; created on first start. Default: console.token in the data folder." type:"path" placeholder:"FILE" env:"COFFER_CONSOLE_TOKEN_FILE"`
}

// token is where the console's token is, for a data folder.
func (f consoleFlags) token(folder string) program.Secret {
	secret := program.Secret{What: "the console token", Text: f.ConsoleToken, Variable: "COFFER_CONSOLE_TOKEN", File: f.ConsoleTokenFile}
	if secret.File == "" {
		secret.File = filepath.Join(folder, tokenName)
	}
	return secret
}

// listens tells whether an address is one to listen on: a listener can be
// turned off, by a word, since an empty variable is one that is not set.
func listens(address string) bool { return address != "" && address != "off" }

// An operator is whom the console is for: what they are shown, and how they
// come in.
type operator struct {
	cmd   *serveCmd
	std   program.Streams
	flags []console.Flag

	records  console.Log
	listener net.Listener // nil: the console is off
	link     string       // to the console, for the terminal: it may say the token
}

// open listens for the operator and makes their console, nil if it is off. An
// address that was asked for must be free; the default one need not be: no
// backup shall fail since another program has that port.
func (op *operator) open(ctx context.Context, log *slog.Logger, d *data, s *server.Server, public net.Listener) (*console.Console, error) {
	if !listens(op.cmd.ConsoleListen) {
		return nil, nil
	}
	conf, err := op.cmd.ServerTLS()
	if err != nil {
		return nil, err
	}
	secret := op.cmd.token(d.folder)
	token, err := secret.Read()
	if errors.Is(err, fs.ErrNotExist) {
		if token, err = secret.Make(); err == nil {
			log.Info("created a new console token", "file", secret.File)
		}
	}
	if err != nil {
		return nil, err
	}
	cfg := console.Config{Core: s.Admin(), Failures: s.Failures, Token: token, Log: log, Records: &op.records, TLS: conf, Hosts: op.cmd.ConsoleHost,
		Listen: public.Addr().String(), ClientTLS: conf != nil, Pages: web.Console(), MinFree: int64(op.cmd.MinFree), Flags: op.flags}
	if op.cmd.MasterKey == "" {
		cfg.MasterKeyFile = op.cmd.masterKeyFile()
	}
	c, err := console.New(cfg)
	if err != nil {
		return nil, err
	}
	l, err := program.Listen(ctx, op.cmd.ConsoleListen, "the console")
	if err != nil && op.originOf("console-listen") == contract.SettingOriginDefault {
		log.Warn("console disabled: its address is in use", "error", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	op.listener = l
	op.link = consoleURL(l.Addr().String(), conf != nil)
	if op.cmd.ConsoleToken == "" && op.cmd.ConsoleTokenFile == "" {
		// A token that the operator brings is theirs to know, and to keep.
		op.link += "/?token=" + hex.EncodeToString(token[:])
	}
	if addr, ok := l.Addr().(*net.TCPAddr); ok && conf == nil && !addr.IP.IsLoopback() {
		log.Warn("the console is reachable from other machines without TLS: its token can be read in transit", "listen", addr.String())
	}
	return c, nil
}

func (op *operator) originOf(flag string) contract.SettingOrigin {
	i := slices.IndexFunc(op.flags, func(f console.Flag) bool { return f.Name == flag })
	return op.flags[i].Origin
}

// serve serves the operator until ctx is done. It tells them, on standard error
// and not in the log, where to come in.
func (op *operator) serve(ctx context.Context, log *slog.Logger, c *console.Console) {
	if c == nil {
		return
	}
	fmt.Fprintf(op.std.Err, "Console: %s\n", op.link)
	if err := c.Serve(ctx, op.listener); err != nil {
		log.Error("the console has stopped; the server keeps running", "error", err)
	}
}

// consoleURL is how this machine reaches a console that listens there.
func consoleURL(listen string, tls bool) string {
	scheme := "http"
	if tls {
		scheme = "https"
	}
	return scheme + "://" + program.Reachable(listen)
}

// flagsOf tells what a command was started with, and where each value came
// from, for the operator to see.
func flagsOf(p program.Program, given *kong.Context) []console.Flag {
	onLine := map[string]bool{}
	for _, part := range given.Path {
		if part.Flag != nil && !part.Resolved {
			onLine[part.Flag.Name] = true
		}
	}
	var flags []console.Flag
	for _, f := range given.Selected().Flags {
		one := console.Flag{Name: f.Name, Help: f.Help, Origin: contract.SettingOriginDefault, Secret: f.Hidden, Kind: contract.SettingKindText}
		if len(f.Envs) > 0 {
			one.Variable = f.Envs[0]
			if name, _, set := p.Variable(f); set {
				one.Variable, one.Origin = name, contract.SettingOriginEnvironment
			}
		}
		if onLine[f.Name] {
			one.Origin = contract.SettingOriginFlag
		}
		switch v := f.Target.Interface().(type) {
		case time.Duration:
			one.Kind, one.Value = contract.SettingKindDuration, quantity.FormatDuration(v)
		case quantity.Bytes:
			one.Kind, one.Value = contract.SettingKindBytes, v.String()
		case int:
			one.Kind, one.Value = contract.SettingKindCount, fmt.Sprint(v)
		case bool:
			one.Kind, one.Value = contract.SettingKindSwitch, fmt.Sprint(v)
		default:
			one.Value = flagText(f)
		}
		if f.Enum != "" {
			one.Kind, one.Choices = contract.SettingKindChoice, f.EnumSlice()
		}
		if one.Secret && one.Value != "" {
			one.Value = "set"
		}
		flags = append(flags, one)
	}
	return flags
}

// flagText is the value of a flag that is a text, or a list.
func flagText(f *kong.Flag) string {
	if f.IsSlice() {
		text := ""
		for i := range f.Target.Len() {
			if i > 0 {
				text += ","
			}
			text += fmt.Sprint(f.Target.Index(i).Interface())
		}
		return text
	}
	return f.Target.String()
}
