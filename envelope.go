package secretsstore

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
)

// envelope is what each answer of the API is.
type envelope struct {
	isWhole bool // it is JSON, and says whether the call was a success
	success bool
	// These are what they are in a Response or an APIError, and nil where the
	// envelope is not whole.
	errors     []ErrorDetail
	messages   []Message
	resultInfo *ResultInfo
	result     json.RawMessage
}

var (
	errNoObject  = errors.New("no JSON object")
	errNoSuccess = errors.New("no success field")
	errNoResult  = errors.New("no result")
	errTwice     = errors.New("two results")
)

// readEnvelope reads an answer, and its result into into. The error says what can't
// be read; what can is there beside it, unless body is no JSON.
//
// It goes over the envelope once: each part is found by where it ends, and is
// read by encoding/json by itself. That a part is JSON is left to that, so body is
// known to be JSON where nothing failed, and is looked at as a whole where
// something did.
func readEnvelope(body []byte, into result) (envelope, error) {
	p, ok := split(body)
	if !ok {
		return envelope{}, cmp.Or(json.Unmarshal(body, new(none)), errNoObject)
	}
	var env envelope
	var failed error
	fail := func(err error) { failed = cmp.Or(failed, err) }
	switch string(p.values[partSuccess]) {
	case "true":
		env.isWhole, env.success = true, true
	case "false":
		env.isWhole = true
	default:
		fail(errNoSuccess)
	}
	var err error
	env.errors, err = readDetails(p.values[partErrors])
	fail(err)
	messages, err := readDetails(p.values[partMessages])
	fail(err)
	for _, m := range messages {
		env.messages = append(env.messages, Message{Code: m.Code, Message: m.Message, DocumentationURL: m.DocumentationURL, Source: m.Source})
	}
	env.resultInfo, err = readResultInfo(p.values[partResultInfo])
	fail(err)
	if raw := p.values[partResult]; !isNone(raw) {
		env.result = raw
	}
	switch {
	case p.twice:
		fail(errTwice) // encoding/json would mix the two
	case env.result != nil:
		fail(json.Unmarshal(env.result, into))
	}
	if failed != nil {
		if err := json.Unmarshal(body, new(none)); err != nil {
			return envelope{}, err
		}
		if !env.isWhole {
			return envelope{}, failed
		}
	}
	return env, failed
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

func readResultInfo(raw json.RawMessage) (*ResultInfo, error) {
	if isNone(raw) {
		return nil, nil
	}
	var r resultInfo
	err := json.Unmarshal(raw, &r)
	return &ResultInfo{int(r.Count), int(r.Page), int(r.PerPage), int(r.TotalCount), int(r.TotalPages)}, err
}

// readDetails reads the errors or messages of an answer, whatever shape they have:
// a list of objects, of strings, or null. An answer is judged by its success and its
// status, not by how it words its errors.
//
// They are read into plain values first. An UnmarshalJSON would read a chain of
// errors once for each of its links.
func readDetails(raw json.RawMessage) ([]ErrorDetail, error) {
	if isNone(raw) || string(raw) == "[]" {
		return nil, nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	details := make([]ErrorDetail, len(list))
	for i, item := range list {
		details[i] = detail(item, 0)
	}
	return details, nil
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

// The parts of an envelope, and their names.
const (
	partSuccess = iota
	partErrors
	partMessages
	partResult
	partResultInfo
	countOfParts
)

var partNames = [countOfParts]string{"success", "errors", "messages", "result", "result_info"}

// parts are an envelope's parts as they were sent.
type parts struct {
	values [countOfParts]json.RawMessage // nil where one is absent
	twice  bool                          // there are several results
}

func isNone(raw json.RawMessage) bool { return raw == nil || string(raw) == "null" }

// split finds the parts of an envelope. It is false where body is no JSON object;
// where it is true, the parts may still prove not to be JSON, and nothing else.
func split(body []byte) (p parts, ok bool) {
	i := skipSpace(body, 0)
	if at(body, i) != '{' {
		return p, false
	}
	i = skipSpace(body, i+1)
	if at(body, i) == '}' {
		return p, skipSpace(body, i+1) == len(body)
	}
	for {
		nameEnd := skipValue(body, i)
		name := body[i:nameEnd]
		colon := skipSpace(body, nameEnd)
		if at(name, 0) != '"' || at(body, colon) != ':' {
			return p, false
		}
		i = skipSpace(body, colon+1)
		end := skipValue(body, i)
		if !p.put(name, body[i:end:end]) {
			return p, false
		}
		i = skipSpace(body, end)
		switch at(body, i) {
		case '}':
			return p, skipSpace(body, i+1) == len(body)
		case ',':
			i = skipSpace(body, i+1)
		default:
			return p, false
		}
	}
}

// put keeps the value of a quoted name, if it is that of a part: of a name that is
// there several times, the last. It is false where what is not kept is no JSON.
func (p *parts) put(quoted []byte, value json.RawMessage) bool {
	part, ok := partOf(quoted)
	if !ok {
		return false
	}
	if part == countOfParts {
		return json.Valid(value)
	}
	before := p.values[part]
	p.values[part] = value
	if before == nil {
		return true
	}
	p.twice = p.twice || part == partResult
	return json.Valid(before)
}

// partOf returns the part of a quoted name, and countOfParts for another name. Names
// are compared as encoding/json compares them, without regard to case. It is false
// where the name is no JSON.
func partOf(quoted []byte) (int, bool) {
	for part, name := range partNames {
		if string(quoted[1:len(quoted)-1]) == name {
			return part, true
		}
	}
	var unquoted string
	if json.Unmarshal(quoted, &unquoted) != nil {
		return 0, false
	}
	for part, name := range partNames {
		if strings.EqualFold(unquoted, name) {
			return part, true
		}
	}
	return countOfParts, true
}

// at is b[i], and 0 past the end.
func at(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
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
	return min(i, len(b))
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
