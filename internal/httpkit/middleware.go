package httpkit

import (
	"net/http"
	"strings"
)

// EscapedPath has paths routed as they were escaped, so that a name in one may
// hold a slash, and is unescaped exactly once.
func EscapedPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawPath = r.URL.EscapedPath()
		next.ServeHTTP(w, r)
	})
}

// SecureHeaders keeps browsers from taking an answer for more than it is. Pages
// of which origins may load answers, policy says: Cross-Origin-Resource-Policy.
func SecureHeaders(policy string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("X-Frame-Options", "DENY")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
			h.Set("Cross-Origin-Resource-Policy", policy)
			h.Set("Cache-Control", "no-store")
			if ByTLS(r) { // browsers heed it by TLS alone
				h.Set("Strict-Transport-Security", "max-age=31536000")
			}
			next.ServeHTTP(w, r)
		})
	}
}

// ByTLS reports whether a request came by TLS, to here or to the proxy before.
// Who lies about that only spoils their own answer.
func ByTLS(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}
