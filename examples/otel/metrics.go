package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/seed-57d84f87/secretsstore-go"
)

// measureCalls has Prometheus metrics for the calls: how long they took with all
// their attempts and waits, by method, route and outcome. The histogram's count is
// the number of calls. It needs nothing of OpenTelemetry.
func measureCalls(registry prometheus.Registerer) (secretsstore.Hooks, error) {
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "secretsstore_call_duration_seconds",
		Help: "How long calls of the Secrets Store API took, with all attempts and waits.",
		// A call can wait a minute because the API asks for it.
		Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120},
	}, []string{"method", "route", "outcome"})
	inFlight := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "secretsstore_calls_in_flight",
		Help: "Calls of the Secrets Store API that have begun and not ended.",
	}, []string{"method", "route"})
	for _, collector := range []prometheus.Collector{durations, inFlight} {
		if err := registry.Register(collector); err != nil {
			return secretsstore.Hooks{}, err
		}
	}
	return secretsstore.Hooks{
		CallStart: func(_ context.Context, start secretsstore.CallStart) context.Context {
			inFlight.WithLabelValues(start.Method, start.Route).Inc()
			return nil
		},
		CallDone: func(_ context.Context, done secretsstore.CallDone) {
			inFlight.WithLabelValues(done.Method, done.Route).Dec()
			durations.WithLabelValues(done.Method, done.Route, outcome(done.Err)).Observe(done.Duration.Seconds())
		},
	}, nil
}

// measureAttempts is where otelhttp's metrics of the attempts go: to the same
// registry, and so to the same page.
func measureAttempts(registry prometheus.Registerer) (metric.MeterProvider, error) {
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, err
	}
	return sdkmetric.NewMeterProvider(
		sdkmetric.WithReader(exporter),
		// The size of a patch tells the length of the value in it.
		sdkmetric.WithView(sdkmetric.NewView(
			sdkmetric.Instrument{Name: "http.client.request.body.size"},
			sdkmetric.Stream{Aggregation: sdkmetric.AggregationDrop{}},
		)),
	), nil
}

// printMetrics writes what a scrape would get, but for the histograms' buckets,
// which are many. A service has promhttp.HandlerFor for that.
func printMetrics(w io.Writer, registry prometheus.Gatherer) error {
	families, err := registry.Gather()
	if err != nil {
		return err
	}
	for _, family := range families {
		var text strings.Builder
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			return fmt.Errorf("metric %s: %w", family.GetName(), err)
		}
		for line := range strings.Lines(text.String()) {
			if strings.HasPrefix(line, family.GetName()+"_bucket{") {
				continue
			}
			if _, err := io.WriteString(w, line); err != nil {
				return err
			}
		}
	}
	return nil
}
