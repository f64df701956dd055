package api

import (
	"bytes"
	_ "embed"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"coffer/internal/httpkit"
)

//go:embed docs.html.tmpl
var docsTemplate string

// docsPage is what the template shows.
type docsPage struct {
	Spec       *openapi3.T
	Tags       []docsTag
	Schemas    []docsSchema
	Problems   []kindOfProblem
	JustErrors bool
}

type docsTag struct {
	*openapi3.Tag
	Calls []docsCall
}

type docsCall struct {
	Method, Path string
	*openapi3.Operation
	Params  openapi3.Parameters
	Body    string // the type it takes, or its schema's name
	Answers []docsAnswer
	Open    bool // no token needed
}

type docsAnswer struct{ Status, Meaning, Schema string }

type docsSchema struct {
	Name    string
	Schema  *openapi3.Schema
	Members []docsMember
}

type docsMember struct {
	Name, Type, Meaning string
	Required            bool
}

// Docs shows the contract: GET /docs.
func (g *Gateway) Docs(w http.ResponseWriter, r *http.Request) { g.showPage(w, r, false) }

// DocsProblems explains the types of problems: GET /docs/problems.
func (g *Gateway) DocsProblems(w http.ResponseWriter, r *http.Request) { g.showPage(w, r, true) }

// Openapi serves the contract: GET /openapi.json.
func (g *Gateway) Openapi(w http.ResponseWriter, r *http.Request) {
	g.answers.Send(w, r, httpkit.TypeJSON, g.document)
}

func (g *Gateway) showPage(w http.ResponseWriter, r *http.Request, justErrors bool) {
	page, err := renderDocs(docsOf(g.contract.Spec, justErrors))
	if err != nil {
		g.answers.Fail(w, r, err)
		return
	}
	g.answers.Send(w, r, "text/html; charset=utf-8", page)
}

func renderDocs(p docsPage) ([]byte, error) {
	t, err := template.New("docs").Parse(docsTemplate)
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	if err := t.Execute(&page, p); err != nil {
		return nil, err
	}
	return page.Bytes(), nil
}

func docsOf(spec *openapi3.T, justErrors bool) docsPage {
	p := docsPage{Spec: spec, Problems: kindsOfProblem(), JustErrors: justErrors}
	for _, tag := range spec.Tags {
		p.Tags = append(p.Tags, docsTag{Tag: tag, Calls: callsOf(spec, tag.Name)})
	}
	for _, name := range sorted(spec.Components.Schemas) {
		p.Schemas = append(p.Schemas, schemaOf(name, spec.Components.Schemas[name].Value))
	}
	return p
}

func callsOf(spec *openapi3.T, tag string) (calls []docsCall) {
	for _, path := range spec.Paths.InMatchingOrder() {
		item := spec.Paths.Find(path)
		operations := item.Operations()
		for _, method := range sorted(operations) {
			op := operations[method]
			if !slices.Contains(op.Tags, tag) {
				continue
			}
			call := docsCall{Method: method, Path: path, Operation: op, Open: op.Security != nil && len(*op.Security) == 0}
			call.Params = append(append(call.Params, item.Parameters...), op.Parameters...)
			if op.RequestBody != nil {
				call.Body = contentName(op.RequestBody.Value.Content)
			}
			for _, status := range sorted(op.Responses.Map()) {
				answer := op.Responses.Value(status).Value
				call.Answers = append(call.Answers, docsAnswer{status, *answer.Description, contentName(answer.Content)})
			}
			calls = append(calls, call)
		}
	}
	slices.SortStableFunc(calls, func(a, b docsCall) int { return strings.Compare(a.Path, b.Path) })
	return calls
}

// contentName is the name of a content's schema, or else its media type.
func contentName(content openapi3.Content) string {
	mediaTypes := sorted(content)
	if len(mediaTypes) == 0 {
		return ""
	}
	if schema := content[mediaTypes[0]].Schema; schema != nil && schema.Ref != "" {
		return refName(schema.Ref)
	}
	return mediaTypes[0]
}

func refName(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

func schemaOf(name string, schema *openapi3.Schema) docsSchema {
	s := docsSchema{Name: name, Schema: schema}
	for _, member := range sorted(schema.Properties) {
		ref := schema.Properties[member]
		m := docsMember{Name: member, Meaning: ref.Value.Description, Required: slices.Contains(schema.Required, member)}
		switch {
		case ref.Ref != "":
			m.Type = refName(ref.Ref)
		case ref.Value.Type != nil:
			m.Type = strings.Join(ref.Value.Type.Slice(), " or ")
		}
		if len(ref.Value.Enum) > 0 && ref.Ref == "" {
			m.Type = enumOf(ref.Value.Enum)
		}
		s.Members = append(s.Members, m)
	}
	return s
}

func enumOf(values []any) string {
	var names []string
	for _, v := range values {
		if s, ok := v.(string); ok {
			names = append(names, s)
		}
	}
	return strings.Join(names, " | ")
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
