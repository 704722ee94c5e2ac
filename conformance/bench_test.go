package conformance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/cloudflare-go/v7/option"
	cf "github.com/cloudflare/cloudflare-go/v7/secrets_store"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
)

// bench.sh runs the benchmarks and compares the clients.

func BenchmarkPatch(b *testing.B) {
	for _, c := range benchClients(b, "https://secretsstore.invalid", cannedTransport{}) {
		b.Run("client="+c.name, func(b *testing.B) { benchmark(b, c.patch) })
	}
}

func BenchmarkList(b *testing.B) {
	for _, c := range benchClients(b, "https://secretsstore.invalid", cannedTransport{}) {
		b.Run("client="+c.name, func(b *testing.B) { benchmark(b, c.list) })
	}
}

// The CPU time of the server is included.
func BenchmarkPatchOverLoopback(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, cannedSecret)
	}))
	defer srv.Close()
	for _, c := range benchClients(b, srv.URL, nil) {
		b.Run("client="+c.name, func(b *testing.B) { benchmark(b, c.patch) })
	}
}

// benchmark reports the CPU time of call. Unlike the elapsed time, it does not include the
// time of other processes.
func benchmark(b *testing.B, call func(context.Context) error) {
	runtime.GC()
	b.ReportAllocs()
	start := cpuTime()
	for b.Loop() {
		if err := call(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpuTime()-start)/float64(b.N), "cpu-ns/op")
}

// A benchClient makes the calls that are compared: a patch of a comment and two scopes, and
// a list of 100 secrets.
type benchClient struct {
	name        string
	patch, list func(context.Context) error
}

const (
	benchToken   = "token-of-about-forty-characters-000000000"
	benchAccount = "699d98642c564d2e855e9661899b7252"
	benchStore   = "023e105f4ecef8ad9ca31a8372d0c353"
	benchSecret  = "3fd85f74b32742f1bff64a85009dda07"
)

// benchClients returns the clients with their defaults. A nil transport is their own.
func benchClients(tb testing.TB, baseURL string, rt http.RoundTripper) []benchClient {
	opts := []secretsstore.Option{
		secretsstore.WithoutEnvironment(), secretsstore.WithBaseURL(baseURL),
		secretsstore.WithAPIToken(benchToken), secretsstore.WithAccountID(benchAccount),
	}
	theirOpts := []option.RequestOption{option.WithBaseURL(baseURL), option.WithAPIToken(benchToken)}
	if rt != nil {
		opts = append(opts, secretsstore.WithHTTPClient(&http.Client{Transport: rt}))
		theirOpts = append(theirOpts, option.WithHTTPClient(&http.Client{Transport: rt}))
	}
	client, err := secretsstore.NewClient(opts...)
	require.NoError(tb, err)
	theirs := cf.NewStoreSecretService(theirOpts...)
	byHand := &handwrittenClient{baseURL, benchToken, benchAccount, &http.Client{Transport: rt, Timeout: 30 * time.Second}}

	comment := "rotated by the nightly job"
	return []benchClient{
		{
			name: "net-http",
			patch: func(ctx context.Context) error {
				patch := handwrittenPatch{Comment: &comment, Scopes: []string{"workers", "ai_gateway"}}
				return second(byHand.patchSecret(ctx, benchStore, benchSecret, patch))
			},
			list: func(ctx context.Context) error {
				secrets, err := byHand.listSecrets(ctx, benchStore, 1, 100)
				return want100(len(secrets), err)
			},
		},
		{
			name: "secretsstore",
			patch: func(ctx context.Context) error {
				patch := secretsstore.SecretPatch{Comment: &comment, Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers, secretsstore.ScopeAIGateway}}
				return third(client.Secrets.Patch(ctx, benchStore, benchSecret, patch))
			},
			list: func(ctx context.Context) error {
				secrets, _, err := client.Secrets.List(ctx, benchStore, &secretsstore.SecretListOptions{Page: 1, PerPage: 100})
				return want100(len(secrets), err)
			},
		},
		{
			name: "cloudflare-go",
			patch: func(ctx context.Context) error {
				var p cf.StoreSecretEditParams
				set(&p.AccountID.Value, &p.AccountID.Present, benchAccount)
				set(&p.Comment.Value, &p.Comment.Present, comment)
				set(&p.Scopes.Value, &p.Scopes.Present, []cf.StoreSecretEditParamsScope{
					cf.StoreSecretEditParamsScopeWorkers, cf.StoreSecretEditParamsScopeAIGateway,
				})
				return second(theirs.Edit(ctx, benchStore, benchSecret, p))
			},
			list: func(ctx context.Context) error {
				var p cf.StoreSecretListParams
				set(&p.AccountID.Value, &p.AccountID.Present, benchAccount)
				set(&p.Page.Value, &p.Page.Present, 1)
				set(&p.PerPage.Value, &p.PerPage.Present, 100)
				page, err := theirs.List(ctx, benchStore, p)
				if err != nil {
					return err
				}
				return want100(len(page.Result), nil)
			},
		},
	}
}

func want100(n int, err error) error {
	if err == nil && n != 100 {
		err = fmt.Errorf("%d secrets", n)
	}
	return err
}

const cannedSecret = `{"success":true,"errors":[],"messages":[],"result":{"id":"3fd85f74b32742f1bff64a85009dda07",` +
	`"created":"2025-03-21T18:56:32.624632Z","modified":"2025-09-21T18:56:32.624632Z","name":"MY_API_KEY",` +
	`"status":"pending","store_id":"023e105f4ecef8ad9ca31a8372d0c353","comment":"rotated by the nightly job",` +
	`"scopes":["ai_gateway","workers"]}}`

var cannedList = func() string {
	var b strings.Builder
	b.WriteString(`{"success":true,"errors":[],"messages":[],"result":[`)
	for i := range 100 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"%032x","created":"2025-03-21T18:56:32.624632Z","modified":"2025-09-21T18:56:32.624632Z",`+
			`"name":"SECRET_%d","status":"active","store_id":"%s","comment":"number %d","scopes":["ai_gateway","workers"]}`, i+1, i, benchStore, i)
	}
	b.WriteString(`],"result_info":{"count":100,"page":1,"per_page":100,"total_count":100}}`)
	return b.String()
}()

var cannedHeader = http.Header{
	"Content-Type":     {"application/json"},
	"Cf-Ray":           {"8f1d2a3b4c5d6e7f-AMS"},
	"Ratelimit":        {`"default";r=1198;t=297`},
	"Ratelimit-Policy": {`"default";q=1200;w=300`},
	"Server":           {"cloudflare"},
	"Date":             {"Sun, 21 Sep 2025 18:56:32 GMT"},
}

// A cannedTransport responds from memory: to a GET with 100 secrets, else with one.
type cannedTransport struct{}

func (cannedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	body := cannedList
	if r.Method != http.MethodGet {
		body = cannedSecret
	}
	if r.Body != nil {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: cannedHeader, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}
