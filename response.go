package secretsstore

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Response is an answer of the API. It holds no request, so nothing of it can
// leak a credential. It is not nil whenever an answer came, also beside an error.
type Response struct {
	StatusCode int
	Header     http.Header
	ResultInfo *ResultInfo     // nil where the API sent none
	Errors     []ErrorDetail   // also those beside a success; at most 1,000, with their chains; nil where the API sent none
	Messages   []Message       // at most 1,000; nil where the API sent none
	RateLimit  *RateLimit      // nil where the API sent none; of several items, the tightest
	RayID      string          // what Cloudflare's support asks for; "" where there was none
	Attempts   int             // how often the call was tried, this answer's attempt included
	Result     json.RawMessage // as the API sent it, with the fields we don't know yet; nil where it sent none
}

// ResultInfo says which part of a list an answer holds. A number that the API
// did not send is 0.
type ResultInfo struct {
	Count      int `json:"count"`       // results on this page
	Page       int `json:"page"`        // from 1
	PerPage    int `json:"per_page"`    // most results on a page
	TotalCount int `json:"total_count"` // results on all pages
	TotalPages int `json:"total_pages,omitempty"`
}

// Message is a note that came with an answer.
type Message struct {
	Code             int         `json:"code"` // 0 where the API sent none
	Message          string      `json:"message"`
	DocumentationURL string      `json:"documentation_url,omitempty"` // "" where the API sent none
	Source           ErrorSource `json:"source,omitzero"`
}

// result is what an answer's result is decoded into. check says what it lacks.
type result interface {
	check() error
}

// none is the result of a call that promises none: whatever came will do.
type none struct{}

// UnmarshalJSON reads nothing.
func (*none) UnmarshalJSON([]byte) error { return nil }

func (*none) check() error { return nil }

// list is a result of several; each is there and is whole.
type list[E result] []E

// maxItems is how many results a long answer can list: a hundred times what the API
// gives on a page. Many more come only from a server that is after the memory, as an
// empty object takes 2 bytes to send, and 100 times that to hold.
const (
	maxItems   = 10_000
	longAnswer = 1 << 20 // bytes from which the results are counted
)

func (*list[E]) fits(raw json.RawMessage) error {
	if len(raw) < longAnswer || !json.Valid(raw) {
		return nil
	}
	items := 0
	eachItem(raw, func([]byte) bool {
		items++
		return items <= maxItems
	})
	if items > maxItems {
		return fmt.Errorf("more than %d results", maxItems)
	}
	return nil
}

func (l *list[E]) check() error {
	for i, e := range *l {
		if err := e.check(); err != nil {
			return fmt.Errorf("item %d of %d: %w", i+1, len(*l), err)
		}
	}
	return nil
}

// decode reads an answer's body into into and resp. It returns an *APIError for
// what is no success, and an error that matches ErrInvalidResponse for a success
// that can't be read; both lack what only the caller knows of the request.
func decode(resp *Response, body []byte, into result) error {
	env, err := readEnvelope(body, into)
	resp.Errors, resp.Messages, resp.ResultInfo, resp.Result = env.errors, env.messages, env.resultInfo, env.result
	if resp.StatusCode/100 != 2 || env.isWhole && !env.success {
		apiErr := &APIError{StatusCode: resp.StatusCode, Errors: resp.Errors, Messages: resp.Messages}
		if !env.isWhole {
			apiErr.Body = string(body)
		}
		return apiErr
	}
	if _, promisesNone := into.(*none); err == nil && !promisesNone {
		if resp.Result == nil {
			err = errNoResult
		} else {
			err = into.check()
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidResponse, err)
	}
	return nil
}
