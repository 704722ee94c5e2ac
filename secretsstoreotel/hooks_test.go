package secretsstoreotel_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoreotel"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

const (
	route       = "/accounts/{account_id}/secrets_store/stores/{store_id}/secrets/{secret_id}"
	secretName  = "NAME_OF_THE_SECRET"
	storeName   = "name-of-the-store"
	comment     = "comment-of-the-secret"
	secretValue = "value-of-the-secret"
)

// A fixture is a client with hooks, of an emulator with one secret. It is used in a
// synctest bubble.
type fixture struct {
	srv    *secretsstoretest.Server
	client *secretsstore.Client
	store  *secretsstore.Store
	secret *secretsstore.Secret
	spans  *tracetest.InMemoryExporter
	reader *sdkmetric.ManualReader
}

func newFixture(t *testing.T, opts ...secretsstore.Option) *fixture {
	f := &fixture{
		srv:    secretsstoretest.NewServer(secretsstoretest.WithoutListener()),
		spans:  tracetest.NewInMemoryExporter(),
		reader: sdkmetric.NewManualReader(),
	}
	t.Cleanup(f.srv.Close)
	f.client = f.srv.Client(append([]secretsstore.Option{secretsstore.WithHooks(f.hooks())}, opts...)...)
	f.store = f.srv.AddStore(storeName)
	f.secret = f.srv.AddSecret(f.store.ID, secretsstore.SecretCreate{
		Name: secretName, Comment: comment, Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
		Value: secretsstore.NewSecretValue(secretValue),
	})
	return f
}

func (f *fixture) hooks(opts ...secretsstoreotel.Option) secretsstore.Hooks {
	return secretsstoreotel.Hooks(append([]secretsstoreotel.Option{
		secretsstoreotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(f.spans))),
		secretsstoreotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(f.reader))),
	}, opts...)...)
}

func (f *fixture) patch(ctx context.Context, opts ...secretsstore.RequestOption) error {
	_, _, err := f.client.Secrets.Patch(ctx, f.store.ID, f.secret.ID, secretsstore.SecretPatch{Value: secretsstore.NewSecretValue(secretValue)}, opts...)
	return err
}

// limitOnce makes the next request fail with 429.
func (f *fixture) limitOnce() {
	f.srv.Inject(secretsstoretest.Fault{
		Count: 1, Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}},
		Body: secretsstoretest.ErrorBody(10100, "Please wait and consider throttling your request speed"),
	})
}

// metrics returns the data of all metrics by name.
func (f *fixture) metrics(t *testing.T) map[string]metricdata.Aggregation {
	var data metricdata.ResourceMetrics
	require.NoError(t, f.reader.Collect(context.Background(), &data))
	byName := make(map[string]metricdata.Aggregation)
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			byName[m.Name] = m.Data
		}
	}
	return byName
}

func attributes(list []attribute.KeyValue) map[attribute.Key]any {
	m := make(map[attribute.Key]any)
	for _, a := range list {
		m[a.Key] = a.Value.AsInterface()
	}
	return m
}

func TestSpansOfACallThatIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.limitOnce()
		require.NoError(t, f.patch(t.Context()))

		spans := f.spans.GetSpans()
		require.Len(t, spans, 3)
		first, second, call := spans[0], spans[1], spans[2] // in the order in which they ended
		assert.Equal(t, "PATCH "+route, call.Name)
		assert.Equal(t, trace.SpanKindClient, call.SpanKind)
		assert.False(t, call.Parent.IsValid())
		assert.Equal(t, codes.Unset, call.Status.Code)
		assert.Equal(t, time.Second, call.EndTime.Sub(call.StartTime))
		assert.Equal(t, map[attribute.Key]any{
			"http.request.method": "PATCH", "url.template": route, "http.response.status_code": int64(200), "secretsstore.attempts": int64(2),
		}, attributes(call.Attributes))

		for _, attempt := range []tracetest.SpanStub{first, second} {
			assert.Equal(t, "PATCH", attempt.Name)
			assert.Equal(t, trace.SpanKindClient, attempt.SpanKind)
			assert.Equal(t, call.SpanContext.SpanID(), attempt.Parent.SpanID())
			assert.Zero(t, attempt.EndTime.Sub(attempt.StartTime), "without the wait")
		}
		assert.Equal(t, sdktrace.Status{Code: codes.Error}, first.Status)
		assert.Equal(t, map[attribute.Key]any{
			"http.request.method": "PATCH", "url.template": route, "http.response.status_code": int64(429), "error.type": "429",
		}, attributes(first.Attributes))
		assert.Equal(t, codes.Unset, second.Status.Code)
		assert.Equal(t, map[attribute.Key]any{
			"http.request.method": "PATCH", "url.template": route, "http.response.status_code": int64(200),
			"http.request.resend_count": int64(1), "secretsstore.wait.duration": 1.0,
		}, attributes(second.Attributes))
	})
}

func TestMetricsOfACallThatIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.limitOnce()
		require.NoError(t, f.patch(t.Context()))

		metrics := f.metrics(t)
		assert.Len(t, metrics, 5)
		operation := []attribute.KeyValue{attribute.String("http.request.method", "PATCH"), attribute.String("url.template", route)}
		status := func(status int, more ...attribute.KeyValue) attribute.Set {
			return attribute.NewSet(append(append(more, attribute.Int("http.response.status_code", status)), operation...)...)
		}
		histogram := func(name string) map[attribute.Set]float64 { // the sums
			sums := make(map[attribute.Set]float64)
			for _, point := range metrics[name].(metricdata.Histogram[float64]).DataPoints {
				assert.EqualValues(t, 1, point.Count, name)
				sums[point.Attributes] = point.Sum
			}
			return sums
		}
		assert.Equal(t, map[attribute.Set]float64{status(200): 1}, histogram("secretsstore.call.duration"))
		assert.Equal(t, map[attribute.Set]float64{status(200): 0, status(429, attribute.String("error.type", "429")): 0}, histogram("http.client.request.duration"))
		assert.Equal(t, map[attribute.Set]float64{attribute.NewSet(operation...): 1}, histogram("secretsstore.wait.duration"))

		retries := metrics["secretsstore.retries"].(metricdata.Sum[int64])
		assert.True(t, retries.IsMonotonic)
		require.Len(t, retries.DataPoints, 1)
		assert.EqualValues(t, 1, retries.DataPoints[0].Value)
		assert.Equal(t, attribute.NewSet(operation...), retries.DataPoints[0].Attributes)
	})
}

func TestRemainingRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.srv.Inject(secretsstoretest.Fault{Header: http.Header{"Ratelimit": {`"default";r=7;t=30`}, "Ratelimit-Policy": {`"default";q=100;w=60`}}})
		require.NoError(t, f.patch(t.Context()))
		gauge := f.metrics(t)["secretsstore.rate_limit.remaining"].(metricdata.Gauge[int64])
		require.Len(t, gauge.DataPoints, 1)
		assert.EqualValues(t, 7, gauge.DataPoints[0].Value)
		assert.Zero(t, gauge.DataPoints[0].Attributes.Len())
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// A brokenBody fails with a text that contains the URL.
type brokenBody struct{ req *http.Request }

func (b brokenBody) Read([]byte) (int, error) { return 0, fmt.Errorf("reading %s: cut", b.req.URL) }
func (b brokenBody) Close() error             { return nil }

type limiterFunc func(context.Context) error

func (f limiterFunc) Wait(ctx context.Context) error { return f(ctx) }

func TestErrorType(t *testing.T) {
	once := secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1})
	transport := func(f roundTripper) secretsstore.Option {
		return secretsstore.WithHTTPClient(&http.Client{Transport: f})
	}
	broken := func(req *http.Request) error {
		return fmt.Errorf("%s %s with %v failed", req.Method, req.URL, req.Header)
	}
	for name, tc := range map[string]struct {
		option        secretsstore.Option
		call          func(context.Context, *fixture) error
		want, attempt string // "": no attempt
		name          string // of the span
	}{
		"not found": {
			call: func(ctx context.Context, f *fixture) error {
				_, _, err := f.client.Secrets.Get(ctx, f.store.ID, strings.Repeat("0", 32))
				return err
			},
			want: "secret_not_found", attempt: "404", name: "GET " + route,
		},
		"unauthorized": {
			option: secretsstore.WithAPIToken("another"),
			call:   func(ctx context.Context, f *fixture) error { return f.patch(ctx) },
			want:   "unauthorized", attempt: "401", name: "PATCH " + route,
		},
		"no response to a read": {
			option: transport(func(req *http.Request) (*http.Response, error) { return nil, broken(req) }),
			call: func(ctx context.Context, f *fixture) error {
				_, _, err := f.client.Secrets.Get(ctx, f.store.ID, f.secret.ID, once)
				return err
			},
			want: "no_response", attempt: "no_response", name: "GET " + route,
		},
		"no response to a write": {
			option: transport(func(req *http.Request) (*http.Response, error) { return nil, broken(req) }),
			call:   func(ctx context.Context, f *fixture) error { return f.patch(ctx, once) },
			want:   "outcome_unknown", attempt: "no_response", name: "PATCH " + route,
		},
		"truncated body": {
			option: transport(func(req *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Body: brokenBody{req}}, nil
			}),
			call: func(ctx context.Context, f *fixture) error {
				_, _, err := f.client.Secrets.Get(ctx, f.store.ID, f.secret.ID, once)
				return err
			},
			want: "invalid_response", attempt: "invalid_response", name: "GET " + route,
		},
		"canceled": {
			option: transport(func(req *http.Request) (*http.Response, error) {
				<-req.Context().Done()
				return nil, req.Context().Err()
			}),
			call: func(ctx context.Context, f *fixture) error {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Second, cancel)
				_, _, err := f.client.Secrets.Get(ctx, f.store.ID, f.secret.ID)
				return err
			},
			want: "canceled", attempt: "canceled", name: "GET " + route,
		},
		"deadline": {
			option: transport(func(req *http.Request) (*http.Response, error) {
				<-req.Context().Done()
				return nil, req.Context().Err()
			}),
			call: func(ctx context.Context, f *fixture) error {
				ctx, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				_, _, err := f.client.Secrets.Get(ctx, f.store.ID, f.secret.ID)
				return err
			},
			want: "deadline_exceeded", attempt: "deadline_exceeded", name: "GET " + route,
		},
		"attempt timeout": {
			option: transport(func(req *http.Request) (*http.Response, error) {
				<-req.Context().Done()
				return nil, req.Context().Err()
			}),
			call: func(ctx context.Context, f *fixture) error {
				_, _, err := f.client.Secrets.Get(ctx, f.store.ID, f.secret.ID, once)
				return err
			},
			want: "attempt_timeout", attempt: "attempt_timeout", name: "GET " + route,
		},
		"refused by the limiter": {
			option: secretsstore.WithLimiter(limiterFunc(func(context.Context) error { return errors.New(secretValue) })),
			call:   func(ctx context.Context, f *fixture) error { return f.patch(ctx) },
			want:   "rate_limited", name: "PATCH " + route,
		},
		"unexpected status": {
			call: func(ctx context.Context, f *fixture) error {
				f.srv.Inject(secretsstoretest.Fault{Count: 1, Status: 302, Header: http.Header{"Location": {"/" + f.secret.ID}}})
				return f.patch(ctx)
			},
			want: "302", name: "PATCH " + route,
		},
		"an unknown operation": {
			call: func(ctx context.Context, f *fixture) error {
				_, err := f.client.Do(ctx, http.MethodGet, "/accounts/"+f.srv.AccountID+"/"+secretName, nil, nil)
				return err
			},
			want: "invalid_request", attempt: "404", name: "GET",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var opts []secretsstore.Option
				if tc.option != nil {
					opts = append(opts, tc.option)
				}
				f := newFixture(t, opts...)
				require.Error(t, tc.call(t.Context(), f))
				spans := f.spans.GetSpans()
				call := spans[len(spans)-1]
				assert.Equal(t, tc.name, call.Name)
				assert.Equal(t, sdktrace.Status{Code: codes.Error}, call.Status)
				assert.Equal(t, tc.want, attributes(call.Attributes)[semconv.ErrorTypeKey])
				if tc.attempt != "" {
					require.Len(t, spans, 2)
					assert.Equal(t, sdktrace.Status{Code: codes.Error}, spans[0].Status)
					assert.Equal(t, tc.attempt, attributes(spans[0].Attributes)[semconv.ErrorTypeKey])
				}
				f.assertPrivate(t)
			})
		})
	}
}

// assertPrivate asserts that neither the spans nor the metrics contain an id, a name, a
// value or a credential.
func (f *fixture) assertPrivate(t *testing.T) {
	t.Helper()
	var text strings.Builder
	for _, span := range f.spans.GetSpans() {
		fmt.Fprintf(&text, "%s %+v %+v %+v %s\n", span.Name, span.Status, span.Events, span.Links, span.SpanContext.TraceState())
		for key, value := range attributes(span.Attributes) {
			fmt.Fprintln(&text, key, value)
		}
	}
	metrics, err := json.Marshal(f.metrics(t))
	require.NoError(t, err)
	text.Write(metrics)
	require.Contains(t, text.String(), "http.request.method")
	for what, s := range map[string]string{
		"account id": f.srv.AccountID, "store id": f.store.ID, "secret id": f.secret.ID, "name of the secret": secretName,
		"name of the store": storeName, "comment": comment, "value": secretValue, "URL": f.srv.URL,
		"token": f.srv.APIToken, "email": f.srv.Email, "API key": f.srv.APIKey,
	} {
		assert.NotContains(t, text.String(), s, what)
	}
}

// Every operation, with success and with an error whose text contains ids and names.
func TestPrivacyOfAllOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		ctx, s, scopes := t.Context(), f.client.Secrets, []secretsstore.Scope{secretsstore.ScopeWorkers}
		value := secretsstore.NewSecretValue(secretValue)
		for range 2 {
			_ = f.patch(ctx)
			_, _, _ = s.Get(ctx, f.store.ID, f.secret.ID)
			_, _, _ = s.List(ctx, f.store.ID, &secretsstore.SecretListOptions{Search: secretName})
			_, _ = s.FindByName(ctx, f.store.ID, secretName)
			_, _, _ = s.Create(ctx, f.store.ID, secretsstore.SecretCreate{Name: secretName + "2", Comment: comment, Scopes: scopes, Value: value})
			_, _, _ = s.BulkCreate(ctx, f.store.ID, []secretsstore.SecretCreate{{Name: secretName + "3", Scopes: scopes, Value: value}})
			_, _, _ = s.Upsert(ctx, f.store.ID, secretsstore.SecretUpsert{Name: secretName, Value: value})
			_, _, _ = s.Duplicate(ctx, f.store.ID, f.secret.ID, secretsstore.SecretDuplicate{Name: secretName + "4", Scopes: scopes})
			_, _ = s.BulkDelete(ctx, f.store.ID, []string{f.secret.ID})
			_, _ = s.Delete(ctx, f.store.ID, f.secret.ID)
			_, _, _ = f.client.Stores.Get(ctx, f.store.ID)
			_, _, _ = f.client.Stores.List(ctx, nil)
			_, _, _ = f.client.Stores.Create(ctx, secretsstore.StoreCreate{Name: storeName + "2"})
			_, _, _ = f.client.Quota.Get(ctx)
			_, _ = f.client.Do(ctx, http.MethodGet, "/accounts/{account_id}/secrets_store/stores/"+f.store.ID+"?search="+secretName, nil, nil)
			_, _ = f.client.Stores.Delete(ctx, f.store.ID, &secretsstore.StoreDeleteOptions{Force: true})
		}
		f.assertPrivate(t)
	})
}

func TestWithAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		server := semconv.ServerAddress("api.cloudflare.com")
		client := f.srv.Client(secretsstore.WithHooks(f.hooks(secretsstoreotel.WithAttributes(server))))
		f.spans.Reset()
		_, _, err := client.Quota.Get(t.Context())
		require.NoError(t, err)
		for _, span := range f.spans.GetSpans() {
			assert.Contains(t, span.Attributes, server)
		}
		assert.Len(t, f.spans.GetSpans(), 2)
		for name, data := range f.metrics(t) {
			encoded, err := json.Marshal(data)
			require.NoError(t, err)
			assert.Contains(t, string(encoded), "api.cloudflare.com", name)
		}
	})
}

// Two hooks with spans end their own spans.
func TestHooksTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		other := newFixture(t)
		client := f.srv.Client(secretsstore.WithHooks(f.hooks()), secretsstore.WithHooks(other.hooks()))
		_, _, err := client.Quota.Get(t.Context())
		require.NoError(t, err)
		assert.Len(t, f.spans.GetSpans(), 2)
		assert.Len(t, other.spans.GetSpans(), 2)
	})
}

// Spans of the user's code within an attempt are children of its span.
func TestAttemptContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		var sent trace.SpanContext
		client := f.srv.Client(secretsstore.WithHooks(f.hooks()), secretsstore.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			sent = trace.SpanContextFromContext(req.Context())
			assert.Empty(t, req.Header.Get("Traceparent"), "trace ids are not sent to the API")
			return f.srv.Transport().RoundTrip(req)
		})}))
		_, _, err := client.Quota.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, f.spans.GetSpans()[0].SpanContext.SpanID(), sent.SpanID())
	})
}

func TestGlobalProvidersAreTheDefault(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))
	otel.SetMeterProvider(noop.NewMeterProvider())
	srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener())
	defer srv.Close()
	_, _, err := srv.Client(secretsstore.WithHooks(secretsstoreotel.Hooks(nil, secretsstoreotel.WithTracerProvider(nil), secretsstoreotel.WithMeterProvider(nil)))).Quota.Get(t.Context())
	require.NoError(t, err)
	assert.Len(t, spans.GetSpans(), 2)
}
