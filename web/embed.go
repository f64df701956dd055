// Package web is the web client and the operator's console as they were built,
// for the gateway and the core to serve. The sources beside it are TypeScript;
// `make web` builds them, with Node.js, into dist and dist-console, which are
// embedded here. Without a build there is no index.html.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist all:dist-console
var built embed.FS

// Client is the built web client: index.html, what it needs beside it, and
// below assets/ files whose names change with their content.
func Client() fs.FS { return folder("dist") }

// Console is the built console of the operator, laid out as Client is.
func Console() fs.FS { return folder("dist-console") }

func folder(name string) fs.FS {
	sub, err := fs.Sub(built, name)
	if err != nil {
		panic(err) // the name is valid and was embedded
	}
	return sub
}
