// Package console shows the operator of a core what goes on in it, and does
// what the operator asks: pages, a JSON API as openapi.yaml has it, events as
// they happen, metrics and health.
//
// It runs in the core's process and asks the core itself. It shows no client
// id, no key and no token, and keeps nothing but a session's cookie.
package console

//go:generate go tool -modfile=../.ci/tools.mod oapi-codegen -config oapi-codegen.yaml openapi.yaml
