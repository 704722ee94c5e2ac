// Package compare tells where two clients say different things on the wire.
package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/wire"
)

// Difference is one thing that is not the same.
type Difference struct {
	Field        string // such as "path", "body" or "header Authorization"
	Ours, Theirs string
}

// Requests returns where the requests of one call differ. Where one client sends
// more than the other, that is a difference too.
func Requests(ours, theirs []wire.Exchange) (differences []Difference) {
	add := func(field, a, b string) {
		if d := (Difference{field, a, b}); a != b && !slices.Contains(differences, d) {
			differences = append(differences, d)
		}
	}
	add("number of requests", fmt.Sprint(len(ours)), fmt.Sprint(len(theirs)))
	for i := range min(len(ours), len(theirs)) {
		a, b := ours[i], theirs[i]
		add("method", a.Method, b.Method)
		add("path", a.Path, b.Path)
		add("query", a.Query, b.Query)
		for _, name := range headers(a, b) {
			add("header "+name, fmt.Sprintf("%q", a.Header[name]), fmt.Sprintf("%q", b.Header[name]))
		}
		if !sameJSON(a.Body, b.Body) {
			add("body", string(a.Body), string(b.Body))
		}
	}
	return differences
}

// headers are the names of both requests. How long a body is says nothing, where
// its JSON is the same.
func headers(a, b wire.Exchange) []string {
	names := map[string]bool{}
	for _, h := range []wire.Exchange{a, b} {
		for name := range h.Header {
			names[name] = true
		}
	}
	delete(names, "Content-Length")
	return slices.Sorted(maps.Keys(names))
}

// sameJSON compares what is meant: not the order of the names, nor how characters
// are escaped.
func sameJSON(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	x, errX := decode(a)
	y, errY := decode(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

func decode(b []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err = d.Decode(&v); err == nil && d.More() {
		err = fmt.Errorf("more than one value")
	}
	return v, err
}
