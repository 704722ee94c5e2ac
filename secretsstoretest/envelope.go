package secretsstoretest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// envelope is the shape of every answer of the API.
type envelope struct {
	Success    bool        `json:"success"`
	Errors     []note      `json:"errors"`
	Messages   []note      `json:"messages"`
	Result     any         `json:"result"`
	ResultInfo *resultInfo `json:"result_info,omitempty"`
}

// note is an entry of errors, messages or error_chain.
type note struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Chain   []note `json:"error_chain,omitempty"`
}

type resultInfo struct {
	Count      int `json:"count"`
	Page       int `json:"page"`
	PerPage    int `json:"per_page"`
	TotalCount int `json:"total_count"`
	TotalPages int `json:"total_pages"`
}

// oneResult is the result_info of the answers that hold a single object and are
// documented with the envelope of a list all the same: a store, the quota.
func oneResult() *resultInfo {
	return &resultInfo{Count: 1, Page: 1, PerPage: defaultPerPage, TotalCount: 1, TotalPages: 1}
}

// reply is what an operation that worked has to say.
type reply struct {
	status   int // 0: 200
	result   any
	info     *resultInfo
	messages []note
}

// failure is what an operation that was refused has to say. It is an error so that
// seeding from Go can use the same checks as the API.
type failure struct {
	status int
	errors []note
	header http.Header
}

func (f *failure) Error() string { return f.errors[0].Message }

func fail(status, code int, message string) *failure {
	return &failure{status: status, errors: []note{{Code: code, Message: message}}}
}

// The errors of the API, by its own words. The functions below those need a word
// more; what is not in Cloudflare's documentation is listed in the package's overview.
func errSecretNotFound() *failure { return fail(http.StatusNotFound, 1001, "secret_not_found") }
func errStoreNotFound() *failure  { return fail(http.StatusNotFound, 1001, "store_not_found") }
func errMissingID() *failure      { return fail(http.StatusNotFound, 1000, "not found") }
func errInvalid(word string) *failure {
	return fail(http.StatusBadRequest, 1001, word)
}
func errMaximumExceeded() *failure {
	return fail(http.StatusBadRequest, 1003, "maximum_stores_exceeded")
}
func errStoreNotEmpty() *failure { return fail(http.StatusConflict, 1003, "store_not_empty") }
func errStoreNameTaken() *failure {
	return fail(http.StatusBadRequest, 1003, "store_name_already_exists")
}
func errBodyTooLarge() *failure {
	return fail(http.StatusRequestEntityTooLarge, 1001, "request_body_too_large")
}

// errSecretNameTaken has the name behind the word where several secrets were asked
// for at once: both forms have been seen, and so clients meet both.
func errSecretNameTaken(name string, ofMany bool) *failure {
	word := "secret_name_already_exists"
	if ofMany {
		word += ": " + name
	}
	return fail(http.StatusBadRequest, 1003, word)
}

func errUnauthenticated() *failure {
	return fail(http.StatusUnauthorized, 10000, "Authentication error")
}
func errInvalidToken() *failure { return fail(http.StatusUnauthorized, 1000, "Invalid API Token") }
func errReadOnly() *failure     { return fail(http.StatusForbidden, 10000, "Authentication error") }
func errOtherAccount() *failure {
	return fail(http.StatusForbidden, 9109, "Unauthorized to access requested resource")
}
func errNoCredentials() *failure {
	return fail(http.StatusBadRequest, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
}

// errHeaders names each malformed header in its error_chain.
func errHeaders(chain ...note) *failure {
	return &failure{status: http.StatusBadRequest, errors: []note{{Code: 6003, Message: "Invalid request headers", Chain: chain}}}
}

func errNoRoute(status int, path string) *failure {
	f := fail(status, 7003, fmt.Sprintf("Could not route to %s, perhaps your object identifier is invalid?", path))
	if status == http.StatusNotFound {
		f.errors = append(f.errors, note{Code: 7000, Message: "No route for that URI"})
	}
	return f
}

func errMethod(method string, allowed []string) *failure {
	f := fail(http.StatusMethodNotAllowed, 7001, fmt.Sprintf("Method %s not available for that URI.", method))
	f.header = http.Header{"Allow": {strings.Join(allowed, ", ")}}
	return f
}

func errRateLimited() *failure {
	return fail(http.StatusTooManyRequests, 971, "Please wait and consider throttling your request speed")
}

// answer is a whole HTTP answer, before it is put on a socket or handed to a caller.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) answer() answer {
	status := r.status
	if status == 0 {
		status = http.StatusOK
	}
	return encode(status, envelope{Success: true, Messages: r.messages, Result: r.result, ResultInfo: r.info})
}

func (f *failure) answer() answer {
	a := encode(f.status, envelope{Errors: f.errors})
	for k, v := range f.header {
		a.header[k] = v
	}
	return a
}

func encode(status int, e envelope) answer {
	if e.Errors == nil {
		e.Errors = []note{}
	}
	if e.Messages == nil {
		e.Messages = []note{}
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	// Nothing that is encoded here can fail: strings, numbers, lists and structs of them.
	_ = enc.Encode(e)
	return answer{
		status: status,
		header: http.Header{"Content-Type": {"application/json"}},
		body:   bytes.TrimSuffix(body.Bytes(), []byte("\n")),
	}
}

// ErrorBody returns the JSON envelope of a failure with one error, to be used as
// the Body of a [Fault].
func ErrorBody(code int, message string) string {
	return string(fail(0, code, message).answer().body)
}
