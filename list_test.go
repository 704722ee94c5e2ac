package secretsstore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// names collects what an iteration yields, and the error that ended it.
func names(t *testing.T, seq func(func(*secretsstore.Secret, error) bool)) (got []string, err error) {
	t.Helper()
	errs := 0
	for secret, e := range seq {
		if e != nil {
			assert.Nil(t, secret)
			err = e
			errs++
			continue
		}
		assert.Zero(t, errs, "yielded after an error")
		got = append(got, secret.Name)
	}
	assert.LessOrEqual(t, errs, 1)
	return got, err
}

// pagedServer answers lists of secrets from a function of page and per_page.
func pagedServer(list func(page, perPage int) (ids []int, info map[string]any)) *wire {
	return &wire{answer: func(req *http.Request) (*http.Response, error) {
		page, _ := strconv.Atoi(req.URL.Query().Get("page"))
		perPage, _ := strconv.Atoi(req.URL.Query().Get("per_page"))
		ids, info := list(page, perPage)
		result := []map[string]any{}
		for _, id := range ids {
			result = append(result, map[string]any{"id": fmt.Sprint("id", id), "name": fmt.Sprint("N", id)})
		}
		body, err := json.Marshal(map[string]any{"success": true, "errors": nil, "messages": nil, "result": result, "result_info": info})
		return response(200, string(body)), err
	}}
}

// slicePage is page of perPage of the numbers below n.
func slicePage(n, page, perPage int) (ids []int) {
	for i := (page - 1) * perPage; i < min(n, page*perPage); i++ {
		ids = append(ids, i)
	}
	return ids
}

func TestAllReadsEveryPageAndNoMore(t *testing.T) {
	for _, tc := range []struct{ n, perPage, requests int }{
		{0, 0, 1}, {1, 0, 1}, {99, 0, 1}, {100, 0, 1}, {101, 0, 2}, {200, 0, 2}, {250, 0, 3}, {5, 1, 5}, {7, 3, 3}, {9, 3, 3},
	} {
		t.Run(fmt.Sprintf("%d of %d a page", tc.n, tc.perPage), func(t *testing.T) {
			w := pagedServer(func(page, perPage int) ([]int, map[string]any) {
				return slicePage(tc.n, page, perPage), map[string]any{"page": page, "per_page": perPage, "total_count": tc.n}
			})
			options := secretsstore.SecretListOptions{PerPage: tc.perPage, Search: "N"}
			before := options
			got, err := names(t, newClient(t, w).Secrets.All(t.Context(), storeID, &options))
			require.NoError(t, err)
			assert.Len(t, got, tc.n)
			assert.Len(t, w.sent, tc.requests)
			assert.Equal(t, before, options)
			for i, sent := range w.sent {
				assert.Contains(t, sent.url, fmt.Sprintf("page=%d&per_page=%d&search=N", i+1, map[bool]int{true: 100, false: tc.perPage}[tc.perPage == 0]))
			}
		})
	}
}

// Servers that are odd, but from whose answers the whole list can be told.
func TestAllWithoutResultInfo(t *testing.T) {
	for name, tc := range map[string]struct {
		n, requests int
		info        func(page, perPage, n int) map[string]any
		give        int // most on a page; 0: what was asked for
	}{
		"no result_info, a short page ends":  {150, 2, func(int, int, int) map[string]any { return nil }, 0},
		"no result_info, an empty page ends": {200, 3, func(int, int, int) map[string]any { return nil }, 0},
		"no total_count":                     {150, 2, func(page, perPage, _ int) map[string]any { return map[string]any{"page": page, "per_page": perPage} }, 0},
		"gives less on a page than asked, and says so": {150, 8, func(page, _, n int) map[string]any {
			return map[string]any{"page": page, "per_page": 20, "total_count": n}
		}, 20},
	} {
		t.Run(name, func(t *testing.T) {
			w := pagedServer(func(page, perPage int) ([]int, map[string]any) {
				if tc.give > 0 {
					perPage = tc.give
				}
				return slicePage(tc.n, page, perPage), tc.info(page, perPage, tc.n)
			})
			got, err := names(t, newClient(t, w).Secrets.All(t.Context(), storeID, nil))
			require.NoError(t, err)
			assert.Len(t, got, tc.n)
			assert.Len(t, w.sent, tc.requests)
		})
	}
}

// Servers that lie end the list at once with an error: no loop, and no part of a
// list that looks whole.
func TestAllNoticesLies(t *testing.T) {
	total := func(n int) func(page, perPage int) map[string]any {
		return func(page, perPage int) map[string]any {
			return map[string]any{"page": page, "per_page": perPage, "total_count": n}
		}
	}
	for name, tc := range map[string]struct {
		list         func(page, perPage int) []int
		info         func(page, perPage int) map[string]any
		says         string
		got, reqests int
	}{
		"every page is page 1": {func(_, perPage int) []int { return slicePage(1000, 1, perPage) }, total(1000), "page 2 brings nothing", 100, 2},
		"every page is page 1, and says so": {func(_, perPage int) []int { return slicePage(1000, 1, perPage) },
			func(_, perPage int) map[string]any { return total(1000)(1, perPage) }, "asked for page 2, the API gave page 1", 100, 2},
		"every page is page 1, without result_info": {func(_, perPage int) []int { return slicePage(1000, 1, perPage) },
			func(int, int) map[string]any { return nil }, "page 2 brings nothing", 100, 2},
		"total_count is too high":                      {func(page, perPage int) []int { return slicePage(150, page, perPage) }, total(1000), "total_count 1000", 100, 2},
		"total_count is too high, and a page is empty": {func(page, perPage int) []int { return slicePage(200, page, perPage) }, total(1000), "page 3 has 0 items", 200, 3},
		"total_count is too low":                       {func(page, perPage int) []int { return slicePage(250, page, perPage) }, total(10), "total_count 10", 0, 1},
		"total_count is too low for page 2":            {func(page, perPage int) []int { return slicePage(250, page, perPage) }, total(150), "total_count 150", 100, 2},
		"a page has more than was asked for":           {func(int, int) []int { return slicePage(500, 1, 500) }, total(500), "page 1 has 500 items", 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := pagedServer(func(page, perPage int) ([]int, map[string]any) { return tc.list(page, perPage), tc.info(page, perPage) })
			got, err := names(t, newClient(t, w).Secrets.All(t.Context(), storeID, nil))
			require.ErrorIs(t, err, secretsstore.ErrInvalidResponse)
			require.ErrorContains(t, err, tc.says)
			assert.Len(t, got, tc.got)
			assert.Len(t, w.sent, tc.reqests)
		})
	}
}

func TestAllEndsEarly(t *testing.T) {
	honest := func(page, perPage int) ([]int, map[string]any) {
		return slicePage(1000, page, perPage), map[string]any{"page": page, "per_page": perPage, "total_count": 1000}
	}
	t.Run("where the caller breaks", func(t *testing.T) {
		w := pagedServer(honest)
		for secret, err := range newClient(t, w).Secrets.All(t.Context(), storeID, nil) {
			require.NoError(t, err)
			if secret.Name == "N99" {
				break
			}
		}
		assert.Len(t, w.sent, 1)
	})
	t.Run("where page 3 fails", func(t *testing.T) {
		w := pagedServer(honest)
		answer := w.answer
		w.answer = func(req *http.Request) (*http.Response, error) {
			if req.URL.Query().Get("page") == "3" {
				return response(403, failure(9109, "Invalid access token")), nil
			}
			return answer(req)
		}
		got, err := names(t, newClient(t, w).Secrets.All(t.Context(), storeID, nil))
		require.ErrorIs(t, err, secretsstore.ErrForbidden)
		assert.Len(t, got, 200)
		assert.Len(t, w.sent, 3)
	})
	t.Run("where the context is cancelled between pages", func(t *testing.T) {
		w := pagedServer(honest)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var err error
		got := 0
		for secret, e := range newClient(t, w).Secrets.All(ctx, storeID, nil) {
			if err = e; err == nil {
				got++
				if secret.Name == "N99" {
					cancel()
				}
			}
		}
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 100, got)
		assert.Len(t, w.sent, 1)
	})
	t.Run("can be read again", func(t *testing.T) {
		seq := newClient(t, pagedServer(honest)).Secrets.All(t.Context(), storeID, nil)
		for range 2 {
			got, err := names(t, seq)
			require.NoError(t, err)
			assert.Len(t, got, 1000)
		}
	})
	t.Run("starts at the page it is told", func(t *testing.T) {
		got, err := names(t, newClient(t, pagedServer(honest)).Secrets.All(t.Context(), storeID, &secretsstore.SecretListOptions{Page: 10}))
		require.NoError(t, err)
		assert.Len(t, got, 100)
		assert.Equal(t, "N900", got[0])
	})
}

// storeWith is an emulated store with n secrets, S0000 and so on.
func storeWith(t *testing.T, n int, opts ...secretsstoretest.ServerOption) (srv *secretsstoretest.Server, storeID string) {
	t.Helper()
	srv = secretsstoretest.NewServer(append([]secretsstoretest.ServerOption{secretsstoretest.WithoutListener(), secretsstoretest.WithMaxSecrets(0)}, opts...)...)
	t.Cleanup(srv.Close)
	storeID = srv.AddStore("s").ID
	for i := range n {
		srv.AddSecret(storeID, secretsstore.SecretCreate{Name: fmt.Sprintf("S%04d", i), Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("v")})
	}
	return srv, storeID
}

func TestAllGivesEachNameOnce(t *testing.T) {
	srv, store := storeWith(t, 2500, secretsstoretest.WithRequestLog(0))
	c := srv.Client()
	for perPage := 1; perPage <= 100; perPage++ {
		t.Run(fmt.Sprintf("with %d a page", perPage), func(t *testing.T) {
			t.Parallel()
			seen := make(map[string]bool, 2500)
			for secret, err := range c.Secrets.All(t.Context(), store, &secretsstore.SecretListOptions{PerPage: perPage, Order: secretsstore.OrderName}) {
				require.NoError(t, err)
				require.False(t, seen[secret.Name], "%s twice", secret.Name)
				seen[secret.Name] = true
			}
			require.Len(t, seen, 2500)
		})
	}
}

func TestAllWhileTheListChanges(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, c *secretsstore.Client, srv *secretsstoretest.Server, storeID string, secret *secretsstore.Secret){
		"deleting what is listed": func(t *testing.T, c *secretsstore.Client, _ *secretsstoretest.Server, storeID string, secret *secretsstore.Secret) {
			_, err := c.Secrets.Delete(t.Context(), storeID, secret.ID)
			require.NoError(t, err)
		},
		"adding at the start": func(t *testing.T, _ *secretsstore.Client, srv *secretsstoretest.Server, storeID string, secret *secretsstore.Secret) {
			if secret.Name[3] == '7' {
				srv.AddSecret(storeID, secretsstore.SecretCreate{Name: "A" + secret.Name, Scopes: []secretsstore.Scope{"dex"}, Value: secretsstore.NewSecretValue("v")})
			}
		},
	} {
		t.Run(name+" ends and repeats nothing", func(t *testing.T) {
			srv, store := storeWith(t, 450)
			c := srv.Client()
			seen := map[string]bool{}
			for secret, err := range c.Secrets.All(t.Context(), store, &secretsstore.SecretListOptions{Order: secretsstore.OrderName, Direction: secretsstore.Ascending}) {
				require.NoError(t, err)
				require.False(t, seen[secret.Name], secret.Name)
				seen[secret.Name] = true
				change(t, c, srv, store, secret)
			}
			assert.GreaterOrEqual(t, len(seen), 225)
		})
	}
}

func TestFindByName(t *testing.T) {
	srv, store := storeWith(t, 150)
	c := srv.Client()
	for _, decoy := range []string{"S0042_OLD", "MY_S0042", "s0042"} {
		srv.AddSecret(store, secretsstore.SecretCreate{Name: decoy, Comment: "like S0042", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("v")})
	}
	for i := range 250 { // so that the name is on a later page of what the search finds
		srv.AddSecret(store, secretsstore.SecretCreate{Name: fmt.Sprintf("DECOY%d", i), Comment: "S0042", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("v")})
	}
	t.Run("finds the exact name", func(t *testing.T) {
		secret, err := c.Secrets.FindByName(t.Context(), store, "S0042")
		require.NoError(t, err)
		assert.Equal(t, "S0042", secret.Name)
	})
	for _, name := range []string{"S004", "S00420", "like", "no_such"} {
		t.Run("does not find "+name, func(t *testing.T) {
			secret, err := c.Secrets.FindByName(t.Context(), store, name)
			assert.ElementsMatch(t, []string{"ErrSecretNotFound", "ErrNotFound"}, matches(err))
			assert.Nil(t, secret)
			assert.ErrorContains(t, err, strconv.Quote(name))
		})
	}
	t.Run("passes on errors", func(t *testing.T) {
		_, err := c.Secrets.FindByName(t.Context(), "0000", "S0042")
		require.ErrorIs(t, err, secretsstore.ErrStoreNotFound)
	})
}
