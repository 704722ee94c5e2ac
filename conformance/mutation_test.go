package conformance

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/calls"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/compare"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/contract"
	"github.com/seed-57d84f87/secretsstore-go/conformance/internal/wire"
)

// requestMutation is a mistake in what a client sends.
type requestMutation struct {
	call   string // the name of the call it is made in
	key    bool   // signed in with email and key
	change func(r *http.Request, body []byte) []byte
	// inDocument says that the contract sees it. What it can't see is what would be
	// right in another call.
	inDocument bool
}

func requestMutations() map[string]requestMutation {
	path := func(old, new string) func(*http.Request, []byte) []byte {
		return func(r *http.Request, body []byte) []byte {
			r.URL.Path = strings.Replace(r.URL.Path, old, new, 1)
			return body
		}
	}
	query := func(old, new string) func(*http.Request, []byte) []byte {
		return func(r *http.Request, body []byte) []byte {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, old, new, 1)
			return body
		}
	}
	body := func(old, new string) func(*http.Request, []byte) []byte {
		return func(_ *http.Request, body []byte) []byte {
			return bytes.Replace(body, []byte(old), []byte(new), 1)
		}
	}
	header := func(name, value string) func(*http.Request, []byte) []byte {
		return func(r *http.Request, body []byte) []byte {
			if r.Header.Set(name, value); value == "" {
				r.Header.Del(name)
			}
			return body
		}
	}
	const patch, page, key, several = "patch all fields of a secret", "a page of secrets", true, "delete many secrets, where their body is made by hand"
	return map[string]requestMutation{
		"a word of the path":                {patch, false, path("/secrets/", "/secret/"), true},
		"a segment less":                    {"duplicate a secret", false, path("/duplicate", ""), true},
		"a segment more":                    {patch, false, path("/client/v4/", "/client/v4/v4/"), true},
		"an empty id":                       {patch, false, path("/stores/", "/stores//"), true},
		"an id that is too long":            {patch, false, path("/stores/", "/stores/00000"), true},
		"the store instead of the secret":   {"get a secret", false, path("/secrets/4e07408562bedb8b60ce05c1decfe3ad", "/secrets/6b86b273ff34fce19d6b804eff5a3f57"), false},
		"another method":                    {patch, false, func(r *http.Request, b []byte) []byte { r.Method = "PUT"; return b }, true},
		"a method that the path has, too":   {"delete a secret", false, func(r *http.Request, b []byte) []byte { r.Method = "GET"; return b }, false},
		"the name of a field":               {patch, false, body(`"comment"`, `"comments"`), true},
		"the case of a field":               {patch, false, body(`"value"`, `"Value"`), true},
		"a field less":                      {"patch the value", false, func(*http.Request, []byte) []byte { return []byte("{}") }, true},
		"a field that is null":              {"duplicate a secret", false, body(`"scopes":["workers","ai_gateway"]`, `"scopes":null`), true},
		"the text of a field":               {patch, false, body(`line 1`, `line 2`), false},
		"a list as a text":                  {patch, false, body(`["workers","ai_gateway"]`, `"workers,ai_gateway"`), true},
		"the order of a list":               {patch, false, body(`["workers","ai_gateway"]`, `["ai_gateway","workers"]`), false},
		"one secret instead of a list":      {"create secrets", false, func(_ *http.Request, b []byte) []byte { return bytes.Trim(b, "[]") }, true},
		"the name of the ids":               {several, false, body(`"ids"`, `"id"`), true},
		"no body":                           {several, false, func(*http.Request, []byte) []byte { return nil }, true},
		"a body where there is none":        {"delete a store", false, func(*http.Request, []byte) []byte { return []byte(`{}`) }, true},
		"two bodies":                        {patch, false, func(_ *http.Request, b []byte) []byte { return append(b, b...) }, true},
		"the content type":                  {patch, false, header("Content-Type", "text/plain;charset=UTF-8"), true},
		"no token":                          {patch, false, header("Authorization", ""), true},
		"another scheme for the token":      {patch, false, header("Authorization", "Token token-of-the-world"), true},
		"another token":                     {patch, false, header("Authorization", "Bearer another"), false},
		"no email":                          {patch, key, header("X-Auth-Email", ""), true},
		"no key":                            {patch, key, header("X-Auth-Key", ""), true},
		"a token beside the key":            {patch, key, header("Authorization", "Bearer another"), true},
		"the name of a parameter":           {page, false, query("per_page=", "perPage="), true},
		"a number on a page that is over":   {page, false, query("per_page=100", "per_page=101"), true},
		"a page below 1":                    {page, false, query("page=3", "page=0"), true},
		"another page":                      {page, false, query("page=3", "page=4"), false},
		"an order of another list":          {"a page of stores", false, query("order=modified", "order=comment"), true},
		"a direction in a word":             {page, false, query("direction=desc", "direction=descending"), true},
		"no query":                          {page, false, func(r *http.Request, b []byte) []byte { r.URL.RawQuery = ""; return b }, false},
		"force that is no truth":            {"delete a store with its secrets", false, query("force=true", "force=yes"), true},
		"a parameter that is there twice":   {page, false, query("page=3", "page=3&page=3"), true},
		"a parameter of another operation":  {"get a store", false, func(r *http.Request, b []byte) []byte { r.URL.RawQuery = "force=true"; return b }, true},
		"a header more, with a credential":  {patch, false, header("X-Auth-User-Service-Key", "k"), false},
		"a header less":                     {patch, false, header("Accept", ""), false},
		"an account that is another's name": {patch, false, path("/accounts/985e", "/accounts/"), false},
	}
}

// answerMutation is a mistake in what a server answers.
type answerMutation struct {
	call   string
	change func(*wire.Answer)
}

func answerMutations() map[string]answerMutation {
	status := func(status int) func(*wire.Answer) {
		return func(a *wire.Answer) { a.Status = status }
	}
	body := func(old, new string) func(*wire.Answer) {
		return func(a *wire.Answer) { a.Body = bytes.ReplaceAll(a.Body, []byte(old), []byte(new)) }
	}
	header := func(name, value string) func(*wire.Answer) {
		return func(a *wire.Answer) {
			if a.Header.Set(name, value); value == "" {
				a.Header.Del(name)
			}
		}
	}
	const get, list, gone, refused = "get a secret", "a page of secrets, as the API likes it", "delete a secret", "refused"
	return map[string]answerMutation{
		"another success":                   {get, status(201)},
		"a success that is a failure":       {get, status(400)},
		"a delete that is not accepted":     {gone, status(200)},
		"a delete with another status":      {gone, status(201)},
		"a store's delete that is accepted": {"delete a store", status(202)},
		"a failure that is a success":       {refused, status(200)},
		"another failure":                   {refused, status(400)},
		"a failure of no kind":              {refused, status(418)},
		"the name of an id":                 {get, body(`"id"`, `"secret_id"`)},
		"the name of the store's id":        {get, body(`"store_id"`, `"storeId"`)},
		"the name of an optional field":     {get, body(`"comment"`, `"comments"`)},
		"the name of the scopes":            {list, body(`"scopes"`, `"scope"`)},
		"the name of an account":            {"get a store", body(`"account_id"`, `"account"`)},
		"the name of success":               {get, body(`"success"`, `"ok"`)},
		"the name of the result":            {get, body(`"result"`, `"data"`)},
		"the name of the errors":            {refused, body(`"errors"`, `"error"`)},
		"the name of a code":                {refused, body(`"code"`, `"status"`)},
		"the name of a total":               {list, body(`"total_count"`, `"total"`)},
		"the name of a usage":               {"quota", body(`"usage"`, `"used"`)},
		"the case of a name":                {get, body(`"status"`, `"Status"`)},
		"a success of another type":         {get, body(`true`, `"true"`)},
		"a code of another type":            {refused, body(`1001`, `"1001"`)},
		"a code that is another's":          {refused, body(`1001`, `1003`)},
		"a time without a zone":             {get, body(`Z","modified"`, `","modified"`)},
		"a status of no kind":               {get, body(`"active"`, `"ready"`)},
		"an object instead of a list":       {list, body(`"result":[`, `"result":{"items":[`)},
		"the value":                         {get, body(`"comment":`, `"value":"v","comment":`)},
		"an answer that is cut":             {get, func(a *wire.Answer) { a.Body = a.Body[:len(a.Body)-1] }},
		"no answer":                         {get, func(a *wire.Answer) { a.Body = nil }},
		"the content type":                  {get, header("Content-Type", "text/html")},
		"no ray id":                         {get, header("Cf-Ray", "")},
		"no rate limit":                     {get, header("Ratelimit", "")},
		"a rate limit of another form":      {get, header("Ratelimit-Policy", "100;w=60")},
		"a wait that nobody asked for":      {get, header("Retry-After", "5")},
	}
}

func callOf(t *testing.T, name string) calls.Call {
	t.Helper()
	for _, call := range calls.All() {
		if call.Name == name {
			return call
		}
	}
	require.FailNow(t, "there is no call of that name", name)
	return calls.Call{}
}

// requestFindings are what the contract and the comparison have to say about a call
// whose requests are changed.
func requestFindings(t *testing.T, checker *contract.Checker, m requestMutation) (document []string, different []compare.Difference) {
	t.Helper()
	credentials := (*calls.World).Token
	if m.key {
		credentials = (*calls.World).Key
	}
	call := callOf(t, m.call)
	ours, theirs := newWorld(t, nil), newWorld(t, nil)
	mutated := wire.Mutated{Next: http.DefaultTransport, Change: m.change}
	_ = call.Ours(t.Context(), ours.Ours(credentials(ours), mutated), ours) // it may well fail
	require.NoError(t, call.Theirs(t.Context(), theirs.Theirs(credentials(theirs)), theirs))
	seen := ours.Recorder.Take()
	require.NotEmpty(t, seen)
	for _, x := range seen {
		document = append(document, checker.Request(x)...)
	}
	return document, unexplained(compare.Requests(seen, theirs.Recorder.Take()), call)
}

// What is checked can fail: each mistake that is made on purpose is found.
func TestMistakesInRequestsAreFound(t *testing.T) {
	checker := newChecker(t)
	byContract := 0
	for name, m := range requestMutations() {
		t.Run(name, func(t *testing.T) {
			document, different := requestFindings(t, checker, m)
			assert.NotEmpty(t, different)
			assert.Equal(t, m.inDocument, len(document) > 0, document)
			byContract += min(1, len(document))
			t.Log(document, different)

			m.change = func(_ *http.Request, body []byte) []byte { return body }
			document, different = requestFindings(t, checker, m)
			assert.Empty(t, document, "without the mistake")
			assert.Empty(t, different, "without the mistake")
		})
	}
	assert.Greater(t, byContract, 20)
}

func TestMistakesInAnswersAreFound(t *testing.T) {
	checker := newChecker(t)
	findings := func(t *testing.T, call string, change func(*wire.Answer)) (found []string) {
		t.Helper()
		w := newWorld(t, change)
		if call == "refused" {
			call, w.Secret = "get a secret", "no-such-secret"
		}
		_ = callOf(t, call).Ours(t.Context(), w.Ours(w.Token(), nil), w)
		seen := w.Recorder.Take()
		require.NotEmpty(t, seen)
		for _, x := range seen {
			found = append(found, checker.Answer(x)...)
		}
		return found
	}
	for name, m := range answerMutations() {
		t.Run(name, func(t *testing.T) {
			found := findings(t, m.call, m.change)
			assert.NotEmpty(t, found)
			t.Log(found)
			assert.Empty(t, findings(t, m.call, nil), "without the mistake")
		})
	}
}
