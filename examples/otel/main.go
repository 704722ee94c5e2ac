// Command otel shows a client of the Secrets Store in traces and metrics: a span for
// each call with one for each of its attempts below, by OpenTelemetry and otelhttp,
// and Prometheus metrics of both. The spans and labels have the routes of the API's
// documentation, and never an id or a value.
//
// What a service takes from here is in telemetry.go (the hooks of the calls and the
// transport of the attempts) and metrics.go; [instrument] puts them together.
//
// The program patches a secret of a Secrets Store in memory, which limits the rate
// once, looks for one that is not there, and prints the two traces and the metrics.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	srv := secretsstoretest.NewServer()
	defer srv.Close()
	if err := run(ctx, os.Stdout, srv, http.DefaultTransport); err != nil {
		fmt.Fprintln(os.Stderr, "otel:", err)
		stop()
		os.Exit(1)
	}
}

// instrument makes the options of a client whose calls and attempts, which go
// through base, are seen in the provider's spans and in the registry's metrics.
func instrument(base http.RoundTripper, spans trace.TracerProvider, registry prometheus.Registerer) ([]secretsstore.Option, error) {
	measure, err := measureCalls(registry)
	if err != nil {
		return nil, err
	}
	meters, err := measureAttempts(registry)
	if err != nil {
		return nil, err
	}
	return []secretsstore.Option{
		secretsstore.WithHooks(traceCalls(spans)),
		secretsstore.WithHooks(measure),
		secretsstore.WithHTTPClient(&http.Client{Transport: traceAttempts(base, spans, meters)}),
	}, nil
}

func run(ctx context.Context, stdout io.Writer, srv *secretsstoretest.Server, base http.RoundTripper) error {
	printer := new(tree)
	spans := sdktrace.NewTracerProvider(sdktrace.WithSyncer(printer))
	registry := prometheus.NewRegistry()
	options, err := instrument(base, spans, registry)
	if err != nil {
		return err
	}
	client := srv.Client(options...)

	store := srv.AddStore("production")
	secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{
		Name:   "MY_API_KEY",
		Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers},
		Value:  secretsstore.NewSecretValue("old-value-of-the-secret"),
	})
	srv.Inject(secretsstoretest.Fault{
		Operation: secretsstoretest.OpPatchSecret,
		Count:     1,
		Status:    http.StatusTooManyRequests,
		Header:    http.Header{"Retry-After": {"1"}},
		Body:      secretsstoretest.ErrorBody(10100, "Please wait and consider throttling your request speed"),
	})
	patch := secretsstore.SecretPatch{Value: secretsstore.NewSecretValue("new-value-of-the-secret")}
	if _, _, err := client.Secrets.Patch(ctx, store.ID, secret.ID, patch); err != nil {
		return err
	}
	if _, _, err := client.Secrets.Get(ctx, store.ID, strings.Repeat("0", 32)); !errors.Is(err, secretsstore.ErrSecretNotFound) {
		return fmt.Errorf("looking for a secret that is not there: got %v, want %v", err, secretsstore.ErrSecretNotFound)
	}

	if err := spans.Shutdown(ctx); err != nil {
		return err
	}
	fmt.Fprint(stdout, "Traces: a patch that was rate limited once, and a look for a secret that is not there\n\n")
	if err := printer.print(stdout); err != nil {
		return err
	}
	fmt.Fprint(stdout, "\nMetrics, without the buckets of the histograms\n\n")
	return printMetrics(stdout, registry)
}
