package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"coffer/client"
	"coffer/internal/program"
	"coffer/protocol"
)

type statusCommand struct{}

func (statusCommand) Run(a *app) error {
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
	var identity *protocol.Identity
	err = session.Do(a.ctx, func(conn *client.Conn) (err error) {
		if account, err = conn.GetAccount(a.ctx, session.Client()); err != nil {
			return err
		}
		identity, err = getIdentity(a.ctx, conn, session.Client())
		return err
	})
	if err != nil {
		return fmt.Errorf("get the account: %w", err)
	}
	if a.json {
		said := map[string]any{
			"server": p.Server, "tls": p.TLS, "name": account.Name, "registered": account.Created,
			"files": account.Files, "versions": account.Versions, "stored_size": account.Bytes,
			"unfinished_uploads": account.Uploads, "rsa_bits": account.KeyBits, "identity": id.Fingerprint(),
			"keep_versions": account.KeepVersions, "max_packet": account.MaxPacket,
			"session_seconds": int64(account.SessionTTL / time.Second), "upload_seconds": int64(account.UploadTTL / time.Second),
		}
		if identity != nil {
			said["base_open"] = identity.BaseOpen
		}
		return a.printJSON(said)
	}
	keep := "all"
	if account.KeepVersions > 0 {
		keep = fmt.Sprint(account.KeepVersions)
	}
	base := "on (this server version has no setting)"
	if identity != nil {
		base = onOff(identity.BaseOpen) + " (coffer account base)"
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"server", program.Printable(p.Server)},
		{"name", program.Printable(account.Name)},
		{"registered", account.Created.Local().Format(time.DateTime)},
		{"files", fmt.Sprintf("%d in %s, %s stored", account.Files, program.Count(account.Versions, "version", "versions"), program.Size(account.Bytes))},
		{"unfinished", program.Count(uint64(account.Uploads), "upload", "uploads")},
		{"versions kept", keep},
		{"keys", fmt.Sprintf("RSA with %d bits, age identity %s", account.KeyBits, id.Fingerprint())},
		{"base access", base},
	} {
		fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
	}
	return w.Flush()
}

// getIdentity asks how the account is known, nil from an earlier server, which
// knows no such question.
func getIdentity(ctx context.Context, conn *client.Conn, id protocol.ClientID) (*protocol.Identity, error) {
	identity, err := conn.GetIdentity(ctx, id)
	if client.IsStatus(err, protocol.StatusInvalid) {
		return nil, nil
	}
	return identity, err
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
