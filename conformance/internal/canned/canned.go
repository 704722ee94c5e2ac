// Package canned answers requests of the Secrets Store from memory, with as little
// work of its own as it takes, so that what is measured is the client.
package canned

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// What the requests and answers name.
const (
	BaseURL   = "https://secretsstore.invalid/client/v4"
	Token     = "canned-token-of-about-forty-characters-0"
	AccountID = "699d98642c564d2e855e9661899b7252"
	StoreID   = "023e105f4ecef8ad9ca31a8372d0c353"
	SecretID  = "3fd85f74b32742f1bff64a85009dda07"
)

const patched = `{"success":true,"errors":[],"messages":[],"result":{"id":"3fd85f74b32742f1bff64a85009dda07",` +
	`"created":"2025-03-21T18:56:32.624632Z","modified":"2025-09-21T18:56:32.624632Z","name":"MY_API_KEY",` +
	`"status":"pending","store_id":"023e105f4ecef8ad9ca31a8372d0c353","comment":"rotated by the nightly job",` +
	`"scopes":["ai_gateway","workers"]}}`

// Answers is the memory: an http.RoundTripper, and an http.Handler.
type Answers struct {
	header http.Header
	patch  []byte
	pages  [][]byte // of 100 secrets each, and an empty one
}

// New returns answers of a store with so many secrets.
func New(secrets int) *Answers {
	a := &Answers{patch: []byte(patched), header: http.Header{
		"Content-Type":     {"application/json"},
		"Cf-Ray":           {"8f1d2a3b4c5d6e7f-AMS"},
		"Ratelimit":        {`"default";r=1198;t=297`},
		"Ratelimit-Policy": {`"default";q=1200;w=300`},
		"Server":           {"cloudflare"},
		"Date":             {"Sun, 21 Sep 2025 18:56:32 GMT"},
	}}
	const perPage = 100
	for start := 0; start < secrets; start += perPage {
		a.pages = append(a.pages, page(start, min(secrets, start+perPage), secrets, len(a.pages)+1))
	}
	a.pages = append(a.pages, page(secrets, secrets, secrets, len(a.pages)+1))
	return a
}

func page(start, end, total, number int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"success":true,"errors":[],"messages":[],"result":[`)
	for i := start; i < end; i++ {
		if i > start {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"%032x","created":"2025-03-21T18:56:32.624632Z","modified":"2025-09-21T18:56:32.624632Z",`+
			`"name":"SECRET_%d","status":"active","store_id":"%s","comment":"number %d","scopes":["ai_gateway","workers"]}`,
			i+1, i, StoreID, i)
	}
	fmt.Fprintf(&b, `],"result_info":{"count":%d,"page":%d,"per_page":100,"total_count":%d}}`, end-start, number, total)
	return b.Bytes()
}

func (a *Answers) answer(r *http.Request) []byte {
	if r.Method != http.MethodGet {
		return a.patch
	}
	number := 1
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if value, ok := strings.CutPrefix(pair, "page="); ok {
			number, _ = strconv.Atoi(value)
		}
	}
	return a.pages[min(max(number, 1), len(a.pages))-1]
}

// answerBody is a body that needs one allocation.
type answerBody struct{ bytes.Reader }

func (*answerBody) Close() error { return nil }

// RoundTrip reads the request and answers it.
func (a *Answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if err := drain(r.Body); err != nil {
			return nil, err
		}
		if err := r.Body.Close(); err != nil {
			return nil, err
		}
	}
	b := a.answer(r)
	body := new(answerBody)
	body.Reset(b)
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: body, ContentLength: int64(len(b)), Request: r,
	}, nil
}

// drain reads to the end as net/http's own transport does: with a WriterTo where
// there is one.
func drain(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// ServeHTTP does the same over a socket.
func (a *Answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := drain(r.Body); err != nil {
		return
	}
	b := a.answer(r)
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b)
}
