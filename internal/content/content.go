// Package content serves bytes over HTTP by the rules of RFC 9110: ranges,
// preconditions and content codings. It stands on net/http, which is strict or
// lax in some of them, and lets its caller say what is wrong.
package content

import (
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRanges is how many ranges a request may ask for at once: each costs a read
// of what is behind, however short it is.
const maxRanges = 16

// Normalize puts a request's headers into the one form that what follows reads:
// lists that came in several lines are joined, and Accept-Encoding names the
// coding to be used, or is gone. So it has to stand before any compression; what
// is compressed there must not be served in ranges.
func Normalize(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := r.Header
		for _, name := range []string{"Accept-Encoding", "If-Match", "If-None-Match"} {
			if lines := h.Values(name); len(lines) > 1 {
				h.Set(name, strings.Join(lines, ", "))
			}
		}
		if ranges := h.Values("Range"); r.Method != http.MethodGet || len(ranges) > 1 {
			h.Del("Range") // defined for GET alone, and no list
		}
		coded := acceptsGzip(h.Get("Accept-Encoding"))
		h.Del("Accept-Encoding")
		if coded {
			h.Set("Accept-Encoding", "gzip")
		}
		w.Header().Add("Vary", "Accept-Encoding")
		next.ServeHTTP(w, r)
	})
}

// acceptsGzip reports whether gzip is acceptable, and not less welcome than no
// coding at all. Other codings are not made here.
func acceptsGzip(header string) bool {
	gzip, identity, rest := -1.0, -1.0, -1.0 // not named
	for element := range strings.SplitSeq(header, ",") {
		name, weight := weighted(element)
		switch name {
		case "gzip", "x-gzip":
			gzip = max(gzip, weight)
		case "identity":
			identity = weight
		case "*":
			rest = weight
		}
	}
	if gzip < 0 {
		gzip = rest
	}
	return gzip > 0 && gzip >= identity
}

// weighted splits an element of a list into its name and its weight, 0 for one
// that makes no sense.
func weighted(element string) (name string, weight float64) {
	name, parameters, _ := strings.Cut(element, ";")
	name = strings.ToLower(strings.TrimSpace(name))
	weight = 1
	for parameter := range strings.SplitSeq(parameters, ";") {
		key, value, found := strings.Cut(parameter, "=")
		if !found || !strings.EqualFold(strings.TrimSpace(key), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			q = 0
		}
		weight = q
	}
	return name, weight
}

// Serve answers a GET or HEAD with what r has, size bytes. The answer's ETag
// has been set. What cannot be served is refused: 412 where a precondition is
// not met, 416 where no range can be.
func Serve(w http.ResponseWriter, r *http.Request, modified time.Time, size int64, content io.ReadSeeker, refuse func(status int)) {
	r = r.Clone(r.Context())
	if asked := r.Header.Get("Range"); asked != "" {
		if canonical := ranges(asked, size); canonical != "" {
			r.Header.Set("Range", canonical)
		} else {
			r.Header.Del("Range")
		}
	}
	http.ServeContent(&refusing{ResponseWriter: w, refuse: refuse}, r, "", modified, content)
}

// Met reports whether what stands before a request that would change something
// is met by what is there, of this entity tag and time.
func Met(r *http.Request, etag string, modified time.Time) bool {
	probe := &http.Request{Method: http.MethodHead, Header: http.Header{}}
	for _, name := range []string{"If-Match", "If-None-Match", "If-Unmodified-Since"} {
		if value := r.Header.Get(name); value != "" {
			probe.Header.Set(name, value)
		}
	}
	if len(probe.Header) == 0 {
		return true
	}
	w := &probed{header: http.Header{"Etag": {etag}, "Content-Type": {"application/octet-stream"}}}
	http.ServeContent(w, probe, "", modified, strings.NewReader(""))
	return w.status == http.StatusOK
}

// ranges is what a Range header asks of size bytes, in the form that net/http
// takes; "" if the header is to be ignored, as one whose unit is unknown is.
func ranges(header string, size int64) string {
	unit, set, found := strings.Cut(header, "=")
	if !found || !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		return ""
	}
	none := "bytes=" + strconv.FormatInt(size, 10) + "-" // cannot be served
	var kept []string
	for element := range strings.SplitSeq(set, ",") {
		if element = strings.Trim(element, " \t"); element == "" {
			continue // as lists may have
		}
		first, last, valid := span(element, size)
		if !valid || len(kept) == maxRanges {
			return none
		}
		if first < size && last >= first {
			kept = append(kept, strconv.FormatInt(first, 10)+"-"+strconv.FormatInt(last, 10))
		}
	}
	if len(kept) == 0 {
		return none
	}
	return "bytes=" + strings.Join(kept, ",")
}

// span reads one range. If none of its bytes is there, last is before first.
func span(element string, size int64) (first, last int64, valid bool) {
	from, to, found := strings.Cut(element, "-")
	if !found {
		return 0, 0, false
	}
	last = size - 1
	if to != "" {
		if last, valid = position(to); !valid {
			return 0, 0, false
		}
	}
	if from == "" {
		return max(size-last, 0), size - 1, to != ""
	}
	if first, valid = position(from); !valid || to != "" && last < first {
		return 0, 0, false
	}
	return first, min(last, size-1), true
}

// position reads a number of whatever length; one beyond all files is the
// largest.
func position(digits string) (int64, bool) {
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		n = math.MaxInt64
	}
	return n, true
}

// refusing takes what net/http says of a request that cannot be served away,
// so that it can be said in another form.
type refusing struct {
	http.ResponseWriter
	refuse  func(status int)
	refused bool
}

func (w *refusing) WriteHeader(status int) {
	if status >= 400 {
		w.refused = true
		w.Header().Del("Cache-Control") // which is the content's
		w.refuse(status)
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *refusing) Write(p []byte) (int, error) {
	if w.refused {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController through.
func (w *refusing) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// probed keeps an answer's status alone.
type probed struct {
	header http.Header
	status int
}

func (w *probed) Header() http.Header         { return w.header }
func (w *probed) WriteHeader(status int)      { w.status = status }
func (w *probed) Write(p []byte) (int, error) { return len(p), nil }
