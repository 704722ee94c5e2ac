package secretsstore

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-57d84f87/secretsstore-go/internal/lenient"
)

// An envelope is the body of every response of the API.
type envelope[T any] struct {
	envelopeInfo
	Result *T `json:"result"`
}

// An envelopeInfo is an envelope without its result. Only Success determines whether a call
// succeeded; the other fields accept any JSON.
type envelopeInfo struct {
	Success    *bool      `json:"success"`
	Errors     details    `json:"errors"`
	Messages   details    `json:"messages"`
	ResultInfo resultInfo `json:"result_info"`
}

// A payload is the envelope that the response of a call is decoded into.
type payload interface {
	info() *envelopeInfo
	reset()          // for a further attempt
	required() bool  // whether a success must have a body
	complete() error // non-nil if the result of a success lacks something required
}

func (e *envelopeInfo) info() *envelopeInfo { return e }

func (e *envelope[T]) reset()       { *e = envelope[T]{} }
func (*envelope[T]) required() bool { return true }

func (e *envelope[T]) complete() error {
	if e.Result == nil {
		return errNoResult
	}
	return complete(e.Result)
}

// unmarshalLenient decodes a body whose times may be invalid. It takes longer than decoding
// into e, so it is used only if that fails.
func (e *envelope[T]) unmarshalLenient(body []byte) error {
	var wire struct {
		envelopeInfo
		Result *lenientItem[T] `json:"result"`
	}
	err := unmarshal(body, &wire)
	e.envelopeInfo = wire.envelopeInfo
	if wire.Result != nil {
		e.Result = &wire.Result.value
		err = cmp.Or(err, wire.Result.err)
	}
	return err
}

// A lenientItem decodes a T whose times may be invalid. It keeps its error, which would end
// the decoding of the envelope.
type lenientItem[T any] struct {
	value T
	err   error
}

func (i *lenientItem[T]) UnmarshalJSON(b []byte) error {
	var v any = &i.value
	if decoder, ok := v.(interface{ unmarshalLenient([]byte) error }); ok {
		i.err = decoder.unmarshalLenient(b)
	} else {
		i.err = unmarshal(b, v)
	}
	return nil
}

// complete returns an error if a result or an item of a list lacks a required field.
func complete(result any) error { return result.(interface{ complete() error }).complete() }

// A listEnvelope is the envelope of a list. null is an empty list.
type listEnvelope[T any] struct {
	envelopeInfo
	Result *[]*T `json:"result"`

	atLeast int // the number of items that the result must have
}

// reset sets Result so that null can be told from a missing result.
func (e *listEnvelope[T]) reset()       { *e = listEnvelope[T]{Result: new([]*T), atLeast: e.atLeast} }
func (*listEnvelope[T]) required() bool { return true }

func (e *listEnvelope[T]) unmarshalLenient(body []byte) error {
	wire := struct {
		envelopeInfo
		Result *[]*lenientItem[T] `json:"result"`
	}{Result: new([]*lenientItem[T])}
	err := unmarshal(body, &wire)
	e.envelopeInfo, e.Result = wire.envelopeInfo, nil
	if wire.Result == nil {
		return err
	}
	e.Result = new([]*T)
	for _, item := range *wire.Result {
		var value *T
		if item != nil {
			value, err = &item.value, cmp.Or(err, item.err)
		}
		*e.Result = append(*e.Result, value)
	}
	return err
}

func (e *listEnvelope[T]) complete() error {
	if e.Result != nil && *e.Result == nil {
		return errNoResult
	}
	items := e.items()
	if e.Result != nil && len(items) < len(*e.Result) {
		return errors.New("an item of the result is null")
	}
	for _, item := range items {
		if err := complete(item); err != nil {
			return err
		}
	}
	if len(items) < e.atLeast {
		return fmt.Errorf("the result has %d of %d items", len(items), e.atLeast)
	}
	return nil
}

// items returns the items that are not null.
func (e *listEnvelope[T]) items() []*T {
	if e.Result == nil {
		return nil
	}
	if !slices.Contains(*e.Result, nil) {
		return *e.Result
	}
	return slices.DeleteFunc(slices.Clone(*e.Result), func(item *T) bool { return item == nil })
}

var errNoResult = errors.New("no result")

// noResult is the envelope of a response whose result does not matter: that of a delete or
// of an error.
type noResult struct{ envelopeInfo }

func (e *noResult) reset()        { *e = noResult{} }
func (*noResult) required() bool  { return false }
func (*noResult) complete() error { return nil }

// maxValues bounds the memory that a body decodes into: 8 MiB of {} need 558 MiB. A page
// of 100 secrets has far fewer values.
const maxValues = 100_000

// checkSize counts what each value but a few comes with: a comma, or the bracket that its
// list or object begins with.
func checkSize(body []byte) error {
	if len(body) <= maxValues {
		return nil
	}
	n := 0
	for _, char := range []string{",", "[", "{"} {
		n += bytes.Count(body, []byte(char))
	}
	if n > maxValues {
		return fmt.Errorf("%w: more than %d commas and opening brackets", ErrResponseTooLarge, maxValues)
	}
	return nil
}

// unmarshal decodes JSON. Its errors do not quote the input, as those of encoding/json can.
func unmarshal(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return jsonError(err)
	}
	return nil
}

// jsonError returns what is wrong with the input, without quoting it.
func jsonError(err error) error {
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("invalid JSON at byte %d", syntax.Offset)
	case errors.As(err, &mismatch):
		kind, _, _ := strings.Cut(mismatch.Value, " ")
		return fmt.Errorf("unexpected JSON %s at byte %d", kind, mismatch.Offset)
	}
	return errors.New("cannot be decoded") // an error of the caller's own type
}

// decodeResult decodes a result, which is required, into v.
func decodeResult(result json.RawMessage, v any) error {
	if len(result) == 0 || string(result) == "null" {
		return errNoResult
	}
	return unmarshal(result, v)
}

func invalidResponse(err error) error { return fmt.Errorf("%w: %w", ErrInvalidResponse, err) }

// A resultInfo is a ResultInfo, nil if there is none.
type resultInfo struct{ *ResultInfo }

func (r *resultInfo) UnmarshalJSON(b []byte) error {
	var wire struct {
		Count      lenient.Int `json:"count"`
		Page       lenient.Int `json:"page"`
		PerPage    lenient.Int `json:"per_page"`
		TotalCount lenient.Int `json:"total_count"`
		TotalPages lenient.Int `json:"total_pages"`
	}
	if b[0] == '{' && json.Unmarshal(b, &wire) == nil {
		r.ResultInfo = &ResultInfo{Count: wire.Count.Value, Page: wire.Page.Value, PerPage: wire.PerPage.Value, TotalCount: wire.TotalCount.Value, TotalPages: wire.TotalPages.Value}
	}
	return nil
}

// details are errors or messages in any of the forms that the API has for them: a list of
// objects or strings, or something else, which is kept as text.
type details []Detail

// Limits of the response data that is kept and shown.
const (
	maxDetails    = 100
	maxChain      = 8       // levels
	maxErrors     = 1 << 20 // bytes of errors or messages that are decoded; more are kept as text
	maxText       = 4 << 10 // bytes of a text in a Detail
	maxBody       = 2 << 10 // bytes of a body in an error
	maxHeaderText = 80      // bytes of a header in an error
)

func (d *details) UnmarshalJSON(b []byte) error {
	if len(b) > maxErrors {
		*d = details{{Message: string(b)}}
	} else if len(b) > len("[]") && string(b) != "null" {
		left := maxDetails
		*d = newDetails(b, maxChain, &left)
	}
	return nil
}

// newDetails decodes a list. At most left details are decoded, including those of chains.
// Entries that say nothing are skipped: they are another JSON than the API's.
func newDetails(raw json.RawMessage, levels int, left *int) (list []Detail) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var entries []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &entries) != nil {
		entries = []json.RawMessage{raw}
	}
	for _, entry := range entries {
		if *left == 0 {
			break
		}
		*left--
		if d := newDetail(entry, levels, left); d.Code != 0 || d.Message != "" || d.Chain != nil {
			list = append(list, d)
		}
	}
	return list
}

func newDetail(raw json.RawMessage, levels int, left *int) Detail {
	var wire struct {
		Code             lenient.Int     `json:"code"`
		Message          lenient.Text    `json:"message"`
		DocumentationURL lenient.Text    `json:"documentation_url"`
		Source           json.RawMessage `json:"source"`
		Chain            json.RawMessage `json:"error_chain"`
	}
	if raw[0] != '{' || json.Unmarshal(raw, &wire) != nil {
		var message lenient.Text
		_ = message.UnmarshalJSON(raw)
		return Detail{Message: string(message)}
	}
	var source struct {
		Pointer lenient.Text `json:"pointer"`
	}
	if len(wire.Source) > 0 && wire.Source[0] == '{' {
		_ = json.Unmarshal(wire.Source, &source)
	}
	d := Detail{Code: wire.Code.Value, Message: string(wire.Message), DocumentationURL: string(wire.DocumentationURL), Source: Source{Pointer: string(source.Pointer)}}
	if levels > 1 {
		d.Chain = newDetails(wire.Chain, levels-1, left)
	}
	return d
}
