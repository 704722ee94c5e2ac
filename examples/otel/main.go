// Command otel shows the traces and metrics of a client. It patches a secret of an emulated
// Secrets Store, whose rate limit is exceeded once, prints the trace as a tree, and serves
// the metrics for Prometheus until it is interrupted.
//
//	go run .
//	curl http://127.0.0.1:9464/metrics
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoreotel"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9464", "`address` of the Prometheus endpoint")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	srv := secretsstoretest.NewServer(secretsstoretest.WithRateLimit(1200, 5*time.Minute))
	defer srv.Close()
	if err := run(ctx, os.Stdout, srv, ln); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer, srv *secretsstoretest.Server, ln net.Listener) error {
	// A service sends its spans to a collector instead.
	var spans tree
	exporter, err := prometheus.New(prometheus.WithoutScopeInfo(), prometheus.WithoutTargetInfo())
	if err != nil {
		return err
	}
	client := srv.Client(secretsstore.WithHooks(secretsstoreotel.Hooks(
		secretsstoreotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(&spans))),
		secretsstoreotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(exporter))),
		secretsstoreotel.WithAttributes(attribute.String("server.address", "api.cloudflare.com")),
	)))

	store := srv.AddStore("production")
	secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{
		Name: "MY_API_KEY", Scopes: []secretsstore.Scope{secretsstore.ScopeWorkers}, Value: secretsstore.NewSecretValue("old-value"),
	})
	srv.Inject(secretsstoretest.Fault{Count: 1, Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1"}}})
	patch := secretsstore.SecretPatch{Value: secretsstore.NewSecretValue("new-value")}
	if _, _, err := client.Secrets.Patch(ctx, store.ID, secret.ID, patch); err != nil {
		return err
	}
	spans.print(w, trace.SpanID{}, "")

	fmt.Fprintf(w, "\nMetrics: http://%s/metrics\n", ln.Addr())
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// A tree is an exporter that keeps the spans.
type tree []sdktrace.ReadOnlySpan

func (t *tree) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	*t = append(*t, spans...)
	return nil
}

func (t *tree) Shutdown(context.Context) error { return nil }

// print prints the spans below parent.
func (t *tree) print(w io.Writer, parent trace.SpanID, indent string) {
	slices.SortFunc(*t, func(a, b sdktrace.ReadOnlySpan) int { return a.StartTime().Compare(b.StartTime()) })
	for _, span := range *t {
		if span.Parent().SpanID() != parent {
			continue
		}
		attributes := slices.SortedFunc(slices.Values(span.Attributes()), func(a, b attribute.KeyValue) int { return cmp.Compare(a.Key, b.Key) })
		var text strings.Builder
		for _, a := range attributes {
			fmt.Fprintf(&text, "\n%s  %s=%s", indent, a.Key, a.Value.String())
		}
		fmt.Fprintf(w, "%s%s (%s, %v, status %s)%s\n", indent, span.Name(), span.SpanKind(),
			span.EndTime().Sub(span.StartTime()).Round(time.Millisecond), span.Status().Code, text.String())
		t.print(w, span.SpanContext().SpanID(), indent+"    ")
	}
}
