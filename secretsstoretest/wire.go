package secretsstoretest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"
)

// reply is the result of an operation that succeeded.
type reply struct {
	status   int // 0: 200
	result   any
	info     *resultInfo
	messages []message
}

// failure is the error of a request that did not succeed.
type failure struct {
	status int
	errors []message
	header http.Header
}

func (f *failure) Error() string { return f.errors[0].Message }

type envelope struct {
	Success    bool        `json:"success"`
	Errors     []message   `json:"errors"`
	Messages   []message   `json:"messages"`
	Result     any         `json:"result"`
	ResultInfo *resultInfo `json:"result_info,omitempty"`
}

type message struct {
	Code    int       `json:"code"`
	Message string    `json:"message"`
	Chain   []message `json:"error_chain,omitempty"`
}

type resultInfo struct {
	Count      int `json:"count"`
	Page       int `json:"page"`
	PerPage    int `json:"per_page"`
	TotalCount int `json:"total_count"`
	TotalPages int `json:"total_pages"`
}

// newResultInfo describes a page of a list.
func newResultInfo(l listing, count, total int) *resultInfo {
	return &resultInfo{count, l.page, l.perPage, total, (total + l.perPage - 1) / l.perPage}
}

// singleResult is the result_info of responses that hold one object although the API
// defines them with the envelope of a list.
func singleResult() *resultInfo {
	return newResultInfo(listing{page: 1, perPage: defaultPerPage}, 1, 1)
}

// timestamp returns a time as the API writes it.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// secretJSON is a secret as the API returns it.
type secretJSON struct {
	ID       string   `json:"id"`
	Created  string   `json:"created"`
	Modified string   `json:"modified"`
	Name     string   `json:"name"`
	Status   string   `json:"status"`
	StoreID  string   `json:"store_id"`
	Comment  string   `json:"comment,omitempty"`
	Scopes   []string `json:"scopes"`
}

func newSecretJSON(s secret) secretJSON {
	return secretJSON{s.id, timestamp(s.created), timestamp(s.modified), s.name, s.status, s.storeID, s.comment, s.scopes}
}

// storeJSON is a store as the API returns it.
type storeJSON struct {
	ID        string `json:"id"`
	AccountID string `json:"account_id"`
	Name      string `json:"name"`
	Created   string `json:"created"`
	Modified  string `json:"modified"`
}

func newStoreJSON(s *store) storeJSON {
	return storeJSON{s.id, s.accountID, s.name, timestamp(s.created), timestamp(s.created)}
}

// each converts the items of a list. Its result is never nil.
func each[T, U any](items []T, convert func(T) U) []U {
	converted := make([]U, 0, len(items))
	for _, item := range items {
		converted = append(converted, convert(item))
	}
	return converted
}

func fail(status, code int, text string) *failure {
	return &failure{status: status, errors: []message{{Code: code, Message: text}}}
}

// newFailure returns the failure of any error of an operation.
func newFailure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	status, code := http.StatusBadRequest, 1001
	var r refusal
	errors.As(err, &r)
	switch word := r.word; {
	case strings.HasSuffix(word, "_not_found"):
		status = http.StatusNotFound
	case word == "store_not_empty":
		status, code = http.StatusConflict, 1003
	case strings.HasSuffix(word, "_already_exists"), strings.HasPrefix(word, "maximum_"):
		code = 1003
	}
	return fail(status, code, err.Error())
}

func errInvalidJSON() error { return fail(http.StatusBadRequest, 1001, "invalid_json_body") }
func errMissingID() error   { return fail(http.StatusNotFound, 1000, "not found") }

func errNoRoute(status int, path string) error {
	f := fail(status, 7003, fmt.Sprintf("Could not route to %s, perhaps your object identifier is invalid?", path))
	f.errors = append(f.errors, message{Code: 7000, Message: "No route for that URI"})
	return f
}

func errMethodNotAllowed(allowed []string) error {
	f := fail(http.StatusMethodNotAllowed, 10405, "Method not allowed for this authentication scheme")
	f.header = http.Header{"Allow": {strings.Join(allowed, ", ")}}
	return f
}

func (r reply) response() response {
	status := r.status
	if status == 0 {
		status = http.StatusOK
	}
	return encode(status, envelope{Success: true, Messages: r.messages, Result: r.result, ResultInfo: r.info})
}

func (f *failure) response() response {
	res := encode(f.status, envelope{Errors: f.errors})
	maps.Copy(res.header, f.header)
	return res
}

func encode(status int, e envelope) response {
	if e.Errors == nil {
		e.Errors = []message{}
	}
	if e.Messages == nil {
		e.Messages = []message{}
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(e) // never fails: strings, numbers, and lists and structs of them
	return response{
		status: status,
		header: http.Header{"Content-Type": {"application/json"}},
		body:   bytes.TrimSuffix(body.Bytes(), []byte("\n")),
	}
}

// ErrorBody returns the API's JSON envelope of a failure with one error. It is meant for
// the Body of a [Fault].
func ErrorBody(code int, text string) string {
	return string(fail(0, code, text).response().body)
}
