package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-57d84f87/secretsstore-go"
)

// call is what the hooks hand to the transport, by the context of the attempts.
type call struct {
	name     string // of the spans: the method and the route, which holds no id
	route    string
	attempts atomic.Int32
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// traceCalls begins a span for each call, in which the spans of its attempts lie.
func traceCalls(provider trace.TracerProvider) secretsstore.Hooks {
	tracer := provider.Tracer("github.com/seed-57d84f87/secretsstore-go/examples/otel")
	return secretsstore.Hooks{
		CallStart: func(ctx context.Context, start secretsstore.CallStart) context.Context {
			c := &call{name: start.Method, route: start.Route}
			attrs := []attribute.KeyValue{semconv.HTTPRequestMethodKey.String(start.Method)}
			// A call of Client.Do has no route: its path may hold ids, so it has no name here.
			if start.Route != "" {
				c.name += " " + start.Route
				attrs = append(attrs, semconv.URLTemplate(start.Route))
			}
			ctx, _ = tracer.Start(ctx, c.name, trace.WithAttributes(attrs...))
			ctx = context.WithValue(ctx, callKey{}, c)
			if start.Route != "" {
				labeler := new(otelhttp.Labeler)
				labeler.Add(semconv.URLTemplate(start.Route))
				ctx = otelhttp.ContextWithClientLabeler(ctx, labeler)
			}
			return ctx
		},
		CallDone: func(ctx context.Context, done secretsstore.CallDone) {
			span := trace.SpanFromContext(ctx)
			span.SetAttributes(attribute.Int("secretsstore.attempts", done.Attempts))
			if done.StatusCode != 0 {
				span.SetAttributes(semconv.HTTPResponseStatusCode(done.StatusCode))
			}
			if done.Err != nil {
				fail(span, done.Err)
			}
			span.End()
		},
	}
}

// fail says what kind of error ended a call. It uses neither the error's text nor
// span.RecordError, which does: the text has the path, and so the ids.
func fail(span trace.Span, err error) {
	kind := outcome(err)
	span.SetStatus(codes.Error, kind)
	span.SetAttributes(semconv.ErrorTypeKey.String(kind))
	var apiErr *secretsstore.APIError
	if errors.As(err, &apiErr) && len(apiErr.Errors) > 0 {
		span.SetAttributes(attribute.Int("secretsstore.error.code", apiErr.Errors[0].Code))
	}
}

// kinds are the outcomes of calls that did not succeed; the first that fits counts.
var kinds = []struct {
	err  error
	name string
}{
	{secretsstore.ErrOutcomeUnknown, "outcome_unknown"}, // whatever its cause: somebody has to look
	{context.Canceled, "canceled"},
	{context.DeadlineExceeded, "deadline_exceeded"},
	{secretsstore.ErrAttemptTimeout, "attempt_timeout"},
	{secretsstore.ErrNoCredentials, "no_credentials"},
	{secretsstore.ErrInvalidArgument, "invalid_argument"},
	{secretsstore.ErrRateLimited, "rate_limited"},
	{secretsstore.ErrUnauthorized, "unauthorized"},
	{secretsstore.ErrForbidden, "forbidden"},
	{secretsstore.ErrSecretNotFound, "secret_not_found"},
	{secretsstore.ErrStoreNotFound, "store_not_found"},
	{secretsstore.ErrNotFound, "not_found"},
	{secretsstore.ErrAlreadyExists, "already_exists"},
	{secretsstore.ErrStoreNotEmpty, "store_not_empty"},
	{secretsstore.ErrQuotaExceeded, "quota_exceeded"},
	{secretsstore.ErrConflict, "conflict"},
	{secretsstore.ErrInvalidRequest, "invalid_request"},
	{secretsstore.ErrServer, "server_error"},
	{secretsstore.ErrResponseTooLarge, "response_too_large"},
	{secretsstore.ErrInvalidResponse, "invalid_response"},
}

// outcome is "success" or one of a few dozen words, so that it can be a label.
func outcome(err error) string {
	if err == nil {
		return "success"
	}
	for _, kind := range kinds {
		if errors.Is(err, kind.err) {
			return kind.name
		}
	}
	var apiErr *secretsstore.APIError
	if errors.As(err, &apiErr) {
		return "status_" + strconv.Itoa(apiErr.StatusCode)
	}
	var requestErr *secretsstore.RequestError
	if errors.As(err, &requestErr) {
		return "no_answer"
	}
	return "other"
}

// traceAttempts is base with a span and a measurement for each request, by
// otelhttp, named by the call that it is an attempt of.
func traceAttempts(base http.RoundTripper, spans trace.TracerProvider, meters metric.MeterProvider) http.RoundTripper {
	return otelhttp.NewTransport(base,
		otelhttp.WithTracerProvider(attemptProvider{spans}),
		otelhttp.WithMeterProvider(meters),
		otelhttp.WithSpanNameFormatter(func(_ string, req *http.Request) string {
			if c := callOf(req.Context()); c != nil {
				return c.name
			}
			return req.Method
		}),
		// Our trace ids and baggage are of no use to Cloudflare, which is no part of the trace.
		otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator()),
	)
}

// attemptProvider gives otelhttp spans that take from it only what holds no id. It
// records the whole URL, and an error's text as the status. What reaches no span
// needs no redaction later, in each exporter.
type attemptProvider struct{ trace.TracerProvider }

func (p attemptProvider) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	return attemptTracer{p.TracerProvider.Tracer(name, opts...)}
}

type attemptTracer struct{ trace.Tracer }

func (t attemptTracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	ctx, inner := t.Tracer.Start(ctx, name, opts...)
	if c := callOf(ctx); c != nil {
		if c.route != "" {
			inner.SetAttributes(semconv.URLTemplate(c.route))
		}
		if n := c.attempts.Add(1); n > 1 {
			inner.SetAttributes(semconv.HTTPRequestResendCount(int(n - 1)))
		}
	}
	span := attemptSpan{inner}
	return trace.ContextWithSpan(ctx, span), span
}

type attemptSpan struct{ trace.Span }

// attemptAttributes are those of otelhttp that can't hold an id. A list of those
// that can, such as url.full, would be outdated by its next version.
var attemptAttributes = []attribute.Key{
	semconv.HTTPRequestMethodKey,
	semconv.HTTPResponseStatusCodeKey,
	semconv.ErrorTypeKey,
	semconv.ServerAddressKey,
	semconv.ServerPortKey,
	semconv.NetworkProtocolNameKey,
	semconv.NetworkProtocolVersionKey,
}

// SetAttributes takes the attributes that can't hold an id.
func (s attemptSpan) SetAttributes(attrs ...attribute.KeyValue) {
	kept := make([]attribute.KeyValue, 0, len(attrs))
	for _, attr := range attrs {
		if slices.Contains(attemptAttributes, attr.Key) {
			kept = append(kept, attr)
		}
	}
	s.Span.SetAttributes(kept...)
}

// SetStatus takes the status without the text, which is an error's; its type is
// in the attribute error.type.
func (s attemptSpan) SetStatus(code codes.Code, _ string) { s.Span.SetStatus(code, "") }

// RecordError takes nothing: it would add an event with the error's text.
func (s attemptSpan) RecordError(error, ...trace.EventOption) {}
