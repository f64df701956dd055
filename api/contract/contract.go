// Package contract is openapi.yaml in Go: the types of the gateway's HTTP API,
// the interface that serves it, and the document itself. All of it is generated,
// and nothing here decides anything.
package contract

//go:generate go tool -modfile=../../.ci/tools.mod oapi-codegen -config oapi-codegen.yaml ../../openapi.yaml
