package secretsstore

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func limitHeader(limit, policy string) http.Header {
	h := http.Header{}
	if limit != "" {
		h["Ratelimit"] = []string{limit}
	}
	if policy != "" {
		h["Ratelimit-Policy"] = []string{policy}
	}
	return h
}

func TestRateLimitHeaders(t *testing.T) {
	for _, s := range []struct {
		name, limit, policy string
		want                []RateLimit
	}{
		{"none", "", "", nil},
		{"a limit alone", `"default";r=50;t=30`, "", []RateLimit{{"default", 50, 0, 30 * time.Second, 0}}},
		{"a policy alone says nothing", "", `"default";q=100;w=60`, nil},
		{"a limit and its policy", `"default";r=50;t=30`, `"default";q=100;w=60`,
			[]RateLimit{{"default", 50, 100, 30 * time.Second, time.Minute}}},
		{"one limit and one policy of another name", `"default";r=50;t=30`, `"burst";q=100;w=60`,
			[]RateLimit{{"default", 50, 100, 30 * time.Second, time.Minute}}},
		{"two limits, each with the policy of its name", `"a";r=5;t=3, "b";r=7;t=200`, `"b";q=1200;w=300,"a";q=10;w=5`,
			[]RateLimit{{"a", 5, 10, 3 * time.Second, 5 * time.Second}, {"b", 7, 1200, 200 * time.Second, 5 * time.Minute}}},
		{"two limits and one policy of another name", `"a";r=5;t=3, "b";r=7;t=200`, `"c";q=10;w=5`,
			[]RateLimit{{"a", 5, 0, 3 * time.Second, 0}, {"b", 7, 0, 200 * time.Second, 0}}},
		{"parameters in any order, with spaces, with others", ` "a" ; t=3;x="y" ; r=5`, "", []RateLimit{{"a", 5, 0, 3 * time.Second, 0}}},
		{"no quotes", `a;r=5;t=3`, "", []RateLimit{{"a", 5, 0, 3 * time.Second, 0}}},
		{"nothing left", `"a";r=0;t=0`, "", []RateLimit{{"a", 0, 0, 0, 0}}},
		{"more limits than count", `"a";r=1;t=1,"b";r=1;t=1,"c";r=1;t=1,"d";r=1;t=1,"e";r=1;t=1`, "",
			[]RateLimit{{"a", 1, 0, time.Second, 0}, {"b", 1, 0, time.Second, 0}, {"c", 1, 0, time.Second, 0}, {"d", 1, 0, time.Second, 0}}},
		{"nonsense beside sense", `,;,x,"a";r=5;t=3,"b";r=-1;t=3`, `;;;`, []RateLimit{{"a", 5, 0, 3 * time.Second, 0}}},
		{"no name", `"";r=5;t=3`, "", nil},
		{"no calls", `"a";t=3`, "", nil},
		{"no seconds", `"a";r=5`, "", nil},
		{"calls that are less than none", `"a";r=-5;t=3`, "", nil},
		{"calls that are no number", `"a";r=1e3;t=3`, "", nil},
		{"calls past all reason", `"a";r=99999999999;t=3`, "", nil},
		{"seconds past all reason", `"a";r=5;t=3601`, "", nil},
		{"seconds that are no whole number", `"a";r=5;t=1.5`, "", nil},
		{"a policy past all reason", `"a";r=5;t=3`, `"a";q=100;w=86400`, []RateLimit{{"a", 5, 0, 3 * time.Second, 0}}},
		{"the older form", "limit=100, remaining=50, reset=30", "100;w=60", nil},
	} {
		t.Run(s.name, func(t *testing.T) {
			limits := parseRateLimits(limitHeader(s.limit, s.policy))
			assert.Equal(t, s.want, append([]RateLimit(nil), limits.items[:limits.n]...))
		})
	}
	t.Run("in several lines", func(t *testing.T) {
		limits := parseRateLimits(http.Header{"Ratelimit": {`"a";r=5;t=3`, `"b";r=7;t=200`}})
		assert.Equal(t, 2, limits.n)
	})
}

func TestTightestRateLimit(t *testing.T) {
	for _, s := range []struct{ name, limit, want string }{
		{"the fewest calls", `"a";r=5;t=3, "b";r=4;t=1, "c";r=6;t=9`, "b"},
		{"of as many calls, the longest time", `"a";r=5;t=3, "b";r=5;t=9, "c";r=5;t=4`, "b"},
	} {
		limits := parseRateLimits(limitHeader(s.limit, ""))
		assert.Equal(t, s.want, limits.tightest().Name, s.name)
	}
	assert.Nil(t, new(rateLimits).tightest())
}

// A pacer that is fed with anything waits no longer than the windows it was told
// of, one after the other, and always lets a call go in the end.
func FuzzRateLimitHeaders(f *testing.F) {
	for _, s := range [][2]string{
		{`"default";r=50;t=30`, `"default";q=100;w=60`},
		{`"default";r=0;t=300`, `"default";q=1200;w=300`},
		{`"a";r=0;t=1,"b";r=1;t=2,"c";r=2;t=3600,"d";r=3;t=4,"e";r=4;t=5`, `"a";q=1;w=3600,"b";q=0;w=0,"c";q=1000000000;w=3600`},
		{`"a";r=0;t=0`, `"a";q=1;w=0`}, {`"a";r=1000000000;t=3600`, `"a";q=1;w=1`}, {`;,"`, `=;,`}, {"", ""},
		{`"a";r=0;t=4294967295`, `"a";q=1;w=4294967295`},
	} {
		f.Add(s[0], s[1], s[0], s[1], int64(1e9))
		f.Add(s[0], s[1], "", "", int64(1e8))
	}
	f.Fuzz(func(t *testing.T, limit, policy, limit2, policy2 string, pause int64) {
		synctest.Test(t, func(t *testing.T) {
			p := newPacer()
			for i := range 30 {
				h := limitHeader(limit, policy)
				if i%2 == 1 {
					h = limitHeader(limit2, policy2)
				}
				for _, ahead := range []int{0, 1, 7, 1000} {
					wait := p.wait(ahead)
					longest := 2 * time.Hour * time.Duration(ahead+1)
					if wait < 0 || wait > longest {
						t.Fatalf("a wait of %v with %d ahead", wait, ahead)
					}
				}
				began := time.Now()
				longest := time.Minute
				call, err := p.admit(context.Background(), longest, func(wait time.Duration) {
					if wait > longest {
						t.Fatalf("told of a wait of %v", wait)
					}
				})
				if err != nil {
					require.ErrorIs(t, err, ErrRateLimited)
					require.Zero(t, time.Since(began), "a wait that is too long is not begun")
					longest = 2 * time.Hour
					call, err = p.admit(context.Background(), longest, func(time.Duration) {})
					require.NoError(t, err)
				}
				if waited := time.Since(began); waited > longest {
					t.Fatalf("a wait of %v", waited)
				}
				time.Sleep(time.Duration(min(max(0, pause), int64(time.Hour))))
				o := &outcome{status: 200, limits: parseRateLimits(h)}
				if limits := o.limits; limits.n > maxLimits {
					t.Fatalf("%d limits", limits.n)
				}
				switch i % 5 {
				case 3:
					o.status = 0 // no answer
				case 4:
					o.unsent = true
				}
				p.settle(call, o)
			}
			require.Zero(t, p.inFlight)
			require.Zero(t, p.queued)
		})
	})
}

func TestPacingAllocatesNothingWhereItDoesNotWait(t *testing.T) {
	for name, h := range map[string]http.Header{
		"no header":  {},
		"one limit":  limitHeader(`"default";r=1000000;t=300`, `"default";q=1000000;w=300`),
		"two limits": limitHeader(`"a";r=1000000;t=300, "b";r=1000000;t=60`, `"b";q=1000000;w=60, "a";q=1000000;w=300`),
	} {
		t.Run(name, func(t *testing.T) {
			p := newPacer()
			ctx, o := t.Context(), new(outcome)
			told := 0
			call := func() {
				pass, err := p.admit(ctx, time.Minute, func(time.Duration) { told++ })
				if err != nil {
					t.Fatal(err)
				}
				o.status, o.limits = 200, parseRateLimits(h)
				p.settle(pass, o)
			}
			call() // makes the windows
			assert.Zero(t, testing.AllocsPerRun(100, call))
			assert.Zero(t, told)
		})
	}
}
