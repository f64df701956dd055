package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// Pages of the web client may run their own code and speak to this gateway,
// and nothing else. Scripts stand in files; wasm-unsafe-eval lets WebAssembly
// be compiled and no script. Styles may be inline: components set sizes so.
const webPolicy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

const (
	webIndex  = "index.html"
	webAssets = "assets/" // names change with content
)

//go:embed unbuilt.html
var unbuilt []byte

// A webClient is the pages that a browser is shown. It is static after
// loadWeb.
type webClient struct {
	files map[string]webFile // by path, without a slash before it
}

type webFile struct {
	content []byte
	etag    string
}

// loadWeb reads the built client, of a few megabytes, into memory. A nil
// client, or one without an index, is one that was not built.
func loadWeb(client fs.FS) (*webClient, error) {
	w := &webClient{files: make(map[string]webFile)}
	if client != nil {
		err := fs.WalkDir(client, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasPrefix(path.Base(name), ".") {
				return err
			}
			content, err := fs.ReadFile(client, name)
			w.add(name, content)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read the web client: %w", err)
		}
	}
	if _, built := w.files[webIndex]; !built {
		w.add(webIndex, unbuilt)
	}
	return w, nil
}

func (w *webClient) add(name string, content []byte) {
	sum := sha256.Sum256(content)
	w.files[name] = webFile{content, `"` + hex.EncodeToString(sum[:12]) + `"`}
}

// find returns the file at a path of the client's. Its own routes, which its
// script understands, are all the index; they are asked for by browsers alone.
func (w *webClient) find(r *http.Request) (name string, file webFile, err error) {
	name = strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		name = webIndex
	}
	if file, ok := w.files[name]; ok {
		return name, file, nil
	}
	first, _, _ := strings.Cut(name, "/")
	if first != "api" && first != "docs" && first != strings.TrimSuffix(webAssets, "/") &&
		strings.Contains(r.Header.Get("Accept"), "text/html") {
		return webIndex, w.files[webIndex], nil
	}
	return "", webFile{}, errNotHere
}

var errNotHere = errors.New("no file of the web client")

// notFound serves what is no call of the contract's: the web client, or a
// problem.
func (g *Gateway) notFound(w http.ResponseWriter, r *http.Request) {
	name, file, err := g.web.find(r)
	if err != nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		g.fail(w, r, &problem{kind: kindNotFound, message: "there is nothing at this path; /docs lists what there is"})
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", webPolicy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("ETag", file.etag)
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, webAssets) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	r.Header.Del("Range") // the answer may be compressed
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(file.content))
}
