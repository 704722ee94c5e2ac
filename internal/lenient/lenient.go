// Package lenient decodes informational JSON values, which must not make decoding fail
// whatever their form.
package lenient

import (
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

// A Time is an RFC 3339 time. Any other value is the zero time.
type Time struct{ time.Time }

// UnmarshalJSON never returns an error.
func (t *Time) UnmarshalJSON(b []byte) error {
	if t.Time.UnmarshalJSON(b) != nil {
		t.Time = time.Time{}
	}
	return nil
}
