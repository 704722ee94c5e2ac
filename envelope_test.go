package secretsstore

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Errors and messages have the same forms.
func TestDetails(t *testing.T) {
	for _, tt := range []struct {
		name, json string
		want       []Detail
	}{
		{name: "null", json: `null`},
		{name: "an empty list", json: `[]`},
		{name: "an empty object", json: `{}`},
		{name: "objects of another form", json: `[{"detail":"Not Found"},{"status":404},null,{}]`},
		{name: "an object", json: `{"code":1,"message":"m"}`, want: []Detail{{Code: 1, Message: "m"}}},
		{name: "a string", json: `"a text"`, want: []Detail{{Message: "a text"}}},
		{name: "a number", json: `1016`, want: []Detail{{Message: "1016"}}},
		{name: "entries of any type", json: `["a",7,null,[1],{"message":"m"}]`, want: []Detail{{Message: "a"}, {Message: "7"}, {Message: "[1]"}, {Message: "m"}}},
		{name: "codes", json: `[{"code":"1001"},{"code":1e3},{"code":1.5,"message":"m"},{"code":null,"message":"m"},{"code":"x","message":"m"}]`,
			want: []Detail{{Code: 1001}, {Code: 1000}, {Message: "m"}, {Message: "m"}, {Message: "m"}}},
		{name: "texts of any type", json: `[{"message":{"a":1},"documentation_url":2,"source":{"pointer":3}}]`, want: []Detail{{Message: `{"a":1}`, DocumentationURL: "2", Source: Source{Pointer: "3"}}}},
		{name: "sources of any type", json: `[{"code":1,"source":"x"},{"code":2,"source":null},{"code":3,"source":{}}]`, want: []Detail{{Code: 1}, {Code: 2}, {Code: 3}}},
		{name: "chains", json: `[{"code":6003,"error_chain":[{"code":6111},"x"]},{"error_chain":{"code":1}},{"error_chain":null}]`,
			want: []Detail{{Code: 6003, Chain: []Detail{{Code: 6111}, {Message: "x"}}}, {Chain: []Detail{{Code: 1}}}}},
		{name: "control and format characters", json: `["a\u001b[31m\u202e\n"]`, want: []Detail{{Message: "a [31m  "}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, err := decodeAll(t.Context(), getOp, new(noResult), received(200, `{"success":true,"errors":`+tt.json+`,"messages":`+tt.json+`}`))
			require.NoError(t, err)
			assert.Equal(t, tt.want, resp.Errors)
			assert.Equal(t, tt.want, resp.Messages)
			resp, err = decodeAll(t.Context(), getOp, new(noResult), received(400, `{"errors":`+tt.json+`,"messages":`+tt.json+`}`))
			require.Error(t, err)
			assert.Equal(t, tt.want, resp.Errors)
			assert.Equal(t, tt.want, resp.Messages)
		})
	}
}

func TestResultInfo(t *testing.T) {
	for _, tt := range []struct {
		name, json string
		want       *ResultInfo
	}{
		{name: "numbers", json: `{"count":20,"page":1,"per_page":20,"total_count":2000,"total_pages":100}`, want: &ResultInfo{Count: 20, Page: 1, PerPage: 20, TotalCount: 2000, TotalPages: 100}},
		{name: "numbers as floats and strings", json: `{"count":20.0,"page":"1","per_page":2e1,"total_count":2E3}`, want: &ResultInfo{Count: 20, Page: 1, PerPage: 20, TotalCount: 2000}},
		{name: "other values", json: `{"count":1.5,"page":null,"per_page":1e300,"total_count":[],"total_pages":"x"}`, want: &ResultInfo{}},
		{name: "null", json: `null`},
		{name: "a list", json: `[{"count":1}]`},
		{name: "a string", json: `"x"`},
	} {
		resp, err := decodeAll(t.Context(), getOp, new(noResult), received(200, `{"success":true,"result_info":`+tt.json+`}`))
		require.NoError(t, err)
		assert.Equal(t, tt.want, resp.ResultInfo, tt.name)
	}
}

func TestDetailsAreBounded(t *testing.T) {
	count := func(list []Detail) (n, levels int) {
		var walk func(list []Detail, level int)
		walk = func(list []Detail, level int) {
			for _, d := range list {
				n++
				levels = max(levels, level)
				walk(d.Chain, level+1)
			}
		}
		walk(list, 1)
		return n, levels
	}
	long := strings.Repeat("x", 10_000)
	for _, tt := range []struct {
		name, json string
		n, levels  int
	}{
		{"100 entries", "[" + strings.Repeat(`"e",`, 5000) + `"e"]`, 100, 1},
		{"100 entries in chains", `[{"error_chain":[` + strings.Repeat(`"e",`, 5000) + `"e"]},"e"]`, 100, 2},
		{"8 levels", strings.Repeat(`[{"code":1,"error_chain":`, 3000) + "[]" + strings.Repeat("}]", 3000), 8, 8},
		{"4 KiB of each text", `[{"message":"` + long + `","documentation_url":"` + long + `","source":{"pointer":"` + long + `"}}]`, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, err := decodeAll(t.Context(), getOp, new(noResult), received(400, `{"errors":`+tt.json+`,"messages":`+tt.json+`}`))
			for _, list := range [][]Detail{resp.Errors, resp.Messages} {
				n, levels := count(list)
				assert.Equal(t, tt.n, n)
				assert.Equal(t, tt.levels, levels)
				for _, text := range []string{list[0].Message, list[0].DocumentationURL, list[0].Source.Pointer} {
					assert.LessOrEqual(t, len(text), maxText+len("…"))
				}
			}
			assert.Less(t, len(err.Error()), 3000)
		})
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestResponsesCannotExhaustMemory(t *testing.T) {
	limit := uint64(64 << 20)
	if raceEnabled { // append then allocates what it appends
		limit *= 2
	}
	fill := func(head, unit, tail string) string {
		n := (maxResponse - len(head) - len(tail)) / len(unit)
		return head + strings.Repeat(unit, n-1) + strings.TrimSuffix(unit, ",") + tail
	}
	for _, tt := range []struct {
		name, body string
		length     int64 // Content-Length
	}{
		{"8 MiB of {}", fill(`{"success":true,"result":[`, "{},", "]}"), -1},
		{"8 MiB of 1 in errors", fill(`{"success":true,"result":[],"errors":[`, "1,", "]}"), -1},
		{`8 MiB of "" in scopes`, fill(`{"success":true,"result":[{"id":"a","scopes":[`, `"",`, "]}]}"), -1},
		{"8 MiB of {", fill(`{"success":true,"result":`, `{"a":`, "1}"), -1},
		{"8 MiB of [", fill(`{"success":true,"result":[],"errors":`, "[", "]}"), -1},
		{"more than 8 MiB", strings.Repeat(" ", 100<<20), -1},
		{"more than 8 MiB, announced", strings.Repeat(" ", 100<<20), 100 << 20},
		{"less than announced", strings.Repeat("{},", 200_000), 1 << 50},
	} {
		for _, status := range []int{200, 400} {
			t.Run(fmt.Sprintf("%s at %d", tt.name, status), func(t *testing.T) {
				client := newTestClient(t, roundTripFunc(func(*http.Request) (*http.Response, error) {
					resp := httpResponse(status, tt.body, header())
					resp.ContentLength = tt.length
					return resp, nil
				}))
				var resp *Response
				var err error
				used := allocated(func() { _, resp, err = client.Secrets.List(t.Context(), "store", nil) })
				assert.Less(t, used, limit)
				require.NotNil(t, resp)
				assert.LessOrEqual(t, len(resp.Body), maxResponse)
				var apiErr *APIError
				if status != 200 {
					require.ErrorAs(t, err, &apiErr)
					assert.Nil(t, apiErr.Errors)
					assert.NotEmpty(t, apiErr.Body)
					return
				}
				assert.ErrorIs(t, err, ErrResponseTooLarge)
				assert.ErrorAs(t, err, new(*ResponseError))
				assert.NotErrorIs(t, err, ErrInvalidResponse)
				assert.Error(t, resp.DecodeResult(new(any)))
			})
		}
	}
}

// An invalid time makes the body be decoded again.
func TestInvalidTimesCannotExhaustMemory(t *testing.T) {
	nested := strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000) + ","
	body := `{"success":true,"result":[{"id":"a","created":""}],"x":[` + strings.Repeat(nested, 10) + "1]}"
	list := new(listEnvelope[Secret])
	var err error
	used := allocated(func() { _, err = decodeAll(t.Context(), getOp, list, received(200, body)) })
	require.NoError(t, err)
	assert.Less(t, used, uint64(64<<20))
	assert.Equal(t, []*Secret{{ID: "a"}}, list.items())
}

func TestResponseAtTheLimit(t *testing.T) {
	body := `{"success":true,"result":{"id":"a"},"pad":"` + strings.Repeat("x", maxResponse-45) + `"}`
	require.Len(t, body, maxResponse)
	_, err := decodeAll(t.Context(), getOp, new(envelope[Secret]), received(200, body))
	assert.NoError(t, err)
	list := `{"success":true,"result":[` + strings.Repeat(`{"id":"a"},`, maxValues/2-2) + `{"id":"a"}]}`
	_, err = decodeAll(t.Context(), getOp, new(listEnvelope[Secret]), received(200, list))
	assert.NoError(t, err)
	_, err = decodeAll(t.Context(), getOp, new(listEnvelope[Secret]), received(200, strings.Replace(list, `[`, `[{"id":"a"},`, 1)))
	assert.ErrorIs(t, err, ErrResponseTooLarge)
}

// Whatever a server sends, a call returns a result or an error, which never shows the token.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		secretBody, `{"success":false,"errors":[{"code":1001,"message":"secret_not_found"}]}`, `{"success":true,"result":[{"id":"a"},null]}`,
		`{"success":true,"result":{"id":"a","created":""},"result_info":{"page":2e1}}`, `[`, ``, `null`, `{"success":true,"result":"\"`, fixedToken.secret,
		`{"success":false,"errors":[null,7,{"code":"x","message":{},"source":[],"error_chain":[[],{"source":{"pointer":"\u0074oken-abcdef"}}]}],"messages":{}}`,
	} {
		for _, status := range []int{200, 204, 301, 404, 429, 500, 0, -1, 1 << 40} {
			f.Add(status, body, "8f00c0ffee-AMS")
		}
	}
	var respond func() *http.Response
	client := newTestClient(f, roundTripFunc(func(*http.Request) (*http.Response, error) { return respond(), nil }),
		WithRetryPolicy(RetryPolicy{MaxAttempts: 1}), WithoutPacing())
	f.Fuzz(func(t *testing.T, status int, body, head string) {
		respond = func() *http.Response {
			h := http.Header{"Content-Type": {head}, "Cf-Ray": {head}, "Retry-After": {head}, "Ratelimit": {head, `"` + head + `";r=1;t=1`}, "Ratelimit-Policy": {head}}
			return httpResponse(status, body, h)
		}
		check := func(resp *Response, err error) {
			if resp == nil {
				t.Fatal("no Response")
			}
			shown := fmt.Sprintf("%v %+v %+v %+v %v %v", err, err, resp.Errors, resp.Messages, resp.RayID, resp.RateLimit)
			if strings.Contains(shown, fixedToken.secret) {
				t.Fatalf("shows the token: %q", shown)
			}
		}
		secret, resp, err := client.Secrets.Get(t.Context(), "store", "secret")
		if check(resp, err); (err == nil) != (secret != nil && secret.ID != "") {
			t.Fatalf("secret %v, error %v", secret, err)
		}
		secrets, resp, err := client.Secrets.List(t.Context(), "store", nil)
		for check(resp, err); len(secrets) > 0; secrets = secrets[1:] {
			if secrets[0] == nil || secrets[0].ID == "" || err != nil {
				t.Fatalf("secret %v, error %v", secrets[0], err)
			}
		}
		_, resp, err = client.Quota.Get(t.Context())
		check(resp, err)
		check(client.Secrets.Delete(t.Context(), "store", "secret"))
		check(client.Do(t.Context(), http.MethodPost, "/x", nil, new(any)))
	})
}
