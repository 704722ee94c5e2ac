package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

const (
	secretRoute = "/accounts/{account_id}/secrets_store/stores/{store_id}/secrets/{secret_id}"
	oldValue    = "old-value-7f3a"
	newValue    = "new-value-91cc"
)

// fixture is an instrumented client of a Secrets Store in memory with one secret.
// It is used in a bubble, where waits take no time and last exactly as long as they should.
type fixture struct {
	srv      *secretsstoretest.Server
	client   *secretsstore.Client
	store    *secretsstore.Store
	secret   *secretsstore.Secret
	spans    *tracetest.InMemoryExporter
	registry *prometheus.Registry
	base     http.RoundTripper // what the attempts go through, below otelhttp
}

func (f *fixture) RoundTrip(req *http.Request) (*http.Response, error) { return f.base.RoundTrip(req) }

func newFixture(t *testing.T, opts ...secretsstore.Option) *fixture {
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
	f := &fixture{srv: srv, spans: tracetest.NewInMemoryExporter(), registry: prometheus.NewRegistry(), base: srv.Transport()}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(f.spans))
	t.Cleanup(func() { assert.NoError(t, provider.Shutdown(context.Background())) })
	options, err := instrument(f, provider, f.registry)
	require.NoError(t, err)
	f.client = srv.Client(append(options, opts...)...)
	f.store = srv.AddStore("production")
	f.secret = srv.AddSecret(f.store.ID, secretsstore.SecretCreate{
		Name: "MY_API_KEY", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue(oldValue),
	})
	return f
}

func (f *fixture) patch(ctx context.Context) error {
	_, _, err := f.client.Secrets.Patch(ctx, f.store.ID, f.secret.ID, secretsstore.SecretPatch{Value: secretsstore.NewSecretValue(newValue)})
	return err
}

func (f *fixture) limitOnce() {
	f.srv.Inject(secretsstoretest.Fault{
		Operation: secretsstoretest.OpPatchSecret, Count: 1, Status: http.StatusTooManyRequests,
		Header: http.Header{"Retry-After": {"1"}},
		Body:   secretsstoretest.ErrorBody(10100, "Please wait and consider throttling your request speed"),
	})
}

// assertHidesSecrets says that a text has no id, no value and no credential.
func (f *fixture) assertHidesSecrets(t *testing.T, text string) {
	t.Helper()
	for what, s := range map[string]string{
		"account id": f.srv.AccountID, "store id": f.store.ID, "secret id": f.secret.ID, "old value": oldValue, "new value": newValue,
		"token": f.srv.APIToken, "email": f.srv.Email, "API key": f.srv.APIKey, "name": f.secret.Name,
	} {
		assert.NotContains(t, text, s, what)
	}
}

// everything is all that a span holds, as text.
func everything(stubs tracetest.SpanStubs) string {
	var b strings.Builder
	for _, s := range stubs {
		fmt.Fprintln(&b, s.Name, s.Status.Code, s.Status.Description, s.SpanContext.TraceState(), s.InstrumentationScope)
		attrs := slices.Concat(s.Attributes, s.Resource.Attributes())
		for _, event := range s.Events {
			fmt.Fprintln(&b, "event", event.Name)
			attrs = append(attrs, event.Attributes...)
		}
		for _, link := range s.Links {
			attrs = append(attrs, link.Attributes...)
		}
		for _, attr := range attrs {
			fmt.Fprintln(&b, attr.Key, attr.Value.String())
		}
	}
	return b.String()
}

// attrs are a span's attributes, which have each key once.
func attrs(t *testing.T, s tracetest.SpanStub) map[attribute.Key]any {
	m := make(map[attribute.Key]any)
	for _, attr := range s.Attributes {
		assert.NotContains(t, m, attr.Key)
		m[attr.Key] = attr.Value.AsInterface()
	}
	return m
}

func TestTraceOfAPatchThatWasLimitedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.limitOnce()
		require.NoError(t, f.patch(t.Context()))

		spans := f.spans.GetSpans()
		require.Len(t, spans, 3)
		first, second, call := spans[0], spans[1], spans[2] // in the order they ended
		for _, span := range spans {
			assert.Equal(t, "PATCH "+secretRoute, span.Name)
			assert.Empty(t, span.Events)
			assert.Empty(t, span.Status.Description)
		}
		assert.False(t, call.Parent.IsValid())
		assert.Equal(t, trace.SpanKindInternal, call.SpanKind)
		assert.Equal(t, codes.Unset, call.Status.Code)
		assert.Equal(t, time.Second, call.EndTime.Sub(call.StartTime), "the wait is in the call's span")
		assert.Equal(t, map[attribute.Key]any{
			"http.request.method": "PATCH", "url.template": secretRoute, "http.response.status_code": int64(200), "secretsstore.attempts": int64(2),
		}, attrs(t, call))

		for _, attempt := range []tracetest.SpanStub{first, second} {
			assert.Equal(t, call.SpanContext.SpanID(), attempt.Parent.SpanID())
			assert.Equal(t, trace.SpanKindClient, attempt.SpanKind)
			assert.Zero(t, attempt.EndTime.Sub(attempt.StartTime), "the wait is in no attempt's span")
			assert.Equal(t, secretRoute, attrs(t, attempt)["url.template"])
		}
		assert.Equal(t, codes.Error, first.Status.Code)
		assert.EqualValues(t, 429, attrs(t, first)["http.response.status_code"])
		assert.Equal(t, "429", attrs(t, first)["error.type"])
		assert.NotContains(t, attrs(t, first), attribute.Key("http.request.resend_count"))
		assert.Equal(t, codes.Unset, second.Status.Code)
		assert.EqualValues(t, 200, attrs(t, second)["http.response.status_code"])
		assert.EqualValues(t, 1, attrs(t, second)["http.request.resend_count"])
		f.assertHidesSecrets(t, everything(spans))
	})
}

// brokenBody is an answer's body that ends with an error.
type brokenBody struct{ err error }

func (b brokenBody) Read([]byte) (int, error) { return 0, b.err }
func (b brokenBody) Close() error             { return nil }

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestNoSpanTellsAnIDOrValue(t *testing.T) {
	once := secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1})
	for name, tc := range map[string]struct {
		base func(*http.Request) (*http.Response, error) // nil: the service's
		do   func(context.Context, *fixture) error
		kind string // in the call's status
		span string // the spans' name
	}{
		"when the API refuses": {
			do: func(ctx context.Context, f *fixture) error {
				_, _, err := f.client.Secrets.Get(ctx, f.store.ID, f.store.ID)
				return err
			},
			kind: "secret_not_found", span: "GET " + secretRoute,
		},
		"when a transport's error tells the URL and the credentials": {
			base: func(req *http.Request) (*http.Response, error) {
				return nil, fmt.Errorf("%s %s with %v: refused", req.Method, req.URL, req.Header)
			},
			do:   func(ctx context.Context, f *fixture) error { return f.patch(ctx) },
			kind: "outcome_unknown", span: "PATCH " + secretRoute,
		},
		"when the error of an answer's body tells the URL": {
			base: func(req *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Body: brokenBody{fmt.Errorf("reading %s: cut", req.URL)}}, nil
			},
			do:   func(ctx context.Context, f *fixture) error { return f.patch(ctx) },
			kind: "outcome_unknown", span: "PATCH " + secretRoute,
		},
		"when an answer repeats what was sent": {
			base: func(req *http.Request) (*http.Response, error) {
				body, err := io.ReadAll(req.Body)
				text := fmt.Sprintf("%s %v %s", req.URL, req.Header, body)
				return &http.Response{StatusCode: 418, Header: http.Header{"Location": {text}, "Cf-Ray": {text}}, Body: io.NopCloser(strings.NewReader(text))}, err
			},
			do:   func(ctx context.Context, f *fixture) error { return f.patch(ctx) },
			kind: "invalid_request", span: "PATCH " + secretRoute,
		},
		"when the caller's reason to give up tells an id": {
			base: func(req *http.Request) (*http.Response, error) { return nil, context.Cause(req.Context()) },
			do: func(ctx context.Context, f *fixture) error {
				ctx, cancel := context.WithCancelCause(ctx)
				f.base = roundTripper(func(req *http.Request) (*http.Response, error) {
					cancel(errors.New("gave up on " + f.secret.ID))
					return nil, context.Cause(req.Context())
				})
				return f.patch(ctx)
			},
			kind: "outcome_unknown", span: "PATCH " + secretRoute,
		},
		"when the path is the user's": {
			do: func(ctx context.Context, f *fixture) error {
				_, err := f.client.Do(ctx, "GET", "/accounts/"+f.srv.AccountID+"/secrets_store/stores/"+f.store.ID+"/nothing?search="+f.secret.Name, nil, nil)
				return err
			},
			kind: "invalid_request", span: "GET",
		},
		"when the outcome is unknown": {
			base: func(req *http.Request) (*http.Response, error) {
				_, _ = io.Copy(io.Discard, req.Body)
				return nil, io.ErrUnexpectedEOF
			},
			do: func(ctx context.Context, f *fixture) error {
				_, _, err := f.client.Secrets.Duplicate(ctx, f.store.ID, f.secret.ID, secretsstore.SecretDuplicate{Name: f.secret.Name, Scopes: f.secret.Scopes})
				return err
			},
			kind: "outcome_unknown", span: "POST " + secretRoute + "/duplicate",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, once)
				if tc.base != nil {
					f.base = roundTripper(tc.base)
				}
				require.Error(t, tc.do(t.Context(), f))
				spans := f.spans.GetSpans()
				require.Len(t, spans, 2)
				attempt, call := spans[0], spans[1]
				assert.Equal(t, tc.span, attempt.Name)
				assert.Equal(t, tc.span, call.Name)
				assert.Equal(t, call.SpanContext.SpanID(), attempt.Parent.SpanID())
				assert.Equal(t, sdktrace.Status{Code: codes.Error, Description: tc.kind}, call.Status)
				assert.Equal(t, tc.kind, attrs(t, call)["error.type"])
				assert.Equal(t, codes.Error, attempt.Status.Code)
				f.assertHidesSecrets(t, everything(spans))
				f.assertHidesSecrets(t, metrics(t, f.registry))
			})
		})
	}
}

func metrics(t *testing.T, registry *prometheus.Registry) string {
	families, err := registry.Gather()
	require.NoError(t, err)
	var b strings.Builder
	for _, family := range families {
		b.WriteString(family.String() + "\n")
	}
	return b.String()
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.limitOnce()
		require.NoError(t, f.patch(t.Context()))
		_, _, err := f.client.Secrets.Get(t.Context(), f.store.ID, f.store.ID)
		require.ErrorIs(t, err, secretsstore.ErrSecretNotFound)

		families, err := f.registry.Gather()
		require.NoError(t, err)
		got := make(map[string]string)
		for _, family := range families {
			for _, m := range family.GetMetric() {
				var labels []string
				for _, l := range m.GetLabel() {
					labels = append(labels, l.GetName()+"="+strings.ReplaceAll(l.GetValue(), secretRoute, "ROUTE"))
				}
				value := fmt.Sprint(m.GetGauge().GetValue())
				if h := m.GetHistogram(); h != nil {
					value = fmt.Sprintf("%d in %vs", h.GetSampleCount(), h.GetSampleSum())
				}
				got[family.GetName()+" "+strings.Join(labels, " ")] = value
			}
		}
		base, err := url.Parse(f.srv.URL)
		require.NoError(t, err)
		attempt := func(method, status string) string {
			return "http_client_request_duration_seconds http_request_method=" + method + " http_response_status_code=" + status +
				" network_protocol_name=http network_protocol_version=1.1 server_address=" + base.Host + " url_scheme=" + base.Scheme + " url_template=ROUTE"
		}
		assert.Equal(t, map[string]string{
			"secretsstore_call_duration_seconds method=PATCH outcome=success route=ROUTE":        "1 in 1s",
			"secretsstore_call_duration_seconds method=GET outcome=secret_not_found route=ROUTE": "1 in 0s",
			"secretsstore_calls_in_flight method=PATCH route=ROUTE":                              "0",
			"secretsstore_calls_in_flight method=GET route=ROUTE":                                "0",
			attempt("PATCH", "429"): "1 in 0s",
			attempt("PATCH", "200"): "1 in 0s",
			attempt("GET", "404"):   "1 in 0s",
		}, got)
		f.assertHidesSecrets(t, metrics(t, f.registry))
	})
}

// The trace ends at the client: Cloudflare gets neither its ids nor the baggage.
func TestNothingOfTheTraceIsSent(t *testing.T) {
	before := otel.GetTextMapPropagator()
	defer otel.SetTextMapPropagator(before)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		require.NoError(t, f.patch(t.Context()))
		requests := f.srv.Requests()
		require.Len(t, requests, 1)
		for _, name := range []string{"Traceparent", "Tracestate", "Baggage"} {
			assert.NotContains(t, requests[0].Header, name)
		}
	})
}

func TestCallsAtTheSameTimeKeepTheirAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { assert.NoError(t, f.patch(t.Context())) })
		}
		wg.Wait()
		parents := make(map[trace.SpanID]int)
		for _, span := range f.spans.GetSpans() {
			if span.Parent.IsValid() {
				parents[span.Parent.SpanID()]++
			}
		}
		assert.Len(t, parents, 20)
	})
}

func TestOutcome(t *testing.T) {
	for want, err := range map[string]error{
		"success":            nil,
		"rate_limited":       &secretsstore.WaitError{Wait: time.Minute},
		"status_408":         &secretsstore.APIError{StatusCode: 408},
		"server_error":       &secretsstore.APIError{StatusCode: 503},
		"no_answer":          &secretsstore.RequestError{Err: io.ErrUnexpectedEOF},
		"deadline_exceeded":  fmt.Errorf("%w: %w", context.DeadlineExceeded, &secretsstore.APIError{StatusCode: 429}),
		"other":              io.EOF,
		"attempt_timeout":    &secretsstore.RequestError{Err: secretsstore.ErrAttemptTimeout},
		"response_too_large": &secretsstore.ResponseError{Err: secretsstore.ErrResponseTooLarge},
	} {
		assert.Equal(t, want, outcome(err))
	}
}

func TestProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), &out, srv, srv.Transport()))
		traces, metrics, found := strings.Cut(out.String(), "\nMetrics")
		require.True(t, found)
		_, traces, _ = strings.Cut(traces, "\n\n")
		shape := make([]string, 0)
		for i, line := range strings.Split(strings.TrimSuffix(traces, "\n"), "\n") {
			if i%3 < 2 { // without the attributes
				shape = append(shape, line)
			}
		}
		assert.Equal(t, []string{
			"PATCH " + secretRoute,
			"│   internal, began at 0s, took 1s, ok",
			"├── PATCH " + secretRoute,
			"│       client, began at 0s, took 0s, error",
			"└── PATCH " + secretRoute,
			"        client, began at 1s, took 0s, ok",
			"GET " + secretRoute,
			"│   internal, began at 0s, took 0s, error secret_not_found",
			"└── GET " + secretRoute,
			"        client, began at 0s, took 0s, error",
		}, shape)
		assert.Contains(t, metrics, `secretsstore_call_duration_seconds_count{method="PATCH",outcome="success",route="`+secretRoute+`"} 1`)
		store := srv.Stores()[0]
		f := &fixture{srv: srv, store: &store, secret: &srv.Secrets(store.ID)[0]}
		f.assertHidesSecrets(t, out.String())
		assert.NotContains(t, out.String(), "value-of-the-secret")
	})
}
