package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"coffer/client"
	"coffer/internal/program"
	"coffer/protocol"
)

type statusCommand struct{}

func (statusCommand) Run(a *app) error {
	if program.Closed(a.stdout) {
		return errClosedOutput
	}
	p, err := a.loadProfile()
	if err != nil {
		return err
	}
	session, id, err := a.open()
	if err != nil {
		return err
	}
	defer session.Close()
	var account *protocol.AccountInfo
	err = session.Do(a.ctx, func(conn *client.Conn) (err error) {
		account, err = conn.AskAccount(a.ctx, session.Client())
		return err
	})
	if err != nil {
		return fmt.Errorf("ask for the account: %w", err)
	}
	if a.json {
		return a.printJSON(map[string]any{
			"server": p.Server, "tls": p.TLS, "name": account.Name, "registered": account.Created,
			"files": account.Files, "versions": account.Versions, "stored_size": account.Bytes,
			"unfinished_uploads": account.Uploads, "rsa_bits": account.KeyBits, "identity": id.Fingerprint(),
			"keep_versions": account.KeepVersions, "max_packet": account.MaxPacket,
			"session_seconds": int64(account.SessionTTL / time.Second), "upload_seconds": int64(account.UploadTTL / time.Second),
		})
	}
	keep := "all"
	if account.KeepVersions > 0 {
		keep = fmt.Sprint(account.KeepVersions)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"server", p.Server},
		{"name", program.Printable(account.Name)},
		{"registered", account.Created.Local().Format(time.DateTime)},
		{"files", fmt.Sprintf("%d in %d versions, %s stored", account.Files, account.Versions, program.Size(account.Bytes))},
		{"unfinished", fmt.Sprintf("%d uploads", account.Uploads)},
		{"versions kept", keep},
		{"keys", fmt.Sprintf("RSA with %d bits, age identity %s", account.KeyBits, id.Fingerprint())},
	} {
		fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
	}
	return w.Flush()
}
