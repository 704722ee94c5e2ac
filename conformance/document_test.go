package conformance

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/calls"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/wire"
)

// The document takes what the API was seen to answer, also where the emulator
// answers otherwise; and what is nearly that it doesn't take.
func TestDocumentTakesWhatWasSeen(t *testing.T) {
	checker := newChecker(t)
	const (
		secret = `{"id":"3fd85f74b32742f1bff64a85009dda07","created":"2023-09-21T18:56:32.624632Z","modified":"2023-09-21T18:56:32.624632Z","name":"MY_API_KEY","status":"pending","store_id":"023e105f4ecef8ad9ca31a8372d0c353","comment":"info about my secret"}`
		note   = `{"code":1000,"message":"message","documentation_url":"documentation_url","source":{"pointer":"pointer"}}`
		store  = `{"id":"023e105f4ecef8ad9ca31a8372d0c353","name":"service_x_keys","created":"2023-09-21T18:56:32Z","modified":"2023-09-21T18:56:32+02:00"}`
		one    = "/stores/023e105f4ecef8ad9ca31a8372d0c353/secrets/3fd85f74b32742f1bff64a85009dda07"
		many   = "/stores/023e105f4ecef8ad9ca31a8372d0c353/secrets"
	)
	ok := func(result string) string {
		return `{"success":true,"errors":[],"messages":[],"result":` + result + `}`
	}
	no := func(errors string) string {
		return `{"success":false,"errors":[` + errors + `],"messages":[],"result":null}`
	}
	for name, tc := range map[string]struct {
		method, path string
		status       int
		body         string
		wrong        bool
	}{
		"the documented answer to a patch":             {"PATCH", one, 200, `{"errors":[` + note + `],"messages":[` + note + `],"success":true,"result":` + secret + `,"result_info":{"count":1,"page":1,"per_page":20,"total_count":2000}}`, false},
		"errors and messages that are null":            {"PATCH", one, 200, `{"errors":null,"messages":null,"success":true,"result":` + secret + `}`, false},
		"scopes and a comment that are null":           {"PATCH", one, 200, ok(strings.Replace(secret, `"comment":"info about my secret"`, `"comment":null,"scopes":null`, 1)), false},
		"a scope that is new":                          {"PATCH", one, 200, ok(strings.Replace(secret, `"comment":`, `"scopes":["a_new_one"],"comment":`, 1)), false},
		"a delete that is accepted":                    {"DELETE", one, 202, ok("null"), false},
		"a delete that is accepted without a result":   {"DELETE", one, 202, `{"success":true,"errors":[],"messages":[]}`, false},
		"a delete as it was":                           {"DELETE", one, 200, ok(secret), false},
		"a bulk delete as it was":                      {"DELETE", many, 200, ok("[" + secret + "]"), false},
		"a store that is deleted":                      {"DELETE", "/stores/s", 200, ok("null"), false},
		"a store that is deleted, and shown":           {"DELETE", "/stores/s", 200, ok(store), false},
		"a quota that is written as a fraction":        {"GET", "/quota", 200, ok(`{"secrets":{"quota":100.0,"usage":1e1}}`), false},
		"a name that is taken, as a conflict":          {"POST", many, 409, no(`{"code":1003,"message":"secret_name_already_exists: A"}`), false},
		"an authentication error as a bad request":     {"GET", one, 400, no(`{"code":10000,"message":"Authentication error"}`), false},
		"malformed headers, and which":                 {"GET", one, 400, no(`{"code":6003,"message":"Invalid request headers","error_chain":[{"code":6111,"message":"Invalid format for Authorization header"}]}`), false},
		"an invalid access token":                      {"GET", one, 403, no(`{"code":9109,"message":"Invalid access token"}`), false},
		"the page of an edge":                          {"GET", one, 520, `<html>`, false},
		"a success that says it is none":               {"PATCH", one, 200, `{"success":false,"errors":[],"messages":[],"result":` + secret + `}`, true},
		"a success without a result":                   {"PATCH", one, 200, ok("null"), true},
		"a secret in a list":                           {"PATCH", one, 200, ok("[" + secret + "]"), true},
		"a secret that tells its value":                {"PATCH", one, 200, ok(strings.Replace(secret, `"comment":`, `"value":"v","comment":`, 1)), true},
		"a secret without an id":                       {"PATCH", one, 200, ok(strings.Replace(secret, `"id":"3fd85f74b32742f1bff64a85009dda07",`, "", 1)), true},
		"an id that is too long":                       {"PATCH", one, 200, ok(strings.Replace(secret, "dda07", "dda0700000", 1)), true},
		"a time that is none":                          {"PATCH", one, 200, ok(strings.Replace(secret, "2023-09-21T18", "2023-09-21 18", 1)), true},
		"an accepted delete with the secret":           {"DELETE", one, 202, ok(secret), true},
		"a delete as it was, without the secret":       {"DELETE", one, 200, ok("null"), true},
		"a store's delete that is accepted":            {"DELETE", "/stores/s", 202, ok("null"), true},
		"a failure without an error":                   {"GET", one, 404, no(""), true},
		"a failure that says it is none":               {"GET", one, 404, ok("null"), true},
		"an error without a code":                      {"GET", one, 404, no(`{"message":"secret_not_found"}`), true},
		"what is not there, as a bad request":          {"GET", one, 400, no(`{"code":1001,"message":"secret_not_found"}`), true},
		"a bad request, as what is not there":          {"GET", one, 404, no(`{"code":1001,"message":"secret_name_empty"}`), true},
		"a conflict that is none of the API's":         {"POST", many, 409, no(`{"code":1003,"message":"try_again"}`), true},
		"a number on a page that is called otherwise":  {"GET", many, 200, `{"success":true,"errors":[],"messages":[],"result":[],"result_info":{"count":0,"page":1,"perPage":20,"total_count":0}}`, true},
		"two JSON values":                              {"GET", many, 200, ok("[]") + ok("[]"), true},
		"a quota in words":                             {"GET", "/quota", 200, ok(`{"secrets":{"quota":"100","usage":"1"}}`), true},
		"an answer to what is no operation":            {"GET", "/nowhere", 200, ok("null"), true},
		"a refusal of what is no operation":            {"GET", "/nowhere", 404, no(`{"code":7003,"message":"Could not route"}`), false},
		"a refusal of a method that a path has not":    {"PUT", one, 405, no(`{"code":10405,"message":"Method not allowed for this authentication scheme"}`), false},
		"a refusal of what is no operation, in no way": {"GET", "/nowhere", 404, `{"success":false}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			findings := checker.Answer(wire.Exchange{
				Method: tc.method, Path: calls.BasePath + "/accounts/985e105f4ecef8ad9ca31a8372d0c353/secrets_store" + tc.path,
				Header: http.Header{},
				Answer: wire.Answer{Status: tc.status, Body: []byte(tc.body), Header: http.Header{
					"Content-Type": {"application/json"}, "Cf-Ray": {"8f1d2a3b4c5d6e7f-AMS"},
					"Ratelimit": {`"default";r=50;t=30, "burst";r=9;t=1`}, "Ratelimit-Policy": {`"burst";q=100;w=60`},
				}},
			})
			if tc.wrong {
				assert.NotEmpty(t, findings)
			} else {
				assert.Empty(t, findings)
			}
		})
	}
}
