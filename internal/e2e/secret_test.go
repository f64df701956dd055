package e2e

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"

	"coffer/protocol/cksum"
)

func sum(content []byte) uint32 { return cksum.Sum(content) }

func holds(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] holds FOLDER FILE")
	}
	marker := []byte(strings.TrimSpace(ts.ReadFile(args[1])))
	looked := 0
	found := ""
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		looked++
		if how := find(content, marker); how != "" {
			found = path + " " + how
		}
		return nil
	}))
	if looked == 0 {
		ts.Fatalf("%s has no files", args[0])
	}
	if neg && found != "" {
		ts.Fatalf("the content is in %s", found)
	}
	if !neg && found == "" {
		ts.Fatalf("the content is nowhere in %d files", looked)
	}
}

// find says how a marker is in content, "" if it is not: as it is, or in a
// compressed stream that begins anywhere.
func find(content, marker []byte) string {
	if bytes.Contains(content, marker) {
		return "as it is"
	}
	if len(bytes.Trim(content, "\x00")) == 0 {
		return "" // a reserve
	}
	inflater := flate.NewReader(nil)
	for i := range content {
		rest := content[i:]
		switch {
		case bytes.HasPrefix(rest, []byte{0x1f, 0x8b, 8}):
			if r, err := gzip.NewReader(bytes.NewReader(rest)); err == nil && inStream(r, marker) {
				return "by gzip"
			}
		case bytes.HasPrefix(rest, []byte{0x28, 0xb5, 0x2f, 0xfd}):
			if r, err := zstd.NewReader(bytes.NewReader(rest), zstd.WithDecoderConcurrency(1)); err == nil {
				in := inStream(r, marker)
				r.Close()
				if in {
					return "by zstd"
				}
			}
		case rest[0] == 0x78:
			if r, err := zlib.NewReader(bytes.NewReader(rest)); err == nil && inStream(r, marker) {
				return "by zlib"
			}
		}
		// Blocks of type 3 do not exist, and one that is not compressed would
		// have been seen.
		if kind := rest[0] >> 1 & 3; kind == 1 || kind == 2 {
			if err := inflater.(flate.Resetter).Reset(bytes.NewReader(rest), nil); err == nil && inStream(inflater, marker) {
				return "by deflate"
			}
		}
	}
	return ""
}

// inStream reports whether a marker is in what a stream begins with. That the
// stream ends in rubbish is expected.
func inStream(r io.Reader, marker []byte) bool {
	plain, err := io.ReadAll(io.LimitReader(r, 1<<20))
	return (err == nil || len(plain) > 0) && bytes.Contains(plain, marker)
}

// What finds nothing proves nothing: it must find what was hidden.
func TestFind(t *testing.T) {
	marker := []byte("the marker, the marker, the marker")
	plain := []byte(strings.Repeat("some text, and other text; ", 40) + string(marker) + strings.Repeat(" and more", 40))
	for how, compress := range map[string]func(io.Writer) (io.WriteCloser, error){
		"by gzip":    func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
		"by zlib":    func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil },
		"by zstd":    func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
		"by deflate": func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, 6) },
	} {
		content := bytes.NewBuffer(randomBytes(3, 5000))
		w, err := compress(content)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(plain); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		content.Write(randomBytes(4, 500))
		if got := find(content.Bytes(), marker); got == "" || got != how && got != "by deflate" {
			t.Errorf("%s: found %q", how, got)
		}
	}
	if got := find(plain, marker); got != "as it is" {
		t.Errorf("found %q", got)
	}
	if got := find(randomBytes(5, 5000), marker); got != "" {
		t.Errorf("found %q where nothing is", got)
	}
}

func secretless(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: secretless LOG HOME...")
	}
	log := ts.ReadFile(args[0])
	if log == "" {
		ts.Fatalf("%s is empty", args[0])
	}
	for _, home := range args[1:] {
		var p struct {
			ClientID string `json:"client_id"`
			RSAKey   []byte `json:"rsa_key"`
			Identity string `json:"identity"`
		}
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(home+"/profile.json")), &p))
		id, err := hex.DecodeString(p.ClientID)
		ts.Check(err)
		for what, secret := range map[string]string{
			"client id in hexadecimal": p.ClientID,
			"client id in capitals":    strings.ToUpper(p.ClientID),
			"client id as a UUID":      fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]),
			"client id in decimal":     fmt.Sprint(id),
			"client id in base64":      base64.StdEncoding.EncodeToString(id),
			"client id as it is":       string(id),
			"identity":                 p.Identity,
			"RSA key":                  base64.StdEncoding.EncodeToString(p.RSAKey)[200:264],
			"RSA key in hexadecimal":   hex.EncodeToString(p.RSAKey[100:132]),
		} {
			if secret == "" || strings.Contains(log, secret) {
				ts.Fatalf("the log has the %s", what)
			}
		}
	}
}
