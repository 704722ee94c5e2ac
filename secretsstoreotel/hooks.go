package secretsstoreotel

import (
	"context"
	"strconv"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-57d84f87/secretsstore-go"
)

const scope = "github.com/seed-57d84f87/secretsstore-go/secretsstoreotel"

// Attributes without a semantic convention.
const (
	attemptsKey = attribute.Key("secretsstore.attempts")
	waitKey     = attribute.Key("secretsstore.wait.duration") // in seconds
)

// An Option configures [Hooks]. A nil Option is skipped.
type Option func(*config)

type config struct {
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	attributes []attribute.KeyValue
}

// WithTracerProvider sets the provider of the spans. The default, and the meaning of nil, is
// the global one.
func WithTracerProvider(p trace.TracerProvider) Option { return func(c *config) { c.tracers = p } }

// WithMeterProvider sets the provider of the metrics. The default, and the meaning of nil, is
// the global one.
func WithMeterProvider(p metric.MeterProvider) Option { return func(c *config) { c.meters = p } }

// WithAttributes adds attributes to all spans and metrics: the server.address and
// server.port that the conventions of HTTP require, or one that distinguishes several
// clients. It may be repeated. The attributes are recorded as they are and must not contain secrets.
func WithAttributes(attributes ...attribute.KeyValue) Option {
	return func(c *config) { c.attributes = append(c.attributes, attributes...) }
}

// telemetry implements the hooks.
type telemetry struct {
	tracer     trace.Tracer
	attributes []attribute.KeyValue
	*instruments
}

// The keys of the spans in a context. They include the telemetry because a client can have
// several hooks, each with its own spans.
type (
	callKey    struct{ *telemetry }
	attemptKey struct{ *telemetry }
)

// Hooks returns the hooks for [secretsstore.WithHooks].
func Hooks(opts ...Option) secretsstore.Hooks {
	var cfg config
	for _, opt := range opts {
		if opt != nil {
			opt(&cfg)
		}
	}
	if cfg.tracers == nil {
		cfg.tracers = otel.GetTracerProvider()
	}
	if cfg.meters == nil {
		cfg.meters = otel.GetMeterProvider()
	}
	t := &telemetry{
		tracer:      cfg.tracers.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)),
		attributes:  cfg.attributes,
		instruments: newInstruments(cfg.meters.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))),
	}
	return secretsstore.Hooks{CallStart: t.callStart, CallDone: t.callDone, AttemptStart: t.attemptStart, AttemptDone: t.attemptDone}
}

func (t *telemetry) callStart(ctx context.Context, c secretsstore.CallStart) context.Context {
	name := c.Method
	if c.Route != "" {
		name += " " + c.Route
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(t.operation(c.Method, c.Route)...))
	return context.WithValue(ctx, callKey{t}, span)
}

func (t *telemetry) callDone(ctx context.Context, c secretsstore.CallDone) {
	kind := ""
	if c.Err != nil {
		kind = errorType(ctx, c.Err)
	}
	outcome := outcome(c.StatusCode, kind)
	if span, ok := ctx.Value(callKey{t}).(trace.Span); ok {
		span.SetAttributes(attemptsKey.Int(c.Attempts))
		end(span, outcome, kind)
	}
	t.calls.Record(ctx, c.Duration.Seconds(), t.measured(c.Method, c.Route, outcome))
}

func (t *telemetry) attemptStart(ctx context.Context, a secretsstore.AttemptStart) context.Context {
	attributes := t.operation(a.Method, a.Route)
	if a.Attempt > 1 {
		attributes = append(attributes, semconv.HTTPRequestResendCount(a.Attempt-1))
	}
	if a.Waited > 0 {
		attributes = append(attributes, waitKey.Float64(a.Waited.Seconds()))
	}
	ctx, span := t.tracer.Start(ctx, a.Method, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
	return context.WithValue(ctx, attemptKey{t}, span)
}

func (t *telemetry) attemptDone(ctx context.Context, a secretsstore.AttemptDone) {
	kind := ""
	switch {
	case a.Err != nil:
		kind = errorType(ctx, a.Err)
	case a.StatusCode >= 400:
		kind = strconv.Itoa(a.StatusCode)
	}
	outcome := outcome(a.StatusCode, kind)
	if span, ok := ctx.Value(attemptKey{t}).(trace.Span); ok {
		end(span, outcome, kind)
	}
	t.attempts.Record(ctx, a.Duration.Seconds(), t.measured(a.Method, a.Route, outcome))
	operation := t.measured(a.Method, a.Route, nil)
	if a.Waited > 0 {
		t.waits.Record(ctx, a.Waited.Seconds(), operation)
	}
	if a.Attempt > 1 {
		t.retries.Add(ctx, 1, operation)
	}
	if a.RateLimit != nil {
		t.remaining.Record(ctx, int64(a.RateLimit.Remaining), metric.WithAttributes(t.attributes...))
	}
}

// operation returns the attributes of an operation.
func (t *telemetry) operation(method, route string) []attribute.KeyValue {
	attributes := append([]attribute.KeyValue{semconv.HTTPRequestMethodKey.String(method)}, t.attributes...)
	if route != "" {
		attributes = append(attributes, semconv.URLTemplate(route))
	}
	return attributes
}

// measured returns the attributes of a measurement.
func (t *telemetry) measured(method, route string, outcome []attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributes(append(t.operation(method, route), outcome...)...)
}

// outcome returns the attributes of a call or an attempt that has ended. kind is empty if
// it succeeded.
func outcome(status int, kind string) []attribute.KeyValue {
	var attributes []attribute.KeyValue
	if status != 0 {
		attributes = append(attributes, semconv.HTTPResponseStatusCode(status))
	}
	if kind != "" {
		attributes = append(attributes, semconv.ErrorTypeKey.String(kind))
	}
	return attributes
}

// end ends a span. The text of the error is not recorded: it contains the path.
func end(span trace.Span, outcome []attribute.KeyValue, kind string) {
	span.SetAttributes(outcome...)
	if kind != "" {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
