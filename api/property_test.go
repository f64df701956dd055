package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"coffer/api"
	"coffer/api/contract"
)

// Requests made up from the contract, most of them valid but for one thing,
// find no 5xx and no answer that the contract does not describe. COFFER_CASES
// says how many, COFFER_SEED which; a failure prints its seed.
func TestAgainstTheContract(t *testing.T) {
	cases, seed := environmentNumber(t, "COFFER_CASES", 2000), environmentNumber(t, "COFFER_SEED", rand.Uint64())
	t.Logf("COFFER_SEED=%d", seed)
	s := startSite(t, startCore(t).addr, func(cfg *api.Config) { cfg.MaxPacket = 64 << 10 })
	spec, err := contract.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	g := &generator{site: s, random: rand.New(rand.NewPCG(seed, 1))}
	operations := g.operations(spec)
	if len(operations) == 0 {
		t.Fatal("no operations")
	}
	statuses := make(map[int]int)
	for i := range cases {
		if i%100 == 0 {
			g.newAccounts(i) // earlier ones may be gone by now
		}
		op := operations[g.random.IntN(len(operations))]
		request := g.request(op)
		status := g.send(request)
		statuses[status]++
		if status >= 500 || t.Failed() {
			t.Fatalf("case %d, COFFER_SEED=%d: %d for %s", i, seed, status, request)
		}
	}
	t.Logf("answers by status: %v", statuses)
	for _, status := range []int{200, 204, 400, 401, 403, 404, 409, 415} {
		if statuses[status] == 0 && cases >= 2000 {
			t.Errorf("no request came to %d: the generator has become too wild or too tame", status)
		}
	}
}

func environmentNumber(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// An operation is one of the contract's.
type operation struct {
	method, path string
	*openapi3.Operation
	params openapi3.Parameters
}

// A generator makes requests up.
type generator struct {
	*site
	random *rand.Rand

	ids, uploads, tokens []string // of accounts that there are
	names                []string
}

func (g *generator) operations(spec *openapi3.T) (all []operation) {
	for _, path := range spec.Paths.InMatchingOrder() {
		item := spec.Paths.Find(path)
		for method, op := range item.Operations() {
			params := slices.Concat(item.Parameters, op.Parameters)
			all = append(all, operation{method, path, op, params})
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return all
}

// newAccounts makes two accounts with something in them, so that some requests
// are about what is there.
func (g *generator) newAccounts(round uint64) {
	a := g.account(fmt.Sprint("scripted ", round))
	g.put(a, "plain.txt", []byte("content"))
	begun := g.must(201, "POST", "/api/v1/uploads", m{"filename": "begun"}, a.headers...)
	id, headers := g.withPassword(fmt.Sprint("person ", round), "secret")
	proven := g.signIn(m{"username": fmt.Sprint("scripted ", round), "client_id": a.id})
	g.ids = []string{a.id, id}
	g.uploads = []string{begun["upload_id"].(string)}
	g.tokens = []string{"Bearer " + a.token, headers[1], proven[1]}
	g.names = []string{"plain.txt", "begun", fmt.Sprint("scripted ", round), fmt.Sprint("person ", round)}
}

func (g *generator) chance(oneIn int) bool { return g.random.IntN(oneIn) == 0 }

func pick[T any](g *generator, from []T) T { return from[g.random.IntN(len(from))] }

// A request is one that was made up.
type request struct {
	method, target string
	header         http.Header
	body           []byte
	hasBody        bool
}

func (r request) String() string {
	body := r.body
	if len(body) > 300 {
		body = append(slices.Clone(body[:300]), "..."...)
	}
	return fmt.Sprintf("%s %s %v %q", r.method, r.target, r.header, body)
}

func (g *generator) request(op operation) request {
	r := request{method: op.method, header: make(http.Header)}
	target, query := op.path, url.Values{}
	for _, ref := range op.params {
		p := ref.Value
		if !p.Required && g.chance(2) {
			continue
		}
		text := g.text(g.value(p.Schema, p.Name))
		switch p.In {
		case "path":
			target = strings.ReplaceAll(target, "{"+p.Name+"}", url.PathEscape(text))
		case "query":
			query.Add(p.Name, text)
			if g.chance(30) {
				query.Add(p.Name, text)
			}
		case "header":
			r.header.Set(p.Name, headerText(text))
		}
	}
	if len(g.ids) > 0 && !g.chance(4) {
		r.header.Set("X-Client-ID", g.ids[0])
	}
	if !g.chance(10) {
		r.header.Set("Authorization", pick(g, g.tokens))
	} else if g.chance(2) {
		r.header.Set("Authorization", headerText("Bearer "+g.strange()))
	}
	if g.chance(30) {
		query.Set(g.strange(), g.strange())
	}
	if r.target = target; len(query) > 0 {
		r.target += "?" + query.Encode()
	}
	g.body(op, &r)
	if g.chance(30) {
		r.method = pick(g, []string{"GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS"})
	}
	return r
}

func (g *generator) body(op operation, r *request) {
	if op.RequestBody == nil || g.chance(40) {
		return
	}
	r.hasBody = true
	contentType := "application/json"
	if media := op.RequestBody.Value.Content.Get("application/json"); media != nil {
		text, err := json.Marshal(g.value(media.Schema, "body"))
		if err != nil {
			g.t.Fatal(err)
		}
		r.body = text
	} else {
		contentType = "application/octet-stream"
		r.body = []byte(g.strange())
		if g.chance(5) {
			r.body = bytes.Repeat([]byte("x"), g.random.IntN(100_000))
		}
	}
	switch {
	case g.chance(30) && len(r.body) > 0:
		r.body = r.body[:g.random.IntN(len(r.body))]
	case g.chance(30):
		r.body = append(r.body, g.strange()...)
	}
	if g.chance(25) {
		contentType = pick(g, []string{"text/plain", "application/xml", "application/json; charset=utf-16", "", "/"})
	}
	if contentType != "" {
		r.header.Set("Content-Type", contentType)
	}
}

// value makes up a value for a schema, mostly one that it allows.
func (g *generator) value(ref *openapi3.SchemaRef, name string) any {
	if g.chance(25) {
		return g.wrong()
	}
	schema := ref.Value
	if known := g.known(ref.Ref, name); known != nil && !g.chance(4) {
		return pick(g, known)
	}
	switch {
	case len(schema.Enum) > 0:
		return pick(g, schema.Enum)
	case schema.Type.Is("object"):
		return g.object(schema)
	case schema.Type.Is("array"):
		return []any{g.value(schema.Items, name)}
	case schema.Type.Is("boolean"):
		return g.chance(2)
	case schema.Type.Is("integer"):
		return g.integer(schema)
	case schema.Type.Is("string"):
		return g.str(schema, name)
	}
	return nil
}

// known lists what there is of a thing that a schema or a parameter names.
func (g *generator) known(ref, name string) []string {
	switch ref[strings.LastIndexByte(ref, '/')+1:] {
	case "ClientID":
		return g.ids
	case "UploadID":
		return g.uploads
	case "Filename":
		return g.names
	case "Username":
		return g.names[2:]
	case "Checksum":
		return []string{checksum([]byte("content")), "0x0", "4294967295", "12"}
	case "Password":
		return []string{"secret", "another"}
	}
	switch name {
	case "filename", "after":
		return g.names
	case "encrypted_data", "key_bundle", "public_key_der":
		return []string{"", "AAAA", "AAA=", "AAAAAAAAAAAAAAAAAAAAAA=="}
	}
	return nil
}

func (g *generator) object(schema *openapi3.Schema) map[string]any {
	object := make(map[string]any)
	names := make([]string, 0, len(schema.Properties))
	for name := range schema.Properties {
		names = append(names, name)
	}
	slices.Sort(names) // for the same seed the same request
	for _, name := range names {
		required := slices.Contains(schema.Required, name)
		if required && g.chance(30) || !required && g.chance(2) {
			continue
		}
		object[name] = g.value(schema.Properties[name], name)
	}
	if g.chance(20) {
		object[g.strange()] = g.wrong()
	}
	return object
}

func (g *generator) integer(schema *openapi3.Schema) any {
	least, most := int64(0), int64(math.MaxInt32)
	if schema.Min != nil {
		least = int64(*schema.Min)
	}
	if schema.Max != nil {
		most = int64(*schema.Max)
	}
	switch g.random.IntN(8) {
	case 0:
		return least
	case 1:
		return most
	case 2:
		return least - 1
	case 3:
		return json.Number(strconv.FormatInt(most, 10) + "0")
	case 4:
		return least + g.random.Int64N(most-least+1)
	}
	return least + g.random.Int64N(min(4, most-least+1))
}

func (g *generator) str(schema *openapi3.Schema, name string) string {
	switch g.random.IntN(6) {
	case 0:
		return g.strange()
	case 1:
		if schema.MaxLength != nil {
			return strings.Repeat("é", int(*schema.MaxLength)+g.random.IntN(3)-1)
		}
	case 2:
		return strings.Repeat("a", int(schema.MinLength))
	}
	return fmt.Sprintf("%s %d", name, g.random.IntN(20))
}

// wrong is a value that hardly anything allows.
func (g *generator) wrong() any {
	deep := any("x")
	for range g.random.IntN(40) {
		deep = []any{deep}
	}
	return pick(g, []any{nil, true, -1, 1.5, json.Number("1e400"), json.Number("123456789012345678901234567890"),
		g.strange(), []any{}, map[string]any{}, map[string]any{"x": nil}, deep})
}

// strange is a text that trips up who does not expect it.
func (g *generator) strange() string {
	return pick(g, []string{"", " ", ".", "..", "../../etc/passwd", "a/../b", "/absolute", `back\slash`, "nul\x00nul", "line\nbreak",
		"שלום עולם", "e\u0301", "\u202Egpj.exe", "🔑", "\xff\xfe", "%00", "%2e%2e%2f", "'; DROP TABLE clients;--", "<script>", "null",
		"0x", "-0", "1e9", strings.Repeat("x", 255), strings.Repeat("é", 128), strings.Repeat("y", 5000)})
}

// text writes a value as paths and queries have it.
func (g *generator) text(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	text, err := json.Marshal(value)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(text)
}

// headerText leaves out what no HTTP client sends in a header.
func headerText(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return -1
		}
		return r
	}, text)
}

// send sends a request and checks its answer against the contract.
func (g *generator) send(r request) int {
	g.t.Helper()
	var body io.Reader
	if r.hasBody {
		body = bytes.NewReader(r.body)
	}
	var headers []string
	for name := range r.header {
		headers = append(headers, name, r.header.Get(name))
	}
	return g.call(r.method, r.target, body, headers...).status
}
