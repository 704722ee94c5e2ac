// Package lenient decodes informational JSON values, which must not make decoding fail
// whatever their form.
package lenient

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// An Int is an integer that may be encoded as a string or as 2e1. Any other value decodes
// into an Int that is not Valid.
type Int struct {
	Value int
	Valid bool
}

// UnmarshalJSON never returns an error.
func (n *Int) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if i, err := strconv.Atoi(s); err == nil {
		*n = Int{Value: i, Valid: true}
	} else if f, err := strconv.ParseFloat(s, 64); err == nil && f == math.Trunc(f) && math.Abs(f) <= math.MaxInt32 {
		*n = Int{Value: int(f), Valid: true}
	}
	return nil
}

// A Text is a string. Any other value is kept as its JSON, except null, which is "".
type Text string

// UnmarshalJSON never returns an error.
func (t *Text) UnmarshalJSON(b []byte) error {
	s := ""
	if json.Unmarshal(b, &s) != nil {
		s = string(b)
	}
	*t = Text(s)
	return nil
}

// WithoutInvalidTimes returns document without the members created and modified that are not
// RFC 3339 times, which cannot be decoded into a time.Time. It reports whether it removed any.
func WithoutInvalidTimes(document []byte) ([]byte, bool) {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || !removeInvalidTimes(v) {
		return document, false
	}
	fixed, err := json.Marshal(v)
	return fixed, err == nil
}

func removeInvalidTimes(v any) (removed bool) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			removed = removeInvalidTimes(item) || removed
		}
	case map[string]any:
		for name, value := range v {
			if name != "created" && name != "modified" {
				removed = removeInvalidTimes(value) || removed
			} else if s, ok := value.(string); !ok || new(time.Time).UnmarshalText([]byte(s)) != nil {
				delete(v, name)
				removed = true
			}
		}
	}
	return removed
}
