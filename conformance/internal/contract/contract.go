// Package contract checks exchanges with the API against an OpenAPI document.
package contract

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/wire"
)

// Checker checks against one document. It is safe for concurrent use.
type Checker struct {
	router  routers.Router
	failure *openapi3.SchemaRef
	ids     []string
}

// New reads the document. Its paths begin at basePath, on any host.
func New(document []byte, basePath string) (*Checker, error) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, err
	}
	doc.Servers = openapi3.Servers{{URL: basePath}}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		return nil, err
	}
	c := &Checker{router: router, failure: doc.Components.Schemas["Failure"]}
	if c.failure == nil {
		return nil, errors.New("the document has no schema Failure")
	}
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			c.ids = append(c.ids, op.OperationID)
		}
	}
	slices.Sort(c.ids)
	return c, nil
}

// Operations returns the ids of all operations, sorted.
func (c *Checker) Operations() []string { return slices.Clone(c.ids) }

// Operation returns the id of the operation that was asked for; "" is none.
func (c *Checker) Operation(x wire.Exchange) string {
	input, err := c.input(x)
	if err != nil {
		return ""
	}
	return input.Route.Operation.OperationID
}

// Request returns what is wrong with a request: nothing, if it fits the document.
func (c *Checker) Request(x wire.Exchange) []string {
	input, err := c.input(x)
	if err != nil {
		return []string{fmt.Sprintf("%s %s is no operation: %v", x.Method, x.Path, err)}
	}
	findings := lines(openapi3filter.ValidateRequest(context.Background(), input))
	findings = append(findings, unknownParameters(input)...)
	if len(x.Body) > 0 && !json.Valid(x.Body) {
		findings = append(findings, "the body is not one JSON value")
	}
	if x.Header.Get("Authorization") != "" && (x.Header.Get("X-Auth-Key") != "" || x.Header.Get("X-Auth-Email") != "") {
		findings = append(findings, "there are credentials of both kinds")
	}
	return findings
}

// Answer returns what is wrong with an answer. One to what is no operation has to
// be a refusal.
func (c *Checker) Answer(x wire.Exchange) []string {
	var findings []string
	if (x.Answer.Header.Get("Retry-After") != "") != (x.Answer.Status == http.StatusTooManyRequests) {
		findings = append(findings, "Retry-After belongs to 429, and to nothing else")
	}
	if x.Answer.Status < 500 && !json.Valid(x.Answer.Body) {
		return append(findings, "the body is not one JSON value")
	}
	input, err := c.input(x)
	if err != nil {
		return append(findings, c.refusal(x)...)
	}
	return append(findings, lines(openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 x.Answer.Status,
		Header:                 x.Answer.Header,
		Body:                   io.NopCloser(bytes.NewReader(x.Answer.Body)),
		Options:                input.Options,
	}))...)
}

func (c *Checker) refusal(x wire.Exchange) (findings []string) {
	if x.Answer.Status/100 != 4 {
		findings = append(findings, fmt.Sprintf("status %d to what is no operation", x.Answer.Status))
	}
	if got := x.Answer.Header.Get("Content-Type"); got != "application/json" {
		findings = append(findings, fmt.Sprintf("Content-Type is %q", got))
	}
	var body any
	if err := json.Unmarshal(x.Answer.Body, &body); err != nil {
		return append(findings, err.Error())
	}
	return append(findings, lines(c.failure.Value.VisitJSON(body, openapi3.MultiErrors()))...)
}

func (c *Checker) input(x wire.Exchange) (*openapi3filter.RequestValidationInput, error) {
	u, err := url.ParseRequestURI(x.Path)
	if err != nil {
		return nil, err
	}
	u.RawQuery = x.Query
	r := &http.Request{Method: x.Method, URL: u, Header: x.Header.Clone(), ContentLength: int64(len(x.Body)), Body: http.NoBody}
	if len(x.Body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(x.Body))
	}
	route, params, err := c.router.FindRoute(r)
	if err != nil {
		return nil, err
	}
	options := &openapi3filter.Options{
		MultiError: true, IncludeResponseStatus: true, RejectWhenRequestBodyNotSpecified: true, SkipSettingDefaults: true,
		AuthenticationFunc: authenticate,
	}
	options.WithCustomSchemaErrorFunc(where)
	return &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options}, nil
}

// where says what is wrong, without the whole schema and value.
func where(err *openapi3.SchemaError) string {
	return fmt.Sprintf("/%s: %s", strings.Join(err.JSONPointer(), "/"), err.Reason)
}

// authenticate says whether the header of a security scheme is there.
func authenticate(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	header := in.RequestValidationInput.Request.Header
	if scheme := in.SecurityScheme; scheme.Type == "apiKey" {
		if header.Get(scheme.Name) == "" {
			return fmt.Errorf("no %s", scheme.Name)
		}
		return nil
	}
	if token, ok := strings.CutPrefix(header.Get("Authorization"), "Bearer "); !ok || token == "" || strings.ContainsAny(token, " \t") {
		return errors.New("no bearer token in Authorization")
	}
	return nil
}

// unknownParameters finds what kin-openapi lets through: parameters that are not
// in the document, and ones that are given twice.
func unknownParameters(input *openapi3filter.RequestValidationInput) (findings []string) {
	query, err := url.ParseQuery(input.Request.URL.RawQuery)
	if err != nil {
		findings = append(findings, fmt.Sprintf("query: %v", err))
	}
	for name, values := range query {
		known := input.Route.Operation.Parameters.GetByInAndName("query", name)
		if known = cmp.Or(known, input.Route.PathItem.Parameters.GetByInAndName("query", name)); known == nil {
			findings = append(findings, fmt.Sprintf("query: there is no parameter %q", name))
		} else if len(values) > 1 {
			findings = append(findings, fmt.Sprintf("query: %q is there %d times", name, len(values)))
		}
	}
	slices.Sort(findings)
	return findings
}

// lines makes one finding of each error.
func lines(err error) (findings []string) {
	if several, ok := err.(openapi3.MultiError); ok {
		for _, err := range several {
			findings = append(findings, lines(err)...)
		}
		return findings
	}
	if err != nil {
		findings = []string{err.Error()}
	}
	return findings
}
