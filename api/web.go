package api

import (
	_ "embed"
	"net/http"

	"coffer/internal/problem"
)

// unbuilt is the index of a gateway that was built without the web client.
//
//go:embed unbuilt.html
var unbuilt []byte

// notFound serves paths outside the contract: the web client, or a problem.
func (g *Gateway) notFound(w http.ResponseWriter, r *http.Request) {
	if !g.web.Serve(w, r) {
		g.answers.Fail(w, r, problem.New(problem.NotFound, "there is nothing at this path; /docs lists what there is"))
	}
}
