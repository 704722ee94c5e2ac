package secretsstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// Response is an answer of the API. It holds no request, so nothing of it can
// leak a credential. It is not nil whenever an answer came, also beside an error.
type Response struct {
	StatusCode int
	Header     http.Header
	ResultInfo *ResultInfo // nil where the API sent none
	Messages   []Message
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

// envelope is what each answer of the API is. Result holds a pointer to what the
// result is decoded into; JSON's null sets it to nil.
type envelope struct {
	Success    any         `json:"success"`
	Errors     entries     `json:"errors"`
	Messages   entries     `json:"messages"`
	Result     any         `json:"result"`
	ResultInfo *resultInfo `json:"result_info"`
}

type resultInfo struct {
	Count      number `json:"count"`
	Page       number `json:"page"`
	PerPage    number `json:"per_page"`
	TotalCount number `json:"total_count"`
	TotalPages number `json:"total_pages"`
}

// number is a whole number however it is written: 20, 20.0 or 2e1. What is no
// whole number from 0 to 2^53 says nothing of a list, and counts as not sent.
type number int

// UnmarshalJSON reads a number, and never fails.
func (n *number) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(string(b), 64)
	if err == nil && 0 <= f && f <= 1<<53 && f <= math.MaxInt && f == math.Trunc(f) {
		*n = number(f)
	}
	return nil
}

// entries are the errors or messages of an answer, whatever shape they have: a
// list of objects, of strings, or null.
type entries []ErrorDetail

// UnmarshalJSON reads the entries, and never fails: an answer is judged by its
// success and its status, not by how it words its errors.
//
// The entries are read into plain values first. A nested UnmarshalJSON would read
// a chain of errors once for each of its links.
func (e *entries) UnmarshalJSON(b []byte) error {
	*e = nil
	if len(b) <= len("[]") || string(b) == "null" {
		return nil
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, item := range list {
		*e = append(*e, detail(item, 0))
	}
	return nil
}

// maxChain is how far a chain of errors is followed.
const maxChain = 8

func detail(v any, depth int) ErrorDetail {
	switch v := v.(type) {
	case string:
		return ErrorDetail{Message: v}
	case map[string]any:
		var d ErrorDetail
		d.Message, _ = v["message"].(string)
		d.DocumentationURL, _ = v["documentation_url"].(string)
		switch code := v["code"].(type) {
		case float64:
			d.Code = int(max(math.MinInt32, min(math.MaxInt32, code)))
		case string:
			d.Code, _ = strconv.Atoi(code)
		}
		if source, ok := v["source"].(map[string]any); ok {
			d.Source.Pointer, _ = source["pointer"].(string)
		}
		if chain, ok := v["error_chain"].([]any); ok && depth < maxChain {
			for _, item := range chain {
				d.Chain = append(d.Chain, detail(item, depth+1))
			}
		}
		return d
	}
	text, _ := json.Marshal(v)
	return ErrorDetail{Message: string(text)}
}

func (e entries) messages() []Message {
	if len(e) == 0 {
		return nil
	}
	messages := make([]Message, len(e))
	for i, d := range e {
		messages[i] = Message{Code: d.Code, Message: d.Message, DocumentationURL: d.DocumentationURL, Source: d.Source}
	}
	return messages
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

func (l *list[E]) check() error {
	for i, e := range *l {
		if err := e.check(); err != nil {
			return fmt.Errorf("item %d of %d: %w", i+1, len(*l), err)
		}
	}
	return nil
}

var (
	errNoSuccess = errors.New("no success field")
	errNoResult  = errors.New("no result")
	errTwice     = errors.New("two results")
)

// decode reads an answer's body into into and resp. It returns an *APIError for
// what is no success, and an error that matches ErrInvalidResponse for a success
// that can't be read; both lack what only the caller knows of the request.
func decode(resp *Response, body []byte, into result) error {
	env := envelope{Result: into}
	err := json.Unmarshal(body, &env)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		env = envelope{}
	}
	success, isEnvelope := env.Success.(bool)
	if isEnvelope {
		resp.Messages = env.Messages.messages()
		if r := env.ResultInfo; r != nil {
			resp.ResultInfo = &ResultInfo{int(r.Count), int(r.Page), int(r.PerPage), int(r.TotalCount), int(r.TotalPages)}
		}
		var n int
		if resp.Result, n = rawResult(body); n > 1 && err == nil {
			// encoding/json would mix the two.
			err = errTwice
		}
	}
	if resp.StatusCode/100 != 2 || isEnvelope && !success {
		apiErr := &APIError{StatusCode: resp.StatusCode, Errors: env.Errors, Messages: resp.Messages}
		if !isEnvelope {
			apiErr.Body = string(body)
		}
		return apiErr
	}
	if err == nil {
		switch _, promisesNone := into.(*none); {
		case !isEnvelope:
			err = errNoSuccess
		case promisesNone:
		case env.Result == nil || resp.Result == nil:
			err = errNoResult
		default:
			err = into.check()
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidResponse, err)
	}
	return nil
}

// rawResult returns the last result in body, nil where it is null or absent, and
// how many there are. body is valid JSON. Names are compared as encoding/json
// compares them, without regard to case.
func rawResult(body []byte) (raw json.RawMessage, n int) {
	i := skipSpace(body, 0)
	if i == len(body) || body[i] != '{' {
		return nil, 0
	}
	for i = skipSpace(body, i+1); i < len(body) && body[i] != '}'; i = skipSpace(body, i) {
		if body[i] == ',' {
			i = skipSpace(body, i+1)
		}
		nameEnd := skipValue(body, i)
		name := body[i:nameEnd]
		i = min(skipSpace(body, skipSpace(body, nameEnd)+1), len(body)) // past the colon
		valueEnd := max(i, skipValue(body, i))
		if isResult(name) {
			n++
			raw = json.RawMessage(body[i:valueEnd:valueEnd])
		}
		i = valueEnd
	}
	if string(raw) == "null" {
		raw = nil
	}
	return raw, n
}

// isResult says whether a quoted name is "result".
func isResult(quoted []byte) bool {
	if bytes.IndexByte(quoted, '\\') >= 0 {
		var name string
		if json.Unmarshal(quoted, &name) != nil {
			return false
		}
		return strings.EqualFold(name, "result")
	}
	return bytes.EqualFold(quoted, []byte(`"result"`))
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipValue returns where the value that starts at b[i] ends.
func skipValue(b []byte, i int) int {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = closingQuote(b, i)
			if depth == 0 {
				return min(i+1, len(b))
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // of the object around a number or a literal
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}

// closingQuote returns where the string that opens at b[i] closes.
func closingQuote(b []byte, i int) int {
	for {
		next := bytes.IndexByte(b[i+1:], '"')
		if next < 0 {
			return len(b)
		}
		i += 1 + next
		escapes := 0
		for b[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
}
