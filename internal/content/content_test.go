package content

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	text = "0123456789"
	etag = `"tag"`
)

var modified = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// serve serves ten bytes to a request with headers, "Name: value" each.
func serve(method string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	Normalize(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		w.Header().Set("Cache-Control", "immutable")
		w.Header().Set("Content-Type", "application/octet-stream")
		Serve(w, r, modified, int64(len(text)), strings.NewReader(text), func(status int) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte("refused"))
		})
	})).ServeHTTP(w, r)
	return w
}

// RFC 9110, chapter 14.
func TestRanges(t *testing.T) {
	for _, test := range []struct {
		method, header string
		status         int
		body, span     string
	}{
		{"GET", "bytes=0-0", 206, "0", "bytes 0-0/10"},
		{"GET", "bytes=2-4", 206, "234", "bytes 2-4/10"},
		{"GET", "bytes=7-", 206, "789", "bytes 7-9/10"},
		{"GET", "bytes=-3", 206, "789", "bytes 7-9/10"},
		{"GET", "bytes=-10", 206, text, "bytes 0-9/10"},
		{"GET", "bytes=-11", 206, text, "bytes 0-9/10"},
		{"GET", "bytes=-99999999999999999999999", 206, text, "bytes 0-9/10"},
		{"GET", "bytes=8-99999999999999999999999", 206, "89", "bytes 8-9/10"},
		{"GET", "bytes=8-10", 206, "89", "bytes 8-9/10"},
		{"GET", "bytes=0000000000000000000000001-2", 206, "12", "bytes 1-2/10"},
		{"GET", "Bytes=2-4", 206, "234", "bytes 2-4/10"}, // units know no case
		{"GET", "BYTES=2-4", 206, "234", "bytes 2-4/10"},
		{"GET", "bytes= 2-4 , ", 206, "234", "bytes 2-4/10"}, // lists may have empty elements
		{"GET", "bytes=-0,2-4", 206, "234", "bytes 2-4/10"},
		{"GET", "bytes=10-,2-4", 206, "234", "bytes 2-4/10"},
		{"GET", "bytes=-0", 416, "refused", "bytes */10"},
		{"GET", "bytes=10-", 416, "refused", "bytes */10"},
		{"GET", "bytes=10-20", 416, "refused", "bytes */10"},
		{"GET", "bytes=99999999999999999999999-", 416, "refused", "bytes */10"},
		{"GET", "bytes=4-2", 416, "refused", "bytes */10"}, // not a range; refusing it is allowed
		{"GET", "bytes=", 416, "refused", "bytes */10"},
		{"GET", "bytes=-", 416, "refused", "bytes */10"},
		{"GET", "bytes=a-b", 416, "refused", "bytes */10"},
		{"GET", "bytes=+1-2", 416, "refused", "bytes */10"},
		{"GET", "bytes=1", 416, "refused", "bytes */10"},
		{"GET", "bytes=" + strings.Repeat("1-1,", 17), 416, "refused", "bytes */10"}, // too many
		{"GET", "lines=1-2", 200, text, ""},                                          // must be ignored
		{"GET", "bytes", 200, text, ""},
		{"GET", "bytes 1-2", 200, text, ""},
		{"HEAD", "bytes=1-2", 200, "", ""}, // defined for GET alone
		{"HEAD", "bytes=10-", 200, "", ""},
	} {
		w := serve(test.method, "Range: "+test.header)
		if w.Code != test.status || w.Body.String() != test.body || w.Header().Get("Content-Range") != test.span {
			t.Errorf("%s, Range: %s: %d %q, %q", test.method, test.header, w.Code, w.Body, w.Header().Get("Content-Range"))
		}
	}
	if w := serve("GET", "Range: bytes=0-1,8-9"); w.Code != 206 || !strings.HasPrefix(w.Header().Get("Content-Type"), "multipart/byteranges") {
		t.Errorf("two ranges: %d %v", w.Code, w.Header())
	}
	if w := serve("GET", "Range: bytes=0-1", "Range: bytes=2-3"); w.Code != 200 {
		t.Errorf("two headers: %d", w.Code)
	}
}

// RFC 9110, chapter 13, and in which order what counts.
func TestPreconditions(t *testing.T) {
	const before, at, after = "Sun, 01 Nov 2026 11:59:59 GMT", "Sun, 01 Nov 2026 12:00:00 GMT", "Sun, 01 Nov 2026 12:00:01 GMT"
	for _, test := range []struct {
		headers []string
		status  int
	}{
		{[]string{`If-Match: "tag"`}, 200},
		{[]string{`If-Match: *`}, 200},
		{[]string{`If-Match: "other", "tag"`}, 200},
		{[]string{`If-Match: "other"`, `If-Match: "tag"`}, 200},
		{[]string{`If-Match: "other"`}, 412},
		{[]string{`If-Match: W/"tag"`}, 412}, // compared strongly
		{[]string{`If-Match: tag`}, 412},
		{[]string{`If-None-Match: "tag"`}, 304},
		{[]string{`If-None-Match: W/"tag"`}, 304}, // compared weakly
		{[]string{`If-None-Match: *`}, 304},
		{[]string{`If-None-Match: "other"`, `If-None-Match: "tag"`}, 304},
		{[]string{`If-None-Match: "other"`}, 200},
		{[]string{"If-Unmodified-Since: " + before}, 412},
		{[]string{"If-Unmodified-Since: " + at}, 200},
		{[]string{"If-Unmodified-Since: yesterday"}, 200}, // no date: ignored
		{[]string{"If-Modified-Since: " + at}, 304},
		{[]string{"If-Modified-Since: " + after}, 304},
		{[]string{"If-Modified-Since: " + before}, 200},
		{[]string{"If-Modified-Since: yesterday"}, 200},
		// The tag counts, not the time.
		{[]string{`If-Match: "tag"`, "If-Unmodified-Since: " + before}, 200},
		{[]string{`If-None-Match: "other"`, "If-Modified-Since: " + at}, 200},
		{[]string{`If-Match: "other"`, `If-None-Match: "tag"`}, 412},
		// Ranges come last.
		{[]string{`If-Match: "other"`, "Range: bytes=99-"}, 412},
		{[]string{`If-None-Match: "tag"`, "Range: bytes=0-1"}, 304},
		{[]string{`If-Match: "tag"`, "Range: bytes=0-1"}, 206},
		{[]string{`If-Range: "tag"`, "Range: bytes=0-1"}, 206},
		{[]string{`If-Range: "other"`, "Range: bytes=0-1"}, 200},
		{[]string{`If-Range: "other"`, "Range: bytes=99-"}, 200},
		{[]string{`If-Range: W/"tag"`, "Range: bytes=0-1"}, 200}, // compared strongly
		{[]string{"If-Range: " + at, "Range: bytes=0-1"}, 206},
		{[]string{"If-Range: " + after, "Range: bytes=0-1"}, 200},
		{[]string{`If-Range: "other"`}, 200},
	} {
		if w := serve("GET", test.headers...); w.Code != test.status {
			t.Errorf("%q: %d, want %d", test.headers, w.Code, test.status)
		}
	}
	for status, header := range map[int]string{200: `If-Match: "tag"`, 412: `If-Match: "other"`, 416: "Range: bytes=-0"} {
		if w := serve("GET", header); w.Code != status || (w.Header().Get("Cache-Control") != "") != (status == 200) {
			t.Errorf("%s: %d, %v", header, w.Code, w.Header())
		}
	}
	if w := serve("GET", `If-None-Match: "tag"`); w.Header().Get("ETag") != etag || w.Body.Len() > 0 {
		t.Errorf("304: %v %q", w.Header(), w.Body)
	}
}

func TestMet(t *testing.T) {
	for _, test := range []struct {
		header string
		met    bool
	}{
		{"", true},
		{`If-Match: "tag"`, true},
		{`If-Match: *`, true},
		{`If-Match: "other"`, false},
		{`If-None-Match: *`, false},
		{`If-None-Match: "tag"`, false},
		{`If-None-Match: "other"`, true},
		{"If-Unmodified-Since: Sun, 01 Nov 2026 11:00:00 GMT", false},
		{"If-Unmodified-Since: Sun, 01 Nov 2026 12:00:00 GMT", true},
		{"If-Modified-Since: Sun, 01 Nov 2026 12:00:00 GMT", true}, // for GET and HEAD alone
	} {
		r := httptest.NewRequest("DELETE", "/", nil)
		if name, value, found := strings.Cut(test.header, ": "); found {
			r.Header.Set(name, value)
		}
		if got := Met(r, etag, modified); got != test.met {
			t.Errorf("%s: %v", test.header, got)
		}
	}
}

// RFC 9110, 12.5.3.
func TestAcceptEncoding(t *testing.T) {
	for _, test := range []struct {
		headers []string
		coding  string
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"gzip"}, "gzip"},
		{[]string{"GZIP"}, "gzip"},
		{[]string{"x-gzip"}, "gzip"},
		{[]string{"gzip;q=0"}, ""},
		{[]string{"gzip;q=0.000"}, ""},
		{[]string{"gzip; Q=0"}, ""},
		{[]string{"gzip;q=0.001"}, "gzip"},
		{[]string{"gzip;q=1.0, identity;q=0.5"}, "gzip"},
		{[]string{"gzip;q=0.5, identity"}, ""},
		{[]string{"identity"}, ""},
		{[]string{"deflate"}, ""}, // whose meaning differs between programs
		{[]string{"br, deflate, gzip;q=0.1"}, "gzip"},
		{[]string{"br", "gzip"}, "gzip"},
		{[]string{"*"}, "gzip"},
		{[]string{"*;q=0"}, ""},
		{[]string{"gzip;q=0, *"}, ""},
		{[]string{"gzip, *;q=0"}, "gzip"},
		{[]string{"gzip;q=two"}, ""},
		{[]string{"gzip;q=NaN"}, ""},
		{[]string{"gzipped"}, ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Accept-Encoding"] = test.headers
		w := httptest.NewRecorder()
		Normalize(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Coding", r.Header.Get("Accept-Encoding")+strconv.Itoa(len(r.Header.Values("Accept-Encoding"))))
		})).ServeHTTP(w, r)
		want := "0"
		if test.coding != "" {
			want = test.coding + "1"
		}
		if got := w.Header().Get("X-Coding"); got != want || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: %q, Vary: %q", test.headers, got, w.Header().Get("Vary"))
		}
	}
}
