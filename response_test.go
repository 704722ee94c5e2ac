package secretsstore_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

// A success that can't be read is ErrInvalidResponse, and says what came.
func TestInvalidResponses(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":                       ``,
		"white space":                   "\n",
		"a page":                        `<html>maintenance</html>`,
		"a list":                        `[]`,
		"a string":                      `"success"`,
		"null":                          `null`,
		"an object that is no envelope": `{}`,
		"success as a string":           `{"success":"true","result":{"id":"x"}}`,
		"success as null":               `{"success":null,"result":{"id":"x"}}`,
		"no result":                     `{"success":true,"errors":[],"messages":[]}`,
		"a null result":                 `{"success":true,"errors":[],"messages":[],"result":null}`,
		"a list where one is promised":  `{"success":true,"result":[{"id":"x"}]}`,
		"a string where one is":         `{"success":true,"result":"x"}`,
		"a secret without an id":        `{"success":true,"result":{}}`,
		"a secret with a null id":       `{"success":true,"result":{"id":null,"name":"x"}}`,
		"a number for a name":           `{"success":true,"result":{"id":"x","name":1}}`,
		"a bad date":                    `{"success":true,"result":{"id":"x","created":"yesterday"}}`,
		"a date that is a number":       `{"success":true,"result":{"id":"x","created":1700000000}}`,
		"a scope that is a number":      `{"success":true,"result":{"id":"x","scopes":[1]}}`,
		"two results":                   `{"success":true,"result":{"id":"x","name":"one"},"result":{"id":"y"}}`,
		"a result and null":             `{"success":true,"result":{"id":"x"},"result":null}`,
		"null and a result":             `{"success":true,"result":null,"result":{"id":"x"}}`,
		"two results by an escape":      `{"success":true,"result":{"id":"x","name":"one"},"re\u0073ult":{"id":"y"}}`,
		"two results by case":           `{"success":true,"result":{"id":"x","name":"one"},"RESULT":{"id":"y"}}`,
		"cut in the envelope":           `{"success":true,"errors":[],"mess`,
		"cut in the result":             secretAnswer[:len(secretAnswer)-30],
		"cut before the last brace":     secretAnswer[:len(secretAnswer)-1],
		"more after the envelope":       secretAnswer + secretAnswer,
		"200,000 nested brackets":       strings.Repeat("[", 200_000),
		"200,000 nested pairs":          `{"success":true,"result":` + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + `}`,
		"200,000 nested messages":       `{"success":true,"messages":` + strings.Repeat(`[`, 200_000) + strings.Repeat(`]`, 200_000) + `,"result":{"id":"x"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			secret, resp, err := newClient(t, answering(200, body)).Secrets.Get(t.Context(), storeID, secretID)
			require.Error(t, err)
			assert.Equal(t, []string{"ErrInvalidResponse"}, matches(err))
			assert.Nil(t, secret)
			require.NotNil(t, resp)
			assert.Equal(t, 200, resp.StatusCode)
			var invalid *secretsstore.ResponseError
			require.ErrorAs(t, err, &invalid)
			assert.Equal(t, 200, invalid.StatusCode)
			assert.Equal(t, "GET", invalid.Method)
			assert.Equal(t, "application/json", invalid.ContentType)
			assert.Equal(t, "8f00c0ffee-AMS", invalid.RayID)
			assert.Equal(t, body[:min(len(body), 2048)], strings.TrimSuffix(invalid.Body, "…"))
			assert.Less(t, len(err.Error()), 600)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestResultsThatMustBeWhole(t *testing.T) {
	for name, body := range map[string]string{
		"null in a list":              `{"success":true,"result":[{"id":"x"},null]}`,
		"an item without an id":       `{"success":true,"result":[{"id":"x"},{"name":"y"}]}`,
		"an object in place of lists": `{"success":true,"result":{"id":"x"}}`,
		"no list":                     `{"success":true,"result":null}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, answering(200, body))
			secrets, _, err := c.Secrets.List(t.Context(), storeID, nil)
			require.ErrorIs(t, err, secretsstore.ErrInvalidResponse)
			assert.Nil(t, secrets)
			stores, _, err := c.Stores.List(t.Context(), nil)
			require.ErrorIs(t, err, secretsstore.ErrInvalidResponse)
			assert.Nil(t, stores)
		})
	}
	for _, body := range []string{
		`{"success":true,"result":{"secrets":{"quota":"100","usage":"3"}}}`, `{"success":true,"result":{"secrets":{"quota":1e300,"usage":3}}}`,
		`{"success":true,"result":{"secrets":{"quota":100,"usage":-1}}}`, `{"success":true,"result":{"secrets":{"quota":1.5,"usage":1}}}`,
		`{"success":true,"result":{"secrets":{"quota":100,"usage":{}}}}`,
		`{"success":true,"result":{}}`, `{"success":true,"result":{"secrets":{}}}`, `{"success":true,"result":{"secrets":{"quota":1}}}`, `{"success":true,"result":null}`} {
		usage, _, err := newClient(t, answering(200, body)).Quota.Get(t.Context())
		require.ErrorIs(t, err, secretsstore.ErrInvalidResponse, body)
		assert.Nil(t, usage)
	}
	for _, body := range []string{`{}`, `null`, `{"result":null}`, `{"success":"true"}`} {
		_, err := newClient(t, answering(200, body)).Secrets.Delete(t.Context(), storeID, secretID)
		require.ErrorIs(t, err, secretsstore.ErrInvalidResponse, body)
	}
}

// What is unknown, absent or null passes; so the API can grow.
func TestAnswersThatPass(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want secretsstore.Secret
	}{
		"unknown fields":          {`{"success":true,"errors":[],"messages":[],"new":{"a":[1]},"result":{"id":"x","future":[{}]}}`, secretsstore.Secret{ID: "x"}},
		"null lists":              {`{"success":true,"errors":null,"messages":null,"result":{"id":"x","scopes":null,"comment":null},"result_info":null}`, secretsstore.Secret{ID: "x"}},
		"no lists":                {`{"success":true,"result":{"id":"x"}}`, secretsstore.Secret{ID: "x"}},
		"an empty list of scopes": {`{"success":true,"result":{"id":"x","scopes":[]}}`, secretsstore.Secret{ID: "x", Scopes: []secretsstore.Scope{}}},
		"an unknown scope":        {`{"success":true,"result":{"id":"x","scopes":["workers","mars"]}}`, secretsstore.Secret{ID: "x", Scopes: []secretsstore.Scope{"workers", "mars"}}},
		"an unknown status":       {`{"success":true,"result":{"id":"x","status":"melting"}}`, secretsstore.Secret{ID: "x", Status: "melting"}},
		"names in another case":   {`{"Success":true,"RESULT":{"Id":"x"}}`, secretsstore.Secret{ID: "x"}},
		"escaped names":           {`{"success":true,"\u0072esult":{"id":"x"}}`, secretsstore.Secret{ID: "x"}},
		"a name given twice":      {`{"success":true,"result":{"id":"x","name":"one","name":"two"}}`, secretsstore.Secret{ID: "x", Name: "two"}},
		"text that is not UTF-8":  {"{\"success\":true,\"result\":{\"id\":\"x\",\"comment\":\"a\xffb\"}}", secretsstore.Secret{ID: "x", Comment: "a\ufffdb"}},
		"white space everywhere":  {" {\n\t\"success\" : true ,\r\n \"result\" : { \"id\" : \"x\" } } \n", secretsstore.Secret{ID: "x"}},
		"strings with brackets":   {`{"a":"}]\\\"{","success":true,"result":{"id":"x","comment":"\"}\\"}}`, secretsstore.Secret{ID: "x", Comment: `"}\`}},
		"result inside another":   {`{"x":{"result":{"id":"no"}},"success":true,"result":{"id":"x"}}`, secretsstore.Secret{ID: "x"}},
		"messages out of range":   {`{"success":true,"errors":1e999,"messages":[{"code":1e999,"message":"m"},-1e999],"result":{"id":"x"}}`, secretsstore.Secret{ID: "x"}},
		"errors beside a success": {`{"success":true,"errors":[{"code":1,"message":"warning"}],"result":{"id":"x"}}`, secretsstore.Secret{ID: "x"}},
		"a time with an offset":   {`{"success":true,"result":{"id":"x","created":"2023-09-21T20:56:32.5+02:00"}}`, secretsstore.Secret{ID: "x", Created: time.Date(2023, 9, 21, 20, 56, 32, 5e8, time.FixedZone("", 7200))}},
	} {
		t.Run(name, func(t *testing.T) {
			w := answering(200, tc.body)
			secret, resp, err := newClient(t, w).Secrets.Get(t.Context(), storeID, secretID)
			require.NoError(t, err)
			assert.True(t, tc.want.Created.Equal(secret.Created))
			secret.Created = tc.want.Created
			assert.Equal(t, &tc.want, secret)
			assert.True(t, json.Valid(resp.Result), "%s", resp.Result)
			assert.Contains(t, strings.ToLower(string(resp.Result)), `"id"`)
		})
	}
}

func TestContentTypeDoesNotMatter(t *testing.T) {
	for _, contentType := range []string{"", "text/html", "text/plain;charset=UTF-8", "nonsense"} {
		w := answering(200, secretAnswer)
		answer := w.answer
		w.answer = func(req *http.Request) (*http.Response, error) {
			resp, err := answer(req)
			resp.Header.Set("Content-Type", contentType)
			return resp, err
		}
		_, _, err := newClient(t, w).Secrets.Get(t.Context(), storeID, secretID)
		require.NoError(t, err)
	}
}

func TestRawResultIsAsItCame(t *testing.T) {
	for body, want := range map[string]string{
		`{"success":true,"result": {"id":"x",  "new":[1, 2]} ,"z":1}`: `{"id":"x",  "new":[1, 2]}`,
		`{"result":{"id":"x"},"success":true}`:                        `{"id":"x"}`,
	} {
		_, resp, err := newClient(t, answering(200, body)).Secrets.Get(t.Context(), storeID, secretID)
		require.NoError(t, err)
		assert.Equal(t, want, string(resp.Result))
	}
	for body, want := range map[string]string{
		`{"success":true,"result":null}`:          "",
		`{"success":true}`:                        "",
		`{"success":true,"result":7}`:             "7",
		`{"success":true,"result":-1.5e3 ,"a":1}`: "-1.5e3",
		`{"success":true,"result":true}`:          "true",
		`{"success":true,"result":"a\\\"b"}`:      `"a\\\"b"`,
		`{"success":true,"result":[{"a":"]"}]}`:   `[{"a":"]"}]`,
		`{"success":true,"result":{"id":"old"}}`:  `{"id":"old"}`,
	} {
		resp, err := newClient(t, answering(202, body)).Secrets.Delete(t.Context(), storeID, secretID)
		require.NoError(t, err)
		assert.Equal(t, want, string(resp.Result), body)
	}
}

func TestResultInfoNumbers(t *testing.T) {
	for info, want := range map[string]*secretsstore.ResultInfo{
		`{"count":20,"page":1,"per_page":20,"total_count":2000,"total_pages":100}`:      {Count: 20, Page: 1, PerPage: 20, TotalCount: 2000, TotalPages: 100},
		`{"count":20.0,"page":1.0,"per_page":2e1,"total_count":2E3,"total_pages":1e+2}`: {Count: 20, Page: 1, PerPage: 20, TotalCount: 2000, TotalPages: 100},
		`{}`:   {},
		`null`: nil,
		`{"count":-1,"page":1.5,"per_page":1e300,"total_count":"7","total_pages":null}`: {},
	} {
		_, resp, err := newClient(t, answering(200, `{"success":true,"result":{"id":"x"},"result_info":`+info+`}`)).Secrets.Get(t.Context(), storeID, secretID)
		require.NoError(t, err)
		assert.Equal(t, want, resp.ResultInfo, info)
	}
}

// A chain of errors costs no more than its length.
func TestDeepErrorChains(t *testing.T) {
	const depth = 4_000
	innermost := `{"message":"` + strings.Repeat("x", 6<<20) + `"}` // which must not be read once for each link
	body := `{"success":false,"errors":[` + strings.Repeat(`{"message":"m","error_chain":[`, depth) + innermost + strings.Repeat(`]}`, depth) + `]}`
	_, resp, err := newClient(t, answering(400, body)).Secrets.Get(t.Context(), storeID, secretID)
	require.ErrorIs(t, err, secretsstore.ErrInvalidRequest)
	links := 0
	for at := resp.Errors; at != nil; at = at[0].Chain {
		links++
	}
	assert.Equal(t, 9, links, "the error and the chain of 8 that is read")
}

// What an error of a success says is not lost.
func TestErrorsBesideASuccess(t *testing.T) {
	resp, err := newClient(t, answering(200, `{"success":true,"errors":[{"code":1001,"message":"secret_not_found"}],"result":[]}`)).Secrets.BulkDelete(t.Context(), storeID, []string{secretID})
	require.NoError(t, err)
	assert.Equal(t, []secretsstore.ErrorDetail{{Code: 1001, Message: "secret_not_found"}}, resp.Errors)
}

// A few bytes for each error or message make no more of them than anyone reads.
func TestErrorsAndMessagesAreCounted(t *testing.T) {
	many := "[" + strings.Repeat("0,", 1<<20) + "0]"
	chain := `[{"message":"m","error_chain":` + many + `},"another"]`
	for _, status := range []int{200, 400} {
		for _, errs := range []string{many, chain} {
			var resp *secretsstore.Response
			var err error
			used := allocated(func() {
				resp, err = newClient(t, answering(status, `{"success":true,"errors":`+errs+`,"messages":`+many+`,"result":{"id":"x"}}`)).Secrets.Delete(t.Context(), storeID, secretID)
			})
			require.Equal(t, status == 200, err == nil)
			assert.Less(t, used, uint64(24<<20), "of 4 MiB, which are copied twice here")
			assert.Len(t, resp.Messages, 1000)
			count := len(resp.Errors)
			for _, e := range resp.Errors {
				count += len(e.Chain)
			}
			assert.Equal(t, 1000, count)
			if err != nil {
				assert.Less(t, len(err.Error()), 3000)
			}
		}
	}
}

// A few bytes for each item of a list make no more of them than a page has.
func TestResultsOfALongAnswerAreCounted(t *testing.T) {
	list := func(item string, n int) (secrets []*secretsstore.Secret, used uint64, err error) {
		body := `{"success":true,"result":[` + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + `]}`
		c := newClient(t, answering(200, body))
		used = allocated(func() { secrets, _, err = c.Secrets.List(t.Context(), storeID, nil) })
		return secrets, used, err
	}
	_, used, err := list(`{}`, 1<<20)
	require.ErrorIs(t, err, secretsstore.ErrInvalidResponse)
	require.ErrorContains(t, err, "more than 10000 results")
	assert.Less(t, used, uint64(40<<20), "of 3 MiB, which are read into a buffer that grows")
	secrets, _, err := list(`{"id":"x","comment":"`+strings.Repeat("c", 200)+`"}`, 10_000)
	require.NoError(t, err)
	assert.Len(t, secrets, 10_000)
}

// FuzzDecode holds that whatever a server answers, a call neither panics nor
// returns half a result.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{secretAnswer, failure(1001, "secret_not_found"), `{"success":true,"result":[{"id":"x"},null]}`, `{"success":true,"result":{"id":"x"},"result":{"id":"y"}}`,
		`{"success":true,"re\u0073ult":{"id":"x"},"result_info":{"page":2e1}}`, `[`, ``, `{"success":true,"result":"\"`, `{"success":true,"a":"\\","result":null}`,
		`{"success":false,"errors":[null,7,{"code":"x","message":{},"source":[],"error_chain":[[],{"source":{"pointer":1}}]}],"messages":{}}`} {
		f.Add(200, body)
		f.Add(500, body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		c := newClient(t, answering(status, body))
		secret, resp, err := c.Secrets.Get(t.Context(), storeID, secretID)
		if (secret == nil) == (err == nil) || err == nil && secret.ID == "" {
			t.Fatalf("secret %v, error %v", secret, err)
		}
		if resp == nil {
			t.Fatal("an answer came, and no Response")
		}
		if resp.Result != nil && (!json.Valid(resp.Result) || !strings.Contains(body, string(resp.Result))) {
			t.Fatalf("result %q of %q", resp.Result, body)
		}
		secrets, _, err := c.Secrets.List(t.Context(), storeID, nil)
		if (secrets == nil) == (err == nil) {
			t.Fatalf("secrets %v, error %v", secrets, err)
		}
		for _, secret := range secrets {
			if secret == nil || secret.ID == "" {
				t.Fatalf("a list with %v", secret)
			}
		}
		if err != nil {
			_ = err.Error()
		}
		_, _, _ = c.Quota.Get(t.Context())
		_, _ = c.Secrets.Delete(t.Context(), storeID, secretID)
	})
}
