package secretsstore_test

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

// pages is an API with a list of n items, of which it returns at most limit per page. info
// returns the result_info of a page; nil sends none.
func pages(n, limit int, info func(page, perPage int) string) *fakeAPI {
	return &fakeAPI{respond: func(req *http.Request) (*http.Response, error) {
		page, _ := strconv.Atoi(req.URL.Query().Get("page"))
		perPage, _ := strconv.Atoi(req.URL.Query().Get("per_page"))
		perPage = min(perPage, limit)
		var items []string
		for i := (page - 1) * perPage; i < min(n, page*perPage); i++ {
			items = append(items, fmt.Sprintf(`{"id":"id%d","name":"N%d"}`, i, i))
		}
		body := `{"success":true,"result":[` + strings.Join(items, ",") + `]`
		if info != nil {
			body += `,"result_info":` + info(page, perPage)
		}
		return response(200, body+"}")(), nil
	}}
}

// collect returns the names of all secrets, and the error that ended the iteration.
func collect(t *testing.T, secrets iter.Seq2[*secretsstore.Secret, error]) (names []string, err error) {
	t.Helper()
	for secret, e := range secrets {
		require.NoError(t, err, "an error ends the iteration")
		if err = e; err != nil {
			assert.Nil(t, secret)
			continue
		}
		names = append(names, secret.Name)
	}
	return names, err
}

func TestAll(t *testing.T) {
	api := pages(150, 100, nil)

	names, err := collect(t, newClient(t, api).Secrets.All(t.Context(), storeID, &secretsstore.SecretListOptions{Search: "N"}))

	require.NoError(t, err)
	assert.Len(t, names, 150)
	assert.Equal(t, []string{"GET " + secretsURL + "?page=1&per_page=100&search=N", "GET " + secretsURL + "?page=2&per_page=100&search=N"}, api.sent())
}

func TestAllEnds(t *testing.T) {
	for _, tt := range []struct {
		name           string
		n, limit       int
		info           string // with the page and per_page
		page, perPage  int
		want, requests int
	}{
		{name: "at an empty page", n: 0, limit: 100, requests: 1},
		{name: "at a short page", n: 101, limit: 100, want: 101, requests: 2},
		{name: "not at a full page", n: 200, limit: 100, want: 200, requests: 3},
		{name: "at a short page of the requested size", n: 7, limit: 100, perPage: 3, want: 7, requests: 3},
		{name: "after the pages from the first one on", n: 250, limit: 100, page: 2, want: 150, requests: 2},
		{name: "not at a short page if per_page is smaller", n: 50, limit: 20, info: `{"per_page":%[2]d}`, want: 50, requests: 3},
		{name: "not at a short page if total_count is larger", n: 50, limit: 20, info: `{"total_count":50}`, want: 50, requests: 3},
		{name: "not at a short page if total_pages is larger", n: 50, limit: 20, info: `{"total_pages":3}`, want: 50, requests: 3},
		{name: "at an empty page if total_count is too large", n: 150, limit: 100, info: `{"total_count":1000}`, want: 150, requests: 3},
		{name: "not before if total_count is too small", n: 250, limit: 100, info: `{"page":%d,"per_page":%d,"total_count":10,"total_pages":1}`, want: 250, requests: 3},
		{name: "whatever the hints are", n: 150, limit: 100, info: `{"page":7,"per_page":-1,"count":"x","total_count":1e999}`, want: 150, requests: 2},
		{name: "whatever result_info is", n: 150, limit: 100, info: `"none"`, want: 150, requests: 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var info func(page, perPage int) string
			if tt.info != "" {
				info = func(page, perPage int) string { return strings.Split(fmt.Sprintf(tt.info, page, perPage), "%!")[0] }
			}
			api := pages(tt.n, tt.limit, info)
			names, err := collect(t, newClient(t, api).Secrets.All(t.Context(), storeID, &secretsstore.SecretListOptions{Page: tt.page, PerPage: tt.perPage}))
			require.NoError(t, err)
			assert.Len(t, names, tt.want)
			assert.Len(t, api.sent(), tt.requests)
		})
	}
}

// A search that finds 1 of 42 secrets may report 42.
func TestTotalCountMayIgnoreTheSearch(t *testing.T) {
	api := script(map[string][]func() *http.Response{"GET": responses(
		response(200, `{"success":true,"result":[{"id":"a","name":"A"}],"result_info":{"count":1,"page":1,"per_page":100,"total_count":42}}`),
		response(200, `{"success":true,"result":[],"result_info":{"count":0,"page":2,"per_page":100,"total_count":42}}`),
	)})
	c := newClient(t, api).Secrets
	names, err := collect(t, c.All(t.Context(), storeID, &secretsstore.SecretListOptions{Search: "A"}))
	require.NoError(t, err)
	assert.Equal(t, []string{"A"}, names)
}

func TestAllDetectsEndlessLists(t *testing.T) {
	samePage := pages(100, 100, nil)
	respond := samePage.respond
	samePage.respond = func(req *http.Request) (*http.Response, error) {
		req = req.Clone(req.Context())
		req.URL.RawQuery = "page=1&per_page=100"
		return respond(req)
	}
	names, err := collect(t, newClient(t, samePage).Secrets.All(t.Context(), storeID, nil))
	assert.EqualError(t, err, "secretsstore: invalid response: page 2 of the list repeats earlier pages")
	assert.Equal(t, []string{"ErrInvalidResponse"}, matches(err))
	assert.Len(t, names, 100)
	assert.Len(t, samePage.sent(), 2)

	endless := pages(1_000_000, 1, func(int, int) string { return `{"total_pages":1000000}` })
	names, err = collect(t, newClient(t, endless).Secrets.All(t.Context(), storeID, &secretsstore.SecretListOptions{PerPage: 1}))
	assert.EqualError(t, err, "secretsstore: invalid response: the list has more than 10000 pages")
	assert.Len(t, names, 10_000)
	assert.Len(t, endless.sent(), 10_000)
}

// A create between two requests moves an item to the next page.
func TestAllSkipsItemsSeenBefore(t *testing.T) {
	api := script(map[string][]func() *http.Response{"GET": responses(
		response(200, `{"success":true,"result":[{"id":"a","name":"A"},{"id":"b","name":"B"}]}`),
		response(200, `{"success":true,"result":[{"id":"b","name":"B"},{"id":"c","name":"C"}]}`),
		response(200, emptyBody),
	)})
	names, err := collect(t, newClient(t, api).Secrets.All(t.Context(), storeID, &secretsstore.SecretListOptions{PerPage: 2}))
	require.NoError(t, err)
	assert.Equal(t, []string{"A", "B", "C"}, names)
}

func TestAllCanBeStopped(t *testing.T) {
	api := pages(1000, 100, nil)
	client := newClient(t, api)
	for range client.Secrets.All(t.Context(), storeID, nil) {
		break
	}
	assert.Len(t, api.sent(), 1, "the next page is not requested")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var err error
	for _, err = range client.Secrets.All(ctx, storeID, nil) {
		cancel()
	}
	assert.ErrorIs(t, err, context.Canceled)
	assert.Len(t, api.sent(), 2)
}

func TestAllYieldsAnErrorOnce(t *testing.T) {
	api := pages(1000, 100, nil)
	respond := api.respond
	api.respond = func(req *http.Request) (*http.Response, error) {
		if req.URL.Query().Get("page") == "3" {
			return response(403, failure(9109, "Invalid access token"))(), nil
		}
		return respond(req)
	}
	names, err := collect(t, newClient(t, api).Secrets.All(t.Context(), storeID, nil))
	assert.ErrorIs(t, err, secretsstore.ErrForbidden)
	assert.Len(t, names, 200)
}

func TestAllCopiesItsOptionsAndCanBeRepeated(t *testing.T) {
	api := pages(3, 100, nil)
	list := &secretsstore.SecretListOptions{Scopes: []secretsstore.Scope{"workers"}}
	all := newClient(t, api).Secrets.All(t.Context(), storeID, list)
	list.Search, list.Scopes[0] = "changed", "changed"
	for range 2 {
		names, err := collect(t, all)
		require.NoError(t, err)
		assert.Len(t, names, 3)
	}
	want := "GET " + secretsURL + "?page=1&per_page=100&scopes=workers"
	assert.Equal(t, []string{want, want}, api.sent())
}

func TestFindByName(t *testing.T) {
	const items = `{"id":"1","name":"MY_KEY"},{"id":"2","name":"key"},{"id":"3","name":"KEY","status":"deleted"},{"id":"4","name":"KEY","status":"active"}`
	api := script(map[string][]func() *http.Response{"GET": responses(
		response(200, `{"success":true,"result":[`+items+`],"result_info":{"total_count":42}}`),
		response(200, emptyBody),
	)})

	secret, err := newClient(t, api).Secrets.FindByName(t.Context(), storeID, "KEY")

	require.NoError(t, err)
	assert.Equal(t, "4", secret.ID, "neither a similar name nor a deleted secret")
	assert.Equal(t, []string{"GET " + secretsURL + "?page=1&per_page=100&search=KEY"}, api.sent())

	secret, err = newClient(t, respondWith(response(200, `{"success":true,"result":[`+items+`]}`))).Secrets.FindByName(t.Context(), storeID, "Y")
	assert.EqualError(t, err, `secretsstore: secret not found: store `+storeID+` has no secret named "Y"`)
	assert.Equal(t, []string{"ErrNotFound", "ErrSecretNotFound"}, matches(err))
	assert.Nil(t, secret)
}

func TestFindByNameReadsAllPages(t *testing.T) {
	secret, err := newClient(t, pages(250, 100, nil)).Secrets.FindByName(t.Context(), storeID, "N249")
	require.NoError(t, err)
	assert.Equal(t, "id249", secret.ID)
}
