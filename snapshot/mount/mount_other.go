//go:build !linux || 386 || arm || mips || mipsle

package mount

import "context"

// Serve fails with [ErrUnsupported].
func Serve(context.Context, Library, string, Options) error { return ErrUnsupported }
