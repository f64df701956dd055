package main

import (
	"encoding/hex"
	"fmt"

	"coffer/internal/program"
)

// consoleAccess is how other commands come in to a running server's console.
type consoleAccess struct {
	consoleFlags

	Data string `help:"Folder of the server's data, where the console's token is." default:"./data" type:"path" env:"COFFER_SERVER_DATA"`
	TLS  bool   `name:"tls" help:"The console speaks TLS. Its certificate is not checked where the connection stays on the machine."`
}

// find tells where the console is, and the token that opens it.
func (a consoleAccess) find() (address, token string, err error) {
	if !listens(a.ConsoleListen) {
		return "", "", fmt.Errorf("%w: --console-listen: the console is off", program.ErrUsage)
	}
	secret, err := a.token(a.Data).Read()
	if err != nil {
		return "", "", err
	}
	return consoleURL(a.ConsoleListen, a.TLS), hex.EncodeToString(secret[:]), nil
}

// linkCmd prints the console's link, for operators whose server runs where
// what it prints as it starts is kept, and the token left out of it.
type linkCmd struct{ consoleAccess }

// Run prints the link.
func (cmd *linkCmd) Run(std program.Streams) error {
	address, token, err := cmd.find()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "%s/?token=%s\n", address, token)
	return err
}
