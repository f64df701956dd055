//go:build deps

package deps

import (
	_ "filippo.io/age"
	_ "github.com/alecthomas/kong"
	_ "github.com/gofrs/flock"
	_ "github.com/klauspost/compress/zstd"
	_ "github.com/pressly/goose/v3"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "golang.org/x/crypto/argon2"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/sys/unix"
	_ "golang.org/x/term"
	_ "golang.org/x/text/encoding/htmlindex"
	_ "golang.org/x/text/unicode/norm"
	_ "golang.org/x/time/rate"
	_ "modernc.org/sqlite"
	_ "github.com/dustin/go-humanize"
	_ "github.com/go-chi/chi/v5"
	_ "github.com/jackc/puddle/v2"
	_ "github.com/golang-jwt/jwt/v5"
	_ "github.com/rs/cors"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/getkin/kin-openapi/openapi3filter"
	_ "github.com/oapi-codegen/nethttp-middleware"
)
