// Package pages serves a web client that was built beforehand: an index, which
// answers all of the client's routes, and the files that it needs. It keeps
// them in memory, and allows the pages to connect only to the server that they
// came from.
package pages

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// Pages may run their own code and speak to their server, and nothing else.
// Scripts stand in files; wasm-unsafe-eval lets WebAssembly be compiled and no
// script. Styles may be inline: components set sizes so.
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

const (
	index  = "index.html"
	assets = "assets" // a folder; names in it change with content
)

// A Site is a built client. It is static after Load.
type Site struct {
	files    map[string]file // by path, without a slash before it
	reserved []string
}

type file struct {
	content []byte
	etag    string
}

// Load reads a built client, of a few megabytes, into memory. A nil client, or
// one without an index, is one that was not built; unbuilt, in HTML, is its
// index then. Paths whose first segment is reserved are the server's own, and
// never the client's routes.
func Load(client fs.FS, unbuilt []byte, reserved ...string) (*Site, error) {
	s := &Site{files: make(map[string]file), reserved: append(reserved, assets)}
	if client != nil {
		err := fs.WalkDir(client, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasPrefix(path.Base(name), ".") {
				return err
			}
			content, err := fs.ReadFile(client, name)
			s.add(name, content)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read the pages: %w", err)
		}
	}
	if _, built := s.files[index]; !built {
		s.add(index, unbuilt)
	}
	return s, nil
}

func (s *Site) add(name string, content []byte) {
	sum := sha256.Sum256(content)
	s.files[name] = file{content, `W/"` + hex.EncodeToString(sum[:12]) + `"`}
}

// find returns the file at a path. All routes of the web client, which its
// script resolves, are the index; only browsers request them.
func (s *Site) find(r *http.Request) (name string, f file, found bool) {
	name = strings.TrimPrefix(r.URL.Path, "/")
	if name == "" {
		name = index
	}
	if f, ok := s.files[name]; ok {
		return name, f, true
	}
	first, _, _ := strings.Cut(name, "/")
	if slices.Contains(s.reserved, first) || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return "", file{}, false
	}
	return index, s.files[index], true
}

// Serve answers a request for a file or route of the web client, and reports
// whether it was one; if not, it answers nothing.
func (s *Site) Serve(w http.ResponseWriter, r *http.Request) bool {
	name, f, found := s.find(r)
	if !found || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, assets+"/") {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	r.Header.Del("Range") // the answer may be compressed
	r.Header.Del("If-Match")
	r.Header.Del("If-Unmodified-Since") // nobody changes pages
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(f.content))
	return true
}
