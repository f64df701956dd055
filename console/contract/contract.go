// Package contract is the console's openapi.yaml in Go: the types of its HTTP
// API, the interface that serves it, and the document itself. All of it is
// generated, and nothing here decides anything.
package contract

//go:generate go tool -modfile=../../.ci/tools.mod oapi-codegen -config oapi-codegen.yaml ../openapi.yaml
