package ratelimit

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name             string
		limits, policies []string
		want             []Limit
	}{
		{
			name:   "documented",
			limits: []string{`"default";r=50;t=30`}, policies: []string{`"default";q=100;w=60`},
			want: []Limit{{Name: "default", Remaining: 50, Quota: 100, Reset: 30 * s, Window: 60 * s}},
		},
		{
			name:   "no policy",
			limits: []string{`"default";r=0;t=30`},
			want:   []Limit{{Name: "default", Reset: 30 * s}},
		},
		{
			name:   "several items in one line and in several",
			limits: []string{`"a";r=1;t=2, "b";r=3;t=4`, `"c";r=5;t=6`}, policies: []string{`"b";q=30;w=40`, `"a";q=10;w=20`},
			want: []Limit{
				{Name: "a", Remaining: 1, Quota: 10, Reset: 2 * s, Window: 20 * s},
				{Name: "b", Remaining: 3, Quota: 30, Reset: 4 * s, Window: 40 * s},
				{Name: "c", Remaining: 5, Reset: 6 * s},
			},
		},
		{
			name:   "one limit and one policy of another name",
			limits: []string{`"user";r=1;t=2`}, policies: []string{`"default";q=10;w=20`},
			want: []Limit{{Name: "user", Remaining: 1, Quota: 10, Reset: 2 * s, Window: 20 * s}},
		},
		{
			name:   "the window stands in for a missing reset",
			limits: []string{`"default";r=7`}, policies: []string{`"default";q=10;w=20`},
			want: []Limit{{Name: "default", Remaining: 7, Quota: 10, Reset: 20 * s, Window: 20 * s}},
		},
		{name: "neither reset nor window", limits: []string{`"default";r=7`}, want: []Limit{}},
		{
			name:   "neither reset nor window, with a policy",
			limits: []string{`"default";r=7`}, policies: []string{`"default";q=10`}, want: []Limit{},
		},
		{name: "the longest reset", limits: []string{`"default";r=7;t=86400`}, want: []Limit{{Name: "default", Remaining: 7, Reset: 24 * time.Hour}}},
		{name: "a longer one", limits: []string{`"default";r=7;t=86401`}, want: []Limit{{Name: "default", Remaining: 7, Reset: 24 * time.Hour}}},
		{
			name:   "a reset now",
			limits: []string{`"default";r=7;t=0`}, policies: []string{`"default";q=10;w=20`},
			want: []Limit{{Name: "default", Remaining: 7, Quota: 10, Window: 20 * s}},
		},
		{
			name:   "a limit of another unit",
			limits: []string{`"bytes";r=7;t=8, "calls";r=9;t=10`}, policies: []string{`"bytes";q=10;w=20;qu="content-bytes", "calls";q=10;w=20;qu="requests"`},
			want: []Limit{{Name: "calls", Remaining: 9, Quota: 10, Reset: 10 * s, Window: 20 * s}},
		},
		{
			name: "invalid items",
			limits: []string{`;r=1;t=2`, `"a"`, `"b";r=-1;t=2`, `"c";r=x;t=2`, `"d";r=1e9;t=2`, `"e";r=99999999999;t=2`, `"f";r=1;t=99999999999`,
				`"ok"; r=1; t=2`},
			want: []Limit{{Name: "ok", Remaining: 1, Reset: 2 * s}},
		},
		{
			name:   "more limits than are read",
			limits: []string{`"a";r=1;t=1,"b";r=1;t=1,"c";r=1;t=1,"d";r=1;t=1,"e";r=1;t=1`},
			want:   []Limit{{"a", 1, 0, s, 0}, {"b", 1, 0, s, 0}, {"c", 1, 0, s, 0}, {"d", 1, 0, s, 0}},
		},
		{
			name:   "names of any characters",
			limits: []string{`"user.minute";r=1;t=2, "user.day";r=3;t=4`}, policies: []string{`"user.minute";q=10;w=20`, `"user.day";q=30;w=40`},
			want: []Limit{{Name: "user.minute", Remaining: 1, Quota: 10, Reset: 2 * s, Window: 20 * s}, {Name: "user.day", Remaining: 3, Quota: 30, Reset: 4 * s, Window: 40 * s}},
		},
		{name: "names are bounded", limits: []string{`"` + strings.Repeat("x", 66) + `";r=3;t=4`}, want: []Limit{{Name: strings.Repeat("x", 65), Remaining: 3, Reset: 4 * s}}},
		{name: "the most requests", limits: []string{`"a";r=1000000000;t=1, "b";r=1000000001;t=1`}, want: []Limit{{Name: "a", Remaining: 1_000_000_000, Reset: s}}},
		{name: "names without quotes", limits: []string{`default;r=1;t=2`}, want: []Limit{{Name: "default", Remaining: 1, Reset: 2 * s}}},
		{
			name:   "half a policy",
			limits: []string{`"a";r=1;t=2, "b";r=3`}, policies: []string{`"a";q=10, "b";w=20`},
			want: []Limit{{Name: "a", Remaining: 1, Quota: 10, Reset: 2 * s}, {Name: "b", Remaining: 3, Reset: 20 * s, Window: 20 * s}},
		},
		{name: "a policy alone", policies: []string{`"default";q=100;w=60`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, Parse(http.Header{"Ratelimit": tt.limits, "Ratelimit-Policy": tt.policies}))
		})
	}
}

func TestTightest(t *testing.T) {
	limits := []Limit{{Name: "a", Remaining: 2, Reset: 9}, {Name: "b", Remaining: 1, Reset: 3}, {Name: "c", Remaining: 1, Reset: 5}}
	assert.Equal(t, "c", Tightest(limits).Name)
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	date := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, tt := range []struct {
		name, value, date string
		want              time.Duration
	}{
		{name: "seconds", value: "120", want: 2 * time.Minute},
		{name: "none"},
		{name: "zero", value: "0"},
		{name: "negative", value: "-5"},
		{name: "text", value: "soon"},
		{name: "more than a day", value: "86401", want: 24 * time.Hour},
		{name: "more digits than a number has", value: "99999999999999999999", want: 24 * time.Hour},
		{name: "a date", value: date(time.Minute), want: time.Minute},
		{name: "a date in another form", value: now.Add(time.Minute).Format("Monday, 02-Jan-06 15:04:05 GMT"), want: time.Minute},
		{name: "a date in another age", value: "Fri, 31 Dec 9999 23:59:59 GMT", want: 24 * time.Hour},
		{name: "spaces and zeros", value: " 007 ", want: 7 * time.Second},
		{name: "a fraction", value: "1.5"},
		{name: "other digits", value: "٧"},
		{name: "a date in the past", value: date(-time.Minute)},
		{name: "a date relative to the server's clock", value: date(-time.Hour + time.Minute), date: date(-time.Hour), want: time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			if tt.value != "" {
				h.Set("Retry-After", tt.value)
			}
			if tt.date != "" {
				h.Set("Date", tt.date)
			}
			assert.Equal(t, tt.want, RetryAfter(h, now))
		})
	}
}

// Whatever the headers say, numbers and names are within bounds.
func FuzzParse(f *testing.F) {
	f.Add(`"default";r=50;t=30`, `"default";q=100;w=60`)
	f.Add(`"a";r=1;t=2,"b";r=3`, `"b";q=4;w=5;qu="bytes"`)
	f.Add(`"not a name";r=0;t=99999`, `;`)
	f.Fuzz(func(t *testing.T, limit, policy string) {
		limits := Parse(http.Header{"Ratelimit": {limit}, "Ratelimit-Policy": {policy}})
		require.LessOrEqual(t, len(limits), Max)
		for _, l := range limits {
			if len(l.Name) > maxName || l.Remaining < 0 || l.Quota < 0 || l.Reset < 0 || l.Window < 0 || l.Reset > 24*time.Hour || l.Window > 24*time.Hour {
				t.Errorf("%+v", l)
			}
		}
	})
}
