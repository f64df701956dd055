package view

import (
	"crypto/rand"
	"strings"
)

// lastName is the name of a path in its folder.
func lastName(at string) string { return at[strings.LastIndexByte(at, '/')+1:] }

func parent(at string) string {
	for i := len(at) - 1; i >= 0; i-- {
		if at[i] == '/' {
			return at[:i]
		}
	}
	return "."
}

func parentOrEmpty(path string) string {
	if p := parent(path); p != "." {
		return p
	}
	return ""
}

// temporary is where something is until it is complete.
func temporary(path string) string { return Join(parentOrEmpty(path), ".coffer-"+rand.Text()[:12]) }
