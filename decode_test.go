package secretsstore

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// received returns an attempt with a response as send returns it.
func received(status int, body string, headers ...string) attempt {
	return attempt{resp: &Response{StatusCode: status, Header: header(headers...), Body: []byte(body)}}
}

// decodeAll makes a call whose attempts are decoded into result.
func decodeAll(ctx context.Context, op operation, result payload, attempts ...attempt) (*Response, error) {
	c := newTestCall(op)
	c.result, c.secrets = result, []string{fixedToken.secret}
	return chain((&fakeNext{attempts: attempts}).handle, retry(new(budget), fixedToken), decode)(ctx, c)
}

func TestDecodeSuccess(t *testing.T) {
	env := new(envelope[Secret])
	resp, err := decodeAll(t.Context(), getOp, env, received(200, `{
		"success": true,
		"errors": [{"code": 1, "message": "a warning"}],
		"messages": [{"code": 2, "message": "a hint", "documentation_url": "https://d", "source": {"pointer": "/p"}}],
		"result": {"id": "secret", "store_id": "store", "name": "A", "comment": "c", "scopes": ["workers"], "status": "active",
			"created": "2023-09-21T18:56:32.624632Z", "modified": "2023-09-21T20:56:33+02:00"},
		"result_info": {"count": 1, "page": 2, "per_page": 20, "total_count": 2000, "total_pages": 100}}`))
	require.NoError(t, err)
	created := time.Date(2023, 9, 21, 18, 56, 32, 624632000, time.UTC)
	assert.True(t, created.Add(375368*time.Microsecond).Equal(env.Result.Modified))
	env.Result.Modified = created
	assert.Equal(t, &Secret{ID: "secret", StoreID: "store", Name: "A", Comment: "c", Scopes: []Scope{"workers"}, Status: "active", Created: created, Modified: created}, env.Result)
	assert.Equal(t, []Detail{{Code: 1, Message: "a warning"}}, resp.Errors)
	assert.Equal(t, []Detail{{Code: 2, Message: "a hint", DocumentationURL: "https://d", Source: Source{Pointer: "/p"}}}, resp.Messages)
	assert.Equal(t, &ResultInfo{Count: 1, Page: 2, PerPage: 20, TotalCount: 2000, TotalPages: 100}, resp.ResultInfo)
}

func TestDecodeAPIError(t *testing.T) {
	resp, err := decodeAll(t.Context(), createOp, new(envelope[Secret]), received(429, `{"success":false,"errors":[{"code":10429,"message":"slow down"}],"messages":["m"],"result":null}`, "Retry-After: 300"))
	var apiErr *APIError
	require.ErrorAs(t, err, &apiErr)
	assert.Equal(t, &APIError{
		StatusCode: 429, Errors: []Detail{{Code: 10429, Message: "slow down"}}, Messages: []Detail{{Message: "m"}},
		Method: "POST", Path: "/path", RetryAfter: 5 * time.Minute, Attempts: 1,
		classified: true, sentinels: []error{ErrRateLimited},
	}, apiErr)
	assert.Equal(t, apiErr.Errors, resp.Errors)
	assert.Equal(t, apiErr.Messages, resp.Messages)
}

// Only a 2xx with success:true is a success.
func TestDecodeFailures(t *testing.T) {
	secret := func() payload { return new(envelope[Secret]) }
	none := func() payload { return new(noResult) }
	for _, tt := range []struct {
		name   string
		result func() payload
		status int
		body   string
		is     error
		text   string // of the error
		shown  string // Body of the error
	}{
		{name: "success:false at 200", result: secret, status: 200, body: `{"success":false,"errors":[{"code":1001,"message":"secret_not_found"}],"result":null}`, is: ErrSecretNotFound, text: "200 OK: secret_not_found (code 1001)"},
		{name: "and a result of any shape", result: secret, status: 200, body: `{"result":[],"success":false,"errors":[{"code":1001,"message":"secret_not_found"}]}`, is: ErrSecretNotFound, text: "200 OK: secret_not_found (code 1001)"},
		{name: "and an invalid time", result: secret, status: 200, body: `{"result":{"id":"a","created":""},"success":false,"errors":[{"code":10429}]}`, is: ErrRateLimited},
		{name: "and no errors", result: none, status: 200, body: `{"success":false,"message":"a text"}`, text: `200 OK: {"success":false,"message":"a text"}`, shown: `{"success":false,"message":"a text"}`},
		{name: "success:true at 404", result: none, status: 404, body: `{"success":true,"errors":[{"code":1001,"message":"store_not_found"}],"result":{"id":"a"}}`, is: ErrStoreNotFound},
		{name: "errors in a field of another name", result: none, status: 400, body: `{"success":false,"error":[{"code":2001,"message":"Please configure"}]}`, is: ErrInvalidRequest, text: `Please configure`, shown: `{"success":false,"error":[{"code":2001,"message":"Please configure"}]}`},
		{name: "errors of another form", result: none, status: 404, body: `{"errors":{"detail":"Not Found"}}`, is: ErrInvalidRequest, text: `Not Found`, shown: `{"errors":{"detail":"Not Found"}}`},
		{name: "the edge's own JSON", result: secret, status: 530, body: `{"error_code":1016,"retryable":true}`, is: ErrServer, shown: `{"error_code":1016,"retryable":true}`},
		{name: "a page of the edge", result: secret, status: 502, body: "<html>\nbad gateway", is: ErrServer, text: "502 Bad Gateway: <html> bad gateway", shown: "<html> bad gateway"},
		{name: "a long page", result: none, status: 404, body: strings.Repeat("ä", 3000), is: ErrInvalidRequest, shown: strings.Repeat("ä", 1024) + "…"},
		{name: "an empty body", result: none, status: 500, is: ErrServer},
		{name: "a redirect", result: none, status: 307, text: "redirects are not followed"},
		{name: "a token in a message", result: none, status: 400, body: `{"errors":[{"message":"unknown token ` + fixedToken.secret + `"}]}`, is: ErrInvalidRequest, text: "400 Bad Request: [REDACTED]"},
		{name: "a token in a word that is classified first", result: none, status: 400, body: `{"errors":[{"message":"secret_name_already_exists: ` + fixedToken.secret + `"}]}`, is: ErrAlreadyExists, text: "400 Bad Request: [REDACTED]"},
		{name: "a token in the body", result: none, status: 400, body: "<html>" + fixedToken.secret, is: ErrInvalidRequest, shown: "[REDACTED]"},
		{name: "a token with JSON escapes", result: none, status: 400, body: `<html>\u0074oken-abcdef`, is: ErrInvalidRequest, shown: "[REDACTED]"},
		{name: "a token that the limit cuts", result: none, status: 400, body: strings.Repeat("x", maxBody-5) + fixedToken.secret, is: ErrInvalidRequest, shown: "[REDACTED]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				resp, err := decodeAll(t.Context(), createOp, tt.result(), received(tt.status, tt.body))
				var apiErr *APIError
				require.ErrorAs(t, err, &apiErr)
				assert.Equal(t, tt.status, apiErr.StatusCode)
				if tt.is != nil {
					assert.ErrorIs(t, err, tt.is)
				}
				assert.ErrorContains(t, err, tt.text)
				assert.Equal(t, tt.shown, apiErr.Body)
				assert.Equal(t, tt.body, string(resp.Body), "the Response is raw")
				assert.NotContains(t, err.Error()+apiErr.Body, fixedToken.secret)
			})
		})
	}
}

func TestDecodeEnvelopeRules(t *testing.T) {
	const invalid, valid = false, true
	for _, tt := range []struct {
		name   string
		result payload
		status int
		body   string
		ok     bool
	}{
		{"no success", new(envelope[Secret]), 200, `{"result":{"id":"a"}}`, invalid},
		{"success as a string", new(envelope[Secret]), 200, `{"success":"true","result":{"id":"a"}}`, invalid},
		{"success null", new(envelope[Secret]), 200, `{"success":null,"result":{"id":"a"}}`, invalid},
		{"no result", new(envelope[Secret]), 200, `{"success":true}`, invalid},
		{"a null result", new(envelope[Secret]), 200, `{"success":true,"result":null}`, invalid},
		{"a list for an object", new(envelope[Secret]), 200, `{"success":true,"result":[{"id":"a"}]}`, invalid},
		{"no id", new(envelope[Secret]), 200, `{"success":true,"result":{"name":"A"}}`, invalid},
		{"a null id", new(envelope[Store]), 200, `{"success":true,"result":{"id":null}}`, invalid},
		{"an empty body", new(envelope[Secret]), 204, ``, invalid},
		{"a null body", new(envelope[Secret]), 200, `null`, invalid},
		{"a page", new(envelope[Secret]), 200, `<html>`, invalid},
		{"half an envelope", new(envelope[Secret]), 200, `{"success":true,"result":{"id":"a"}`, invalid},
		{"two envelopes", new(envelope[Secret]), 200, `{"success":true,"result":{"id":"a"}}{}`, invalid},
		{"deep nesting", new(envelope[Secret]), 200, `{"success":true,"result":{"id":"a"},"messages":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, invalid},
		{"unknown fields, other case, white space", new(envelope[Secret]), 200, " {\"Success\" : true, \"new\":[{}],\"RESULT\":{\"Id\":\"a\",\"new\":1}}\n", valid},
		{"invalid times", new(envelope[Secret]), 200, `{"success":true,"result":{"id":"a","created":"","modified":1700000000}}`, valid},
		{"an invalid time and trailing text", new(envelope[Secret]), 200, `{"success":true,"result":{"id":"a","created":""}} <html>`, invalid},
		{"an invalid time and a null item", new(listEnvelope[Secret]), 200, `{"success":true,"result":[{"id":"a","Created":""},null]}`, invalid},
		{"an invalid time and no list", new(listEnvelope[Secret]), 200, `{"success":true,"result":{"created":""}}`, invalid},
		{"times that are objects", new(envelope[Store]), 200, `{"success":true,"result":{"id":"a","created":{"created":1},"modified":"yesterday"}}`, valid},
		{"null fields", new(envelope[Secret]), 200, `{"success":true,"errors":null,"messages":null,"result":{"id":"a","comment":null,"scopes":null,"created":null},"result_info":null}`, valid},
		{"information of any shape", new(envelope[Secret]), 201, `{"success":true,"errors":7,"messages":{"a":[1e999]},"result":{"id":"a"},"result_info":[1]}`, valid},
		{"numbers as strings and floats", new(envelope[quotaWire]), 200, `{"success":true,"result":{"secrets":{"quota":"100","usage":2e1}}}`, valid},
		{"numbers that are none", new(envelope[quotaWire]), 200, `{"success":true,"result":{"secrets":{"quota":1.5,"usage":1}}}`, invalid},
		{"a list", new(listEnvelope[Secret]), 200, `{"success":true,"result":[{"id":"a","created":""},{"id":"b"}]}`, valid},
		{"a null list", new(listEnvelope[Secret]), 200, `{"success":true,"result":null}`, valid},
		{"no list", new(listEnvelope[Secret]), 200, `{"success":true}`, invalid},
		{"an object for a list", new(listEnvelope[Secret]), 200, `{"success":true,"result":{"id":"a"}}`, invalid},
		{"a null item", new(listEnvelope[Secret]), 200, `{"success":true,"result":[{"id":"a"},null]}`, invalid},
		{"an item without an id", new(listEnvelope[Store]), 200, `{"success":true,"result":[{"id":"a"},{"name":"B"}]}`, invalid},
		{"fewer items than requested", &listEnvelope[Secret]{atLeast: 2}, 200, `{"success":true,"result":[{"id":"a"}]}`, invalid},
		{"nothing required: 204", new(noResult), 204, ``, valid},
		{"nothing required: an empty body", new(noResult), 202, " \n", valid},
		{"nothing required: null", new(noResult), 200, ` null `, valid},
		{"nothing required: an envelope", new(noResult), 202, `{"success":true,"result":[{"id":"a"}]}`, valid},
		{"nothing required: no success", new(noResult), 200, `{}`, invalid},
		{"nothing required: a page", new(noResult), 200, `<html>`, invalid},
		{"Do", &anyEnvelope{target: new(any)}, 200, `{"success":true,"result":7}`, valid},
		{"Do without a result", &anyEnvelope{target: new(any)}, 200, `{"success":true,"result":null}`, invalid},
		{"Do with an empty body", &anyEnvelope{target: new(any)}, 204, ``, invalid},
		{"Do with another type", &anyEnvelope{target: new(int)}, 200, `{"success":true,"result":"x"}`, invalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, err := decodeAll(t.Context(), createOp, tt.result, received(tt.status, tt.body, "Content-Type: text/plain; "+strings.Repeat("x", 100)))
			require.NotNil(t, resp)
			if tt.ok {
				require.NoError(t, err)
				return
			}
			assert.ErrorIs(t, err, ErrInvalidResponse)
			assert.ErrorIs(t, err, ErrOutcomeUnknown)
			var respErr *ResponseError
			require.ErrorAs(t, err, &respErr)
			assert.Equal(t, tt.status, respErr.StatusCode)
			assert.Len(t, respErr.ContentType, maxHeaderText+len("…"))
			assert.Equal(t, strings.TrimRight(tt.body[:min(len(tt.body), maxBody)], "\n "), strings.TrimRight(strings.TrimSuffix(respErr.Body, "…"), " "))
			assert.NotContains(t, err.Error(), "Go ")
		})
	}
}

// A body that could not be read decides nothing but a success.
func TestDecodeUnreadableBodies(t *testing.T) {
	for _, tt := range []struct {
		status int
		err    error
		is     error
	}{
		{200, errTruncated, ErrInvalidResponse},
		{200, ErrResponseTooLarge, ErrResponseTooLarge},
		{404, errTruncated, ErrInvalidRequest},
		{500, ErrResponseTooLarge, ErrServer},
	} {
		a := received(tt.status, `{"success":true,"errors":[],"result":{"id":"a"}}`)
		if a.err = tt.err; tt.err == errTruncated {
			a.err = invalidResponse(tt.err)
		}
		_, err := decodeAll(t.Context(), createOp, new(envelope[Secret]), a)
		assert.ErrorIs(t, err, tt.is, "%d %v", tt.status, tt.err)
		assert.Equal(t, tt.status != 200, errors.As(err, new(*APIError)))
	}
}

// An attempt leaves nothing behind in the result of the next one.
func TestDecodeStartsAnew(t *testing.T) {
	const stale = `{"success":false,"errors":[{"code":10429}],"messages":["stale"],"result":{"id":"stale","comment":"stale","scopes":["stale"]},"result_info":{"count":9}}`
	synctest.Test(t, func(t *testing.T) {
		for _, first := range []attempt{received(200, stale), received(503, stale), {resp: received(200, stale).resp, err: invalidResponse(errTruncated)}} {
			env := new(envelope[Secret])
			resp, err := decodeAll(t.Context(), patchOp, env, first, received(200, `{"success":true,"result":{"id":"new"}}`))
			require.NoError(t, err)
			assert.Equal(t, &Secret{ID: "new"}, env.Result)
			assert.Nil(t, resp.Errors)
			assert.Nil(t, resp.Messages)
			assert.Nil(t, resp.ResultInfo)

			list := &listEnvelope[Secret]{atLeast: 1}
			_, err = decodeAll(t.Context(), createOp, list, received(200, strings.Replace(stale, `{"id"`, `[{"id"`, 1)), received(200, `{"success":true}`))
			assert.ErrorIs(t, err, ErrInvalidResponse)
			assert.Empty(t, list.items())

			target := map[string]any{"kept": true}
			_, err = decodeAll(t.Context(), doPutOp, &anyEnvelope{target: &target}, first, received(404, stale))
			require.Error(t, err)
			assert.Equal(t, map[string]any{"kept": true}, target, "only a success is written")
		}
	})
}

func TestOnResponseIsCalledForEveryResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		c := newTestCall(patchOp)
		c.result = new(envelope[Secret])
		c.options.onResponse = []func(*Response){
			func(r *Response) { got = append(got, "client", string(r.Body)) },
			func(r *Response) { got = append(got, "call"); assert.Equal(t, r.StatusCode == 503, r.Errors != nil) },
		}
		failing := received(503, `{"errors":["e"]}`)
		next := &fakeNext{attempts: []attempt{failing, {err: lost.err}, received(200, secretBody)}}
		_, err := chain(next.handle, retry(new(budget), fixedToken), decode)(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, []string{"client", `{"errors":["e"]}`, "call", "client", secretBody, "call"}, got)
	})
}

func TestDecodeKeepsErrorsWithoutAResponse(t *testing.T) {
	resp, err := decodeAll(t.Context(), createOp, new(noResult), attempt{err: &RequestError{Err: io.EOF, state: requestUnsent}}, attempt{err: &RequestError{Err: io.EOF, state: requestRefused}})
	assert.Nil(t, resp)
	assert.ErrorIs(t, err, io.EOF)
}
