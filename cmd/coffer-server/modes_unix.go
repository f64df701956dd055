//go:build unix

package main

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
)

// warnOfModes says what others on this machine can read of a data folder. What
// the server makes there is its own user's alone; but a folder that was there
// keeps its mode, and so do files that were copied into it. What another user
// owns, such as a volume that is handed in, is theirs to judge.
func warnOfModes(folder string, log *slog.Logger) {
	mode := func(name string) fs.FileMode {
		info, err := os.Stat(name)
		if err != nil {
			return 0 // it may not be there
		}
		if of, ok := info.Sys().(*syscall.Stat_t); !ok || int(of.Uid) != os.Geteuid() {
			return 0
		}
		return info.Mode().Perm()
	}
	const others, throughOthers, group = 0o066, 0o011, 0o060
	own := mode(folder)
	if own&others != 0 {
		log.Warn("other users of this machine can list or change the data folder; run: chmod 700 "+folder, "mode", own.String())
	}
	if own&throughOthers == 0 {
		return
	}
	for name, allowed := range map[string]fs.FileMode{
		masterKeyName: 0, tokenName: 0, catalogName: 0, filepath.Join("tls", "server.pem"): 0, // which has a key
		coreSecretName: group, // a gateway of the same group reads it
	} {
		if m := mode(filepath.Join(folder, name)); m&others&^allowed != 0 {
			log.Warn("other users of this machine can read or change a secret; run: chmod 600 "+filepath.Join(folder, name), "mode", m.String())
		}
	}
}
