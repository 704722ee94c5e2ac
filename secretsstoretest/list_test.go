package secretsstoretest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	secretsstore "github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// counter is a source of the ids id-1, id-2, and so on.
func counter() func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("id-%d", n) }
}

// names returns the names in a list, and its result_info as it was sent.
func names(t testing.TB, r *received) (names []string, info string) {
	t.Helper()
	require.Equal(t, 200, r.status, r.body)
	var list struct {
		Result     []struct{ Name string }
		ResultInfo json.RawMessage `json:"result_info"`
	}
	require.NoError(t, json.Unmarshal([]byte(r.body), &list))
	names = []string{}
	for _, item := range list.Result {
		names = append(names, item.Name)
	}
	return names, string(list.ResultInfo)
}

// listed is a server whose store id-1 has secrets made a second apart: b, A, d, and c,
// of which d was patched last and b's value is still pending.
func listed(t *testing.T) sender {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener(), secretsstoretest.WithAccountID(accountID),
		secretsstoretest.WithAPIToken(token), secretsstoretest.WithMaxStores(0), secretsstoretest.WithIDSource(counter()),
		secretsstoretest.WithPendingFor(time.Hour),
		secretsstoretest.WithClock(steppingClock(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), time.Second)))
	srv.AddStore("beta")
	srv.AddStore("alpha")
	for _, s := range []struct {
		name, comment string
		scopes        []secretsstore.Scope
	}{
		{"b", "3 for payments", []secretsstore.Scope{"workers"}},
		{"A", "1", []secretsstore.Scope{"workers", "access"}},
		{"d", "2 not for b", []secretsstore.Scope{"dex"}},
		{"c", "", []secretsstore.Scope{"access", "dex", "workers"}},
	} {
		secret := create(s.name, s.scopes...)
		secret.Comment = s.comment
		srv.AddSecret("id-1", secret)
	}
	send := over(srv)
	require.Equal(t, 200, send.do(t, "PATCH", account+"/stores/id-1/secrets/id-3", `{"value":"v"}`).status) // b
	require.Equal(t, 200, send.do(t, "PATCH", account+"/stores/id-1/secrets/id-5", `{"scopes":["dex"]}`).status)
	return send
}

func TestSecretLists(t *testing.T) {
	send := listed(t)
	tests := []struct{ name, query, want string }{
		{"the newest comes first", "", "c d A b"},
		{"ascending", "direction=asc", "b A d c"},
		{"descending", "direction=desc", "c d A b"},
		{"by creation", "order=created&direction=asc", "b A d c"},
		{"by name, capitals first", "order=name&direction=asc", "A b c d"},
		{"by name, descending by default", "order=name", "d c b A"},
		{"by comment", "order=comment&direction=asc", "c A d b"},
		{"by modification", "order=modified", "d b c A"},
		{"by status, then by id", "order=status&direction=asc", "A d c b"},
		{"by status descending, then by id", "order=status", "b A d c"},
		{"search finds in the name and in the comment", "search=b", "d b"},
		{"search takes no notice of case", "search=PAYments", "b"},
		{"search that finds nothing", "search=zzz", ""},
		{"a scope", "scopes=access", "c A"},
		{"scopes with commas, all of which are wanted", "scopes=dex,workers", "c"},
		{"scopes as a key repeated", "scopes=access&scopes=workers", "c A"},
		{"no scopes", "scopes=", "c d A b"},
		{"search and scopes", "search=b&scopes=dex", "d"},
		{"a page", "per_page=3", "c d A"},
		{"the next page", "per_page=3&page=2", "b"},
		{"a page past the end is empty", "per_page=3&page=3", ""},
		{"a page far past the end is empty", "per_page=100&page=9223372036854775807", ""},
		{"a page of 0 is the first", "page=0&per_page=0", "c d A b"},
		{"unknown parameters are left", "cursor=x", "c d A b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := names(t, send.do(t, "GET", account+"/stores/id-1/secrets?"+tt.query, ""))
			assert.Equal(t, tt.want, strings.Join(got, " "))
		})
	}
}

func TestStoreLists(t *testing.T) {
	send := listed(t)
	tests := []struct{ name, query, want string }{
		{"the newest comes first", "", "alpha beta"},
		{"ascending", "direction=asc", "beta alpha"},
		{"by name", "order=name&direction=asc", "alpha beta"},
		{"by modification", "order=modified&direction=desc", "alpha beta"},
		{"a page", "per_page=1&page=2", "beta"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := names(t, send.do(t, "GET", account+"/stores?"+tt.query, ""))
			assert.Equal(t, tt.want, strings.Join(got, " "))
		})
	}
}

func TestResultInfo(t *testing.T) {
	send := listed(t)
	tests := []struct{ name, query, want string }{
		{"of one page", "", `{"count":4,"page":1,"per_page":20,"total_count":4,"total_pages":1}`},
		{"of the last page", "per_page=3&page=2", `{"count":1,"page":2,"per_page":3,"total_count":4,"total_pages":2}`},
		{"past the end", "per_page=4&page=9", `{"count":0,"page":9,"per_page":4,"total_count":4,"total_pages":1}`},
		{"counts what is filtered", "search=b", `{"count":2,"page":1,"per_page":20,"total_count":2,"total_pages":1}`},
		{"of nothing", "search=zzz", `{"count":0,"page":1,"per_page":20,"total_count":0,"total_pages":0}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, info := names(t, send.do(t, "GET", account+"/stores/id-1/secrets?"+tt.query, ""))
			assert.Equal(t, tt.want, info)
		})
	}
	past := send.do(t, "GET", account+"/stores/id-1/secrets?page=9", "")
	assert.Contains(t, past.body, `"result":[]`, "an empty page is a list, not null")
}

func TestListsRefuse(t *testing.T) {
	send := listed(t)
	tests := []struct{ path, word string }{
		{"/stores/id-1/secrets?per_page=101", "invalid_per_page_parameter"},
		{"/stores/id-1/secrets?per_page=-1", "invalid_per_page_parameter"},
		{"/stores/id-1/secrets?per_page=x", "invalid_per_page_parameter"},
		{"/stores?per_page=1000", "invalid_per_page_parameter"},
		{"/stores/id-1/secrets?page=-1", "invalid_page_parameter"},
		{"/stores?page=1.5", "invalid_page_parameter"},
		{"/stores/id-1/secrets?order=value", "invalid_order_parameter"},
		{"/stores?order=status", "invalid_order_parameter"},
		{"/stores?direction=up", "invalid_direction_parameter"},
		{"/stores/id-1/secrets?scopes=workers,pages", "secret_scope_invalid"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			got := send.do(t, "GET", account+tt.path, "")
			assert.Equal(t, 400, got.status)
			assert.Equal(t, failure(1001, tt.word), got.body)
		})
	}
}

func TestEveryPageSizeGivesEachNameOnce(t *testing.T) {
	srv := newServer(t, secretsstoretest.WithRequestLog(0))
	srv.AddStore("s")
	for i := range 250 {
		srv.AddSecret("id-1", create(fmt.Sprintf("S%03d", i))) // all at the same time: the id decides
	}
	send := over(srv)
	for _, perPage := range []int{1, 7, 20, 99, 100} {
		seen := map[string]int{}
		for page := 1; ; page++ {
			got, _ := names(t, send.do(t, "GET", fmt.Sprintf("%s/stores/id-1/secrets?per_page=%d&page=%d", account, perPage, page), ""))
			if len(got) == 0 {
				break
			}
			for _, name := range got {
				seen[name]++
			}
		}
		require.Len(t, seen, 250, "per_page %d", perPage)
		for name, n := range seen {
			require.Equal(t, 1, n, "%s at per_page %d", name, perPage)
		}
	}
}

func TestListsFollowChanges(t *testing.T) {
	srv := newServer(t)
	srv.AddStore("s")
	send := over(srv)
	list := func() string {
		got, _ := names(t, send.do(t, "GET", account+"/stores/id-1/secrets?order=comment&direction=asc", ""))
		return strings.Join(got, " ")
	}
	assert.Empty(t, list())
	srv.AddSecret("id-1", create("A"))
	srv.AddSecret("id-1", create("B"))
	assert.Equal(t, "A B", list())
	require.Equal(t, 200, send.do(t, "PATCH", account+"/stores/id-1/secrets/id-2", `{"comment":"c"}`).status)
	assert.Equal(t, "B A", list())
	require.Equal(t, 202, send.do(t, "DELETE", account+"/stores/id-1/secrets/id-3", "").status)
	assert.Equal(t, "A", list())
}
