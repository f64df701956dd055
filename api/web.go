package api

import (
	_ "embed"
	"net/http"
)

// unbuilt is the index of a gateway that was built without the web client.
//
//go:embed unbuilt.html
var unbuilt []byte

// notFound serves what is no call of the contract's: the web client, or a
// problem.
func (g *Gateway) notFound(w http.ResponseWriter, r *http.Request) {
	if !g.web.Serve(w, r) {
		g.fail(w, r, &problem{kind: kindNotFound, message: "there is nothing at this path; /docs lists what there is"})
	}
}
