package main

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// line is what the log says of a request.
func line(r secretsstoretest.Request) string {
	return fmt.Sprintf("%s %s%s %d %s", r.Method, r.Path, parameters(r.Query), r.Status, r.RayID)
}

// parameters returns those of a query that the API has. A client may put anything
// into another, its token for one.
func parameters(query string) string {
	known := url.Values{}
	sent, _ := url.ParseQuery(query) // as far as it can be read
	for name, values := range sent {
		if slices.Contains([]string{"page", "per_page", "order", "direction", "search", "scopes", "force"}, name) {
			known[name] = values
		}
	}
	if len(known) == 0 {
		return ""
	}
	return "?" + known.Encode()
}
