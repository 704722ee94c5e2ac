package secretsstoreotel

import (
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"
)

type instruments struct {
	calls, attempts, waits metric.Float64Histogram
	retries                metric.Int64Counter
	remaining              metric.Int64Gauge
}

// Buckets in seconds. The conventions of HTTP recommend those of attempts; calls and waits
// can be longer, up to the window of the API's rate limit.
var (
	attemptBuckets = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
	callBuckets    = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}
)

func newInstruments(m metric.Meter) *instruments {
	var i instruments
	var errs [5]error
	request := httpconv.ClientRequestDuration{}
	i.calls, errs[0] = m.Float64Histogram("secretsstore.call.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of calls, with all attempts and waits."), metric.WithExplicitBucketBoundaries(callBuckets...))
	i.attempts, errs[1] = m.Float64Histogram(request.Name(), metric.WithUnit(request.Unit()),
		metric.WithDescription(request.Description()), metric.WithExplicitBucketBoundaries(attemptBuckets...))
	i.waits, errs[2] = m.Float64Histogram("secretsstore.wait.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of waits before attempts, for a retry or the rate limit."), metric.WithExplicitBucketBoundaries(callBuckets...))
	i.retries, errs[3] = m.Int64Counter("secretsstore.retries", metric.WithUnit("{retry}"),
		metric.WithDescription("Attempts after the first attempt of a call."))
	i.remaining, errs[4] = m.Int64Gauge("secretsstore.rate_limit.remaining", metric.WithUnit("{request}"),
		metric.WithDescription("Requests that remain in the window of the rate limit, as the last response announced."))
	if err := errors.Join(errs[:]...); err != nil {
		otel.Handle(err) // the instruments can be used nevertheless
	}
	return &i
}
