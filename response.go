package secretsstore

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/seed-57d84f87/secretsstore-go/internal/ratelimit"
)

// A Response describes the last response that a call received. Unlike an [http.Response] it
// holds no request, and so no credential. Methods return a non-nil Response whenever one
// was received, even if the error is non-nil. Header and Body are as the server sent them,
// decompressed but not redacted; all other texts are redacted.
type Response struct {
	StatusCode int
	Header     http.Header
	Body       []byte      // truncated to 8 MiB
	ResultInfo *ResultInfo // nil if the response has none
	Errors     []Detail    // at most 100, also those of a success
	Messages   []Detail    // at most 100
	RateLimit  *RateLimit  // the one with the fewest requests remaining; nil if none was announced
	RayID      string      // identifies the request for Cloudflare's support; "" if unknown
	Attempts   int         // including this one

	limits []ratelimit.Limit
}

// DecodeResult decodes the result in r.Body into v, a non-nil pointer, for fields that the
// types of this package lack. A body without a result returns [ErrInvalidResponse], and one
// with more than 100,000 commas and opening brackets [ErrResponseTooLarge].
func (r *Response) DecodeResult(v any) error {
	var env struct {
		Result json.RawMessage `json:"result"`
	}
	if err := checkTarget(v); err != nil {
		return err
	}
	if err := checkSize(r.Body); err != nil {
		return fmt.Errorf("secretsstore: %w", err)
	}
	err := unmarshal(r.Body, &env)
	if err == nil {
		err = decodeResult(env.Result, v)
	}
	if err != nil {
		return fmt.Errorf("secretsstore: %w", invalidResponse(err))
	}
	return nil
}

// A ResultInfo describes a page of a list. A number that the API did not send is 0. In a
// list with a search, the totals can count all items, not only those that match.
type ResultInfo struct {
	Count      int `json:"count"` // results on this page
	Page       int `json:"page"`  // from 1
	PerPage    int `json:"per_page"`
	TotalCount int `json:"total_count"`
	TotalPages int `json:"total_pages,omitempty"`
}

// A Detail is an entry of the errors or messages of a response.
type Detail struct {
	Code             int      `json:"code"`    // 0 if the API sent none; one code can stand for several errors
	Message          string   `json:"message"` // a word such as secret_not_found, or a phrase
	DocumentationURL string   `json:"documentation_url,omitempty"`
	Source           Source   `json:"source,omitzero"`
	Chain            []Detail `json:"error_chain,omitempty"` // the errors that caused this one
}

// A Source is the part of the request that a [Detail] is about.
type Source struct {
	Pointer string `json:"pointer,omitempty"` // a JSON pointer into the request's body
}
