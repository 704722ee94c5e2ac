package secretsstore

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// envelope is what each answer of the API is.
type envelope struct {
	isWhole bool // it is JSON, and says whether the call was a success
	success bool
	// These are what they are in a Response or an APIError; the last two are nil where
	// the envelope is not whole.
	errors     []ErrorDetail
	messages   []Message
	resultInfo *ResultInfo
	result     json.RawMessage
}

var (
	errNoObject  = errors.New("no JSON object")
	errNoSuccess = errors.New("no success field")
	errNoResult  = errors.New("no result")
	errTwice     = errors.New("two results, or two success fields")
)

// readEnvelope reads an answer, and the result of a success into into. The error
// says what can't be read; what can is there beside it, unless body is no JSON.
//
// It goes over the envelope once: each part is found by where it ends, and is
// read by encoding/json by itself. That a part is JSON is left to that, so body is
// known to be JSON where nothing failed (of nesting, encoding/json allows a part
// alone one level more), and is looked at as a whole where something did. The result comes last: into is left alone where anything else failed.
func readEnvelope(body []byte, into result) (envelope, error) {
	p, ok := split(body)
	if !ok {
		return envelope{}, cmp.Or(json.Unmarshal(body, new(none)), errNoObject)
	}
	var env envelope
	var failed error
	fail := func(err error) { failed = cmp.Or(failed, err) }
	if p.twice {
		fail(errTwice) // encoding/json would mix the two
	}
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
		if list, ok := into.(interface{ fits(json.RawMessage) error }); ok {
			fail(list.fits(raw))
		}
		if failed != nil || !env.success {
			into = new(none)
		}
		fail(json.Unmarshal(raw, into))
	}
	if failed != nil {
		if err := json.Unmarshal(body, new(none)); err != nil {
			return envelope{}, err
		}
		if !env.isWhole {
			return envelope{errors: env.errors, messages: env.messages}, failed
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
	if f, err := strconv.ParseFloat(string(b), 64); err == nil && isCount(f) {
		*n = number(f)
	}
	return nil
}

// isCount says that f is a whole number that counts something.
func isCount(f float64) bool {
	return 0 <= f && f <= 1<<53 && f <= math.MaxInt && f == math.Trunc(f)
}

func readResultInfo(raw json.RawMessage) (*ResultInfo, error) {
	if isNone(raw) {
		return nil, nil
	}
	var r resultInfo
	err := json.Unmarshal(raw, &r)
	return &ResultInfo{int(r.Count), int(r.Page), int(r.PerPage), int(r.TotalCount), int(r.TotalPages)}, err
}

// An answer's errors are read up to these bounds, and its messages: a server could
// make millions of them from a few bytes each.
const (
	maxDetails = 1_000 // with those of the chains
	maxChain   = 8     // how far a chain of errors is followed
)

// readDetails reads the errors or messages of an answer, whatever shape they have:
// a list of objects, of strings, or one that stands for itself. An answer is judged
// by its success and its status, not by how it words its errors, so nothing that
// is JSON fails.
func readDetails(raw json.RawMessage) ([]ErrorDetail, error) {
	if isNone(raw) || string(raw) == "[]" || string(raw) == "{}" || string(raw) == `""` {
		return nil, nil
	}
	if err := json.Unmarshal(raw, new(none)); err != nil {
		return nil, err
	}
	left := maxDetails
	return details(raw, 0, &left), nil
}

// details reads what is known to be JSON, and up to left errors of it.
func details(raw json.RawMessage, depth int, left *int) (list []ErrorDetail) {
	eachItem(raw, func(item []byte) bool {
		if *left == 0 {
			return false
		}
		*left--
		list = append(list, detail(item, depth, left))
		return true
	})
	return list
}

func detail(raw []byte, depth int, left *int) (d ErrorDetail) {
	switch raw[0] {
	case '{':
	case '"':
		return ErrorDetail{Message: text(raw)}
	default:
		return ErrorDetail{Message: string(raw)}
	}
	eachMember(raw, func(name, value []byte) bool {
		switch fieldOf(name) {
		case "code":
			d.Code = code(value)
		case "message":
			d.Message = text(value)
		case "documentation_url":
			d.DocumentationURL = text(value)
		case "source":
			eachMember(value, func(name, value []byte) bool {
				if fieldOf(name) == "pointer" {
					d.Source.Pointer = text(value)
				}
				return true
			})
		case "error_chain":
			if value[0] == '[' && depth < maxChain {
				d.Chain = details(value, depth+1, left)
			}
		}
		return true
	})
	return d
}

// text is a JSON string, and "" for anything else.
func text(raw []byte) (s string) {
	if raw[0] == '"' {
		_ = json.Unmarshal(raw, &s)
	}
	return s
}

// code is a number, also one within a string, and 0 for anything else.
func code(raw []byte) int {
	if raw[0] == '"' {
		n, _ := strconv.Atoi(text(raw))
		return n
	}
	f, _ := strconv.ParseFloat(string(raw), 64)
	return int(max(math.MinInt32, min(math.MaxInt32, f)))
}

// The parts of an envelope.
const (
	partSuccess = iota
	partErrors
	partMessages
	partResult
	partResultInfo
	countOfParts
)

var (
	partNames  = []string{"success", "errors", "messages", "result", "result_info"}
	fieldNames = []string{"code", "message", "documentation_url", "source", "pointer", "error_chain"}
)

// parts are an envelope's parts as they were sent.
type parts struct {
	values [countOfParts]json.RawMessage // nil where one is absent
	twice  bool                          // there are several results, or several successes
}

func isNone(raw json.RawMessage) bool { return raw == nil || string(raw) == "null" }

// split finds the parts of an envelope. It is false where body is no JSON object;
// where it is true, the parts may still prove not to be JSON, and nothing else.
func split(body []byte) (p parts, ok bool) {
	start := skipSpace(body, 0)
	if at(body, start) != '{' {
		return p, false
	}
	end, ok := eachMember(body[start:], p.put)
	return p, ok && skipSpace(body, start+end) == len(body)
}

// put keeps the value of a quoted name, if it is that of a part: of a name that is
// there several times, the last. It is false where what is not kept is no JSON.
func (p *parts) put(quoted, value []byte) bool {
	part, ok := indexOf(partNames, quoted)
	switch {
	case !ok:
		return false
	case part < 0:
		return json.Valid(value)
	}
	before := p.values[part]
	p.values[part] = value
	if before == nil {
		return true
	}
	p.twice = p.twice || part == partResult || part == partSuccess
	return json.Valid(before)
}

// indexOf returns which of names a quoted name is, and -1 for none. Names are
// compared as encoding/json compares them, without regard to case. It is false
// where the name is no JSON.
func indexOf(names []string, quoted []byte) (int, bool) {
	for i, name := range names {
		if string(quoted[1:len(quoted)-1]) == name {
			return i, true
		}
	}
	var unquoted string
	if json.Unmarshal(quoted, &unquoted) != nil {
		return 0, false
	}
	return slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(unquoted, name) }), true
}

// fieldOf returns which field of an error a quoted name is; "" for none.
func fieldOf(quoted []byte) string {
	if i, ok := indexOf(fieldNames, quoted); ok && i >= 0 {
		return fieldNames[i]
	}
	return ""
}

// eachMember gives f the members of the object that b starts with, until f is
// false, and returns where the object ends. It is false where f was, or where b
// starts with no object; what it gives may still prove not to be JSON.
func eachMember(b []byte, f func(quoted, value []byte) bool) (end int, ok bool) {
	if at(b, 0) != '{' {
		return 0, false
	}
	i := skipSpace(b, 1)
	if at(b, i) == '}' {
		return i + 1, true
	}
	for {
		nameEnd := skipValue(b, i)
		name := b[i:nameEnd]
		colon := skipSpace(b, nameEnd)
		if at(name, 0) != '"' || at(b, colon) != ':' {
			return 0, false
		}
		i = skipSpace(b, colon+1)
		end := skipValue(b, i)
		if !f(name, b[i:end:end]) {
			return 0, false
		}
		i = skipSpace(b, end)
		switch at(b, i) {
		case '}':
			return i + 1, true
		case ',':
			i = skipSpace(b, i+1)
		default:
			return 0, false
		}
	}
}

// eachItem gives f the items of a list that is known to be JSON, until f is false.
// What is no list is one item.
func eachItem(raw []byte, f func(item []byte) bool) {
	if raw[0] != '[' {
		f(raw)
		return
	}
	for i := skipSpace(raw, 1); raw[i] != ']'; {
		end := skipValue(raw, i)
		if !f(raw[i:end]) {
			return
		}
		if i = skipSpace(raw, end); raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
	}
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
