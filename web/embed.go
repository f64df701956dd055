// Package web is the web client as it was built, for the gateway to serve. The
// sources beside it are TypeScript; `make web` builds them, with Node.js, into
// dist, which is embedded here. Without a build there is no index.html.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Client is the built web client: index.html, what it needs beside it, and
// below assets/ files whose names change with their content.
func Client() fs.FS {
	client, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the name is valid and was embedded
	}
	return client
}
