package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// earlier makes the folder of an earlier server, as its Python program made it,
// in $WORK/FOLDER, and beside it FOLDER-me.info, the file of its client anna.
// It has what is regular (two files of anna's) and one of each irregularity.
func earlier(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: earlier FOLDER")
	}
	folder := ts.MkAbs(args[0])
	lies := filepath.Join(folder, "received_files")
	ts.Check(os.MkdirAll(lies, 0o755))
	for name, content := range map[string]string{
		"report 2021.txt": "the report\n", "photo.bin": strings.Repeat("photo", 100_000),
		"both.txt": "whose?", "stray.txt": "nobody's", "keyless.txt": "cannot be encrypted",
	} {
		ts.Check(os.WriteFile(filepath.Join(lies, name), []byte(content), 0o644))
	}
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	ts.Check(err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	ts.Check(err)
	anna, ben, keyless := make([]byte, 16), make([]byte, 16), make([]byte, 16)
	for _, id := range [][]byte{anna, ben, keyless} {
		rand.Read(id)
	}
	db, err := sql.Open("sqlite", filepath.Join(folder, "defensive.db"))
	ts.Check(err)
	exec := func(statement string, args ...any) {
		_, err := db.Exec(statement, args...)
		ts.Check(err)
	}
	exec(`CREATE TABLE clients (ID BLOB(16) PRIMARY KEY, Name VARCHAR(255), PublicKey BLOB(160), LastSeen TEXT, AESKey BLOB(16))`)
	exec(`CREATE TABLE files (ID BLOB(16), FileName VARCHAR(255), PathName VARCHAR(255), Verified BOOLEAN)`)
	const seen = "2022-03-04 05:06:07.123456"
	exec(`INSERT INTO clients VALUES (?, ?, ?, ?, ?)`, anna, "anna", der, seen, make([]byte, 32))
	exec(`INSERT INTO clients VALUES (?, ?, ?, ?, ?)`, ben, append([]byte("ben"), make([]byte, 252)...), der, seen, nil)
	exec(`INSERT INTO clients VALUES (?, ?, NULL, ?, NULL)`, keyless, "keyless", seen)
	for _, r := range []struct {
		id       []byte
		name     string
		verified bool
	}{
		{anna, "report 2021.txt", true}, {anna, "photo.bin", false}, {anna, "both.txt", true}, {ben, "both.txt", true},
		{anna, "gone.txt", true}, {keyless, "keyless.txt", true}, {ben, "../outside.txt", true},
	} {
		exec(`INSERT INTO files VALUES (?, ?, ?, ?)`, r.id, r.name, "received_files/"+r.name, r.verified)
	}
	ts.Check(db.Close())
	info := fmt.Sprintf("anna\n%s\n%s\n", hex.EncodeToString(anna), base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(key)))
	ts.Check(os.WriteFile(folder+"-me.info", []byte(info), 0o600))
}

// sums writes the names, modes, times and contents of all that is in a folder
// into a file, by which two states of it can be compared.
func sums(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: sums FOLDER FILE")
	}
	var all strings.Builder
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(&all, path, info.Mode(), info.ModTime())
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			fmt.Fprintf(&all, "%x\n", sha256.Sum256(content))
			return err
		}
		return nil
	}))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(all.String()), 0o600))
}
