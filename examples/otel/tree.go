package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// tree is an exporter that keeps the spans and prints them as trees, with
// everything that they hold. A service sends them somewhere instead.
type tree struct {
	mu    sync.Mutex
	spans []sdktrace.ReadOnlySpan
}

// ExportSpans keeps the spans.
func (t *tree) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spans = append(t.spans, spans...)
	return nil
}

// Shutdown does nothing.
func (t *tree) Shutdown(context.Context) error { return nil }

func (t *tree) print(w io.Writer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	children := make(map[trace.SpanID][]sdktrace.ReadOnlySpan)
	for _, span := range t.spans {
		parent := span.Parent().SpanID()
		children[parent] = append(children[parent], span)
	}
	for _, spans := range children {
		slices.SortStableFunc(spans, func(a, b sdktrace.ReadOnlySpan) int { return a.StartTime().Compare(b.StartTime()) })
	}
	var b strings.Builder
	var walk func(span sdktrace.ReadOnlySpan, root time.Time, first, rest string)
	walk = func(span sdktrace.ReadOnlySpan, root time.Time, first, rest string) {
		below := children[span.SpanContext().SpanID()]
		bar := "    "
		if len(below) > 0 {
			bar = "│   "
		}
		fmt.Fprintf(&b, "%s%s\n", first, span.Name())
		fmt.Fprintf(&b, "%s%s%s, began at %v, took %v, %s\n", rest, bar, span.SpanKind(),
			span.StartTime().Sub(root).Round(time.Millisecond), span.EndTime().Sub(span.StartTime()).Round(time.Millisecond), status(span.Status()))
		fmt.Fprintf(&b, "%s%s%s\n", rest, bar, attributes(span.Attributes()))
		for _, event := range span.Events() {
			fmt.Fprintf(&b, "%s%sevent %s %s\n", rest, bar, event.Name, attributes(event.Attributes))
		}
		for i, child := range below {
			if i < len(below)-1 {
				walk(child, root, rest+"├── ", rest+"│   ")
			} else {
				walk(child, root, rest+"└── ", rest+"    ")
			}
		}
	}
	for _, root := range children[trace.SpanID{}] {
		walk(root, root.StartTime(), "", "")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func status(s sdktrace.Status) string {
	text := "ok" // also when it was left unset, as it is by convention where nothing failed
	if s.Code == codes.Error {
		text = "error"
	}
	if s.Description != "" {
		text += " " + s.Description
	}
	return text
}

func attributes(attrs []attribute.KeyValue) string {
	var shown []string
	for _, attr := range attrs {
		shown = append(shown, fmt.Sprintf("%s=%s", attr.Key, attr.Value.String()))
	}
	slices.Sort(shown)
	return strings.Join(shown, " ")
}
