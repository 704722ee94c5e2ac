package secretsstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

// limited is an answer that says so of the rate limit.
func limited(limit, policy string) step {
	return step{status: 200, header: map[string]string{"Ratelimit": limit, "Ratelimit-Policy": policy}}
}

func TestPacing(t *testing.T) {
	const anHour = time.Hour
	for _, s := range []struct {
		name    string
		steps   []step
		longest time.Duration
		// at are the times of the calls, one after the other, since the first.
		at []time.Duration
	}{
		{name: "no header, no pacing", steps: []step{{status: 200}}, at: make([]time.Duration, 50)},
		{name: "nonsense in the header, no pacing", steps: []step{limited("r=0", "q")}, at: make([]time.Duration, 50)},
		{name: "a limit that is far away, no pacing", steps: []step{limited(`"d";r=900;t=300`, `"d";q=1200;w=300`)}, at: make([]time.Duration, 50)},
		{
			// 10 in 60 s: 6 are free, and 4 lie evenly in the 59 s that are sure to be left;
			// it is a little more after the answer that says 49 s.
			name: "free while there is room, spread out as it runs low, and the next window is used at once",
			steps: []step{
				limited(`"d";r=9;t=60`, `"d";q=10;w=60`), limited(`"d";r=8;t=60`, `"d";q=10;w=60`), limited(`"d";r=7;t=60`, `"d";q=10;w=60`),
				limited(`"d";r=6;t=60`, `"d";q=10;w=60`), limited(`"d";r=5;t=60`, `"d";q=10;w=60`), limited(`"d";r=4;t=60`, `"d";q=10;w=60`),
				limited(`"d";r=3;t=49`, `"d";q=10;w=60`), limited(`"d";r=2;t=37`, `"d";q=10;w=60`), limited(`"d";r=1;t=25`, `"d";q=10;w=60`),
				limited(`"d";r=0;t=13`, `"d";q=10;w=60`), limited(`"d";r=9;t=60`, `"d";q=10;w=60`), limited(`"d";r=8;t=60`, `"d";q=10;w=60`),
			},
			at: []time.Duration{0, 0, 0, 0, 0, 0, 11800 * time.Millisecond, 23800 * time.Millisecond, 35800 * time.Millisecond, 47800 * time.Millisecond, time.Minute, time.Minute},
		},
		{name: "nothing left", steps: []step{limited(`"d";r=0;t=30`, `"d";q=100;w=60`), limited(`"d";r=99;t=60`, `"d";q=100;w=60`)},
			at: []time.Duration{0, 30 * time.Second, 30 * time.Second}},
		{name: "nothing left, and no policy", steps: []step{limited(`"d";r=0;t=30`, ""), limited(`"d";r=99;t=60`, "")},
			at: []time.Duration{0, 30 * time.Second, 30 * time.Second}},
		{name: "nothing left, and no header after that", steps: []step{limited(`"d";r=0;t=30`, ""), {status: 200}},
			at: []time.Duration{0, 30 * time.Second, 30 * time.Second, 30 * time.Second}},
		{name: "nothing left for no time", steps: []step{limited(`"d";r=0;t=0`, "")}, at: make([]time.Duration, 5)},
		{name: "of several limits, the tightest", steps: []step{limited(`"a";r=0;t=2,"b";r=0;t=30,"c";r=5;t=300`, ""), {status: 200}},
			at: []time.Duration{0, 30 * time.Second}},
		{name: "a header that rounds down: the window ends a second later, from then on",
			steps: []step{
				limited(`"d";r=0;t=9`, `"d";q=10;w=10`),
				{status: 429, body: failed, header: map[string]string{"Ratelimit": `"d";r=0;t=0`, "Ratelimit-Policy": `"d";q=10;w=10`}},
				limited(`"d";r=0;t=9`, `"d";q=10;w=10`), limited(`"d";r=9;t=9`, `"d";q=10;w=10`),
			},
			at: []time.Duration{0, 9 * time.Second, 10 * time.Second, 20 * time.Second}},
		{name: "an answer without the header counts one", steps: []step{limited(`"d";r=2;t=30`, `"d";q=2;w=30`), {status: 200}, {status: 200}, limited(`"d";r=1;t=30`, `"d";q=2;w=30`)},
			at: []time.Duration{0, 0, 0, 30 * time.Second}},
		{name: "a later answer knows better", steps: []step{limited(`"d";r=2;t=30`, `"d";q=2;w=30`), {status: 200}, limited(`"d";r=2;t=30`, `"d";q=2;w=30`), {status: 200}},
			at: []time.Duration{0, 0, 0, 0, 0}},
		{name: "the API's block, sat out", steps: []step{limited(`"d";r=0;t=300`, `"d";q=1200;w=300`), {status: 200}}, longest: anHour,
			at: []time.Duration{0, 5 * time.Minute}},
	} {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &story{steps: s.steps}
				c := newClient(t, api, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxAttempts: 1, MaxRetryAfter: s.longest}))
				began := time.Now()
				for range s.at {
					_, err := get(t.Context(), c)
					var wait *secretsstore.WaitError
					require.False(t, errors.As(err, &wait), "%v", err)
				}
				var at []time.Duration
				for _, sent := range api.sent {
					at = append(at, sent.Sub(began))
				}
				assert.Equal(t, s.at, at)
			})
		})
	}
}

func TestPacingWaitThatCannotEndWellIsNotBegun(t *testing.T) {
	for _, s := range []struct {
		name     string
		reset    int
		longest  time.Duration
		deadline time.Duration
		waits    bool
	}{
		{"at the longest wait", 60, 0, 0, true},
		{"past the longest wait", 61, 0, 0, false},
		{"past a longest wait that was given", 10, 9 * time.Second, 0, false},
		{"before the deadline", 10, 0, 10*time.Second + 1, true},
		{"at the deadline", 10, 0, 10 * time.Second, false},
		{"past the deadline", 10, 0, time.Second, false},
	} {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &story{steps: []step{limited(fmt.Sprintf(`"d";r=0;t=%d`, s.reset), ""), {status: 200}}}
				c := newClient(t, api, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{MaxRetryAfter: s.longest}))
				_, err := get(t.Context(), c)
				require.NoError(t, err)
				ctx := t.Context()
				if s.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, s.deadline)
					defer cancel()
				}
				began := time.Now()
				resp, err := get(ctx, c)
				if s.waits {
					require.NoError(t, err)
					assert.Equal(t, time.Duration(s.reset)*time.Second, time.Since(began))
					return
				}
				assert.Zero(t, time.Since(began))
				var wait *secretsstore.WaitError
				require.ErrorAs(t, err, &wait)
				assert.Equal(t, time.Duration(s.reset)*time.Second, wait.Wait)
				assert.ErrorIs(t, err, secretsstore.ErrRateLimited)
				assert.NotErrorIs(t, err, context.DeadlineExceeded)
				assert.NotErrorIs(t, err, secretsstore.ErrOutcomeUnknown)
				assert.Nil(t, resp)
				assert.Len(t, api.sent, 1)
			})
		})
	}
}

func TestRetryAfterTheRateLimitIsMet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := step{status: 429, body: failed, header: map[string]string{"Ratelimit": `"d";r=0;t=30`, "Retry-After": "30"}}
		c := newClient(t, &story{steps: []step{full, {status: 200}}}, secretsstore.WithRetryPolicy(secretsstore.RetryPolicy{}))
		began := time.Now()
		_, err := get(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, 30*time.Second, time.Since(began), "the two waits are one")
	})
}

func TestCallsThatFailDoNotHoldUpOthers(t *testing.T) {
	for _, s := range []struct {
		name string
		fail func(api *story, c *secretsstore.Client)
	}{
		{"no connection", func(api *story, c *secretsstore.Client) {
			api.steps = []step{{err: refused}}
			_, _ = get(context.Background(), c)
		}},
		{"no credentials", nil},
	} {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := limited(`"d";r=5;t=60`, `"d";q=5;w=60`)
				api := &story{steps: []step{room}}
				var errToken error
				c := newClient(t, api, secretsstore.WithTokenSource(tokenFunc(func(context.Context) (string, error) { return apiToken, errToken })))
				_, err := get(t.Context(), c)
				require.NoError(t, err)
				for range 50 {
					if s.fail != nil {
						s.fail(api, c)
						continue
					}
					errToken = errors.New("no token")
					_, err := get(t.Context(), c)
					require.ErrorIs(t, err, errToken)
				}
				errToken, api.steps = nil, []step{room}
				began := time.Now()
				_, err = get(t.Context(), c)
				require.NoError(t, err)
				assert.Zero(t, time.Since(began), "nothing of it was counted by the API")
			})
		})
	}
}

func TestTransportThatPanicsLeavesThePaceAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := limited(`"d";r=5;t=60`, `"d";q=5;w=60`)
		api := &story{steps: []step{room}}
		c := newClient(t, api)
		_, err := get(t.Context(), c)
		require.NoError(t, err)
		api.steps = nil
		for range 5 {
			assert.Panics(t, func() { _, _ = get(context.Background(), c) })
		}
		time.Sleep(time.Minute)
		api.steps = []step{room}
		began := time.Now()
		for range 3 {
			_, err = get(t.Context(), c)
			require.NoError(t, err)
		}
		assert.Zero(t, time.Since(began))
	})
}

// gate is a transport that answers when it is told to.
type gate struct {
	mu      sync.Mutex
	order   []string
	waiting map[string]chan *http.Response
}

func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	answer := make(chan *http.Response)
	g.mu.Lock()
	id := req.Header.Get("X-Call")
	g.order = append(g.order, id)
	g.waiting[id] = answer
	g.mu.Unlock()
	select {
	case resp := <-answer:
		return resp, nil
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}

func (g *gate) answer(id, limit, policy string) {
	resp := response(200, oneSecret)
	resp.Header.Set("Ratelimit", limit)
	resp.Header.Set("Ratelimit-Policy", policy)
	synctest.Wait()
	g.mu.Lock()
	answer := g.waiting[id]
	g.mu.Unlock()
	answer <- resp
	synctest.Wait()
}

func (g *gate) sent() []string {
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.order...)
}

func TestPacingOfCallsAtTheSameTime(t *testing.T) {
	const policy = `"d";q=4;w=60` // one is spread, three are free
	gated := func(t *testing.T, story func(t *testing.T, g *gate, start func(id string) <-chan error, stop map[string]func())) {
		synctest.Test(t, func(t *testing.T) {
			g := &gate{waiting: map[string]chan *http.Response{}}
			c := newClient(t, g)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stop := map[string]func(){}
			story(t, g, func(id string) <-chan error {
				ctx, cancel := context.WithCancel(ctx)
				stop[id] = cancel
				done := make(chan error, 1)
				go func() {
					_, err := get(ctx, c, secretsstore.WithHeader("X-Call", id))
					done <- err
				}()
				synctest.Wait()
				return done
			}, stop)
		})
	}

	t.Run("those in flight may not have been counted yet", func(t *testing.T) {
		gated(t, func(t *testing.T, g *gate, start func(string) <-chan error, _ map[string]func()) {
			start("a")
			g.answer("a", `"d";r=3;t=60`, policy)
			start("b")
			start("c")
			start("d")
			start("e")
			assert.Equal(t, []string{"a", "b", "c"}, g.sent(), "two are free, one is spread, and one is past the limit")
			time.Sleep(29500 * time.Millisecond)
			assert.Equal(t, []string{"a", "b", "c", "d"}, g.sent())
			g.answer("d", `"d";r=0;t=31`, policy)
			g.answer("b", `"d";r=2;t=60`, policy)
			g.answer("c", `"d";r=1;t=60`, policy)
			time.Sleep(30*time.Second - 1)
			assert.Len(t, g.sent(), 4)
			time.Sleep(time.Second)
			assert.Len(t, g.sent(), 5)
		})
	})
	t.Run("they are let go in the order in which they came", func(t *testing.T) {
		gated(t, func(t *testing.T, g *gate, start func(string) <-chan error, _ map[string]func()) {
			start("first")
			g.answer("first", `"d";r=20;t=60`, `"d";q=100;w=60`)
			want := []string{"first"}
			for i := range 20 {
				want = append(want, fmt.Sprint(i))
				start(fmt.Sprint(i))
			}
			assert.Equal(t, want[:1], g.sent())
			time.Sleep(30 * time.Second)
			assert.Equal(t, want[:11], g.sent())
			time.Sleep(30 * time.Second)
			assert.Equal(t, want, g.sent())
		})
	})
	t.Run("one goes ahead into a window that nobody has told of", func(t *testing.T) {
		gated(t, func(t *testing.T, g *gate, start func(string) <-chan error, _ map[string]func()) {
			start("first")
			g.answer("first", `"d";r=0;t=10`, `"d";q=100;w=60`)
			for i := range 20 {
				start(fmt.Sprint(i))
			}
			time.Sleep(10 * time.Second)
			assert.Equal(t, []string{"first", "0"}, g.sent())
			g.answer("0", `"d";r=99;t=60`, `"d";q=100;w=60`)
			assert.Len(t, g.sent(), 21)
		})
	})
	t.Run("one that goes ahead and finds the window still closed lets nobody follow", func(t *testing.T) {
		gated(t, func(t *testing.T, g *gate, start func(string) <-chan error, _ map[string]func()) {
			start("first")
			g.answer("first", `"d";r=0;t=10`, `"d";q=100;w=60`)
			for i := range 5 {
				start(fmt.Sprint(i))
			}
			time.Sleep(10 * time.Second)
			g.answer("0", `"d";r=0;t=20`, `"d";q=100;w=60`)
			time.Sleep(20 * time.Second)
			assert.Len(t, g.sent(), 3)
			g.answer("1", `"d";r=99;t=60`, `"d";q=100;w=60`)
			assert.Len(t, g.sent(), 6)
		})
	})
	t.Run("one that goes ahead and is not answered is followed by another after a second", func(t *testing.T) {
		gated(t, func(t *testing.T, g *gate, start func(string) <-chan error, _ map[string]func()) {
			start("first")
			g.answer("first", `"d";r=0;t=10`, `"d";q=100;w=60`)
			for i := range 5 {
				start(fmt.Sprint(i))
			}
			for n := range 5 {
				time.Sleep(time.Duration(10-min(9, 9*n)) * time.Second)
				assert.Len(t, g.sent(), n+2)
			}
		})
	})
	t.Run("one that gives up makes room for the next", func(t *testing.T) {
		gated(t, func(t *testing.T, g *gate, start func(string) <-chan error, stop map[string]func()) {
			start("first")
			g.answer("first", `"d";r=0;t=10`, policy)
			given, next := start("gives up"), start("next")
			stop["gives up"]()
			assert.ErrorIs(t, <-given, context.Canceled)
			time.Sleep(10 * time.Second)
			assert.Equal(t, []string{"first", "next"}, g.sent())
			g.answer("next", `"d";r=3;t=60`, policy)
			assert.NoError(t, <-next)
		})
	})
	t.Run("one in the queue gives up at once", func(t *testing.T) {
		gated(t, func(t *testing.T, g *gate, start func(string) <-chan error, stop map[string]func()) {
			start("first")
			g.answer("first", `"d";r=0;t=10`, policy)
			start("next")
			given := start("gives up")
			began := time.Now()
			stop["gives up"]()
			assert.ErrorIs(t, <-given, context.Canceled)
			assert.Zero(t, time.Since(began))
		})
	})
	t.Run("a call that ends makes room at once for one that waits for the window's end", func(t *testing.T) {
		gated(t, func(t *testing.T, g *gate, start func(string) <-chan error, stop map[string]func()) {
			start("first")
			g.answer("first", `"d";r=1;t=10`, `"d";q=1;w=60`)
			start("slow")
			start("next")
			assert.Equal(t, []string{"first", "slow"}, g.sent())
			g.answer("slow", `"d";r=1;t=10`, `"d";q=1;w=60`)
			assert.Equal(t, []string{"first", "slow", "next"}, g.sent())
		})
	})
	t.Run("a late answer of the window before changes nothing", func(t *testing.T) {
		gated(t, func(t *testing.T, g *gate, start func(string) <-chan error, _ map[string]func()) {
			start("late")
			start("first")
			g.answer("first", `"d";r=50;t=2`, `"d";q=100;w=60`)
			time.Sleep(3 * time.Second)
			start("second")
			g.answer("second", `"d";r=98;t=60`, `"d";q=100;w=60`)
			g.answer("late", `"d";r=0;t=2`, `"d";q=100;w=60`)
			start("third")
			assert.Contains(t, g.sent(), "third")
		})
	})
	t.Run("nor does one that comes after the next has begun unseen", func(t *testing.T) {
		gated(t, func(t *testing.T, g *gate, start func(string) <-chan error, _ map[string]func()) {
			start("late")
			start("first")
			g.answer("first", `"d";r=50;t=2`, `"d";q=100;w=60`)
			time.Sleep(3 * time.Second)
			start("second")
			g.answer("late", `"d";r=0;t=2`, `"d";q=100;w=60`)
			start("third")
			assert.Contains(t, g.sent(), "third")
		})
	})
	t.Run("one whose wait becomes too long is told so before its deadline", func(t *testing.T) {
		gated(t, func(t *testing.T, g *gate, start func(string) <-chan error, _ map[string]func()) {
			start("first")
			g.answer("first", `"d";r=2;t=10`, `"d";q=1;w=60`)
			start("slow")
			start("other")
			next := start("next")
			g.answer("slow", `"d";r=0;t=300`, `"d";q=1;w=300`)
			var wait *secretsstore.WaitError
			assert.ErrorAs(t, <-next, &wait)
		})
	})
}

// worker is what one goroutine of the rate limit's story has done.
type worker struct{ done, failed int }

// saturate has goroutines of several clients call for so long, one call after the
// other, and says how often each did.
func saturate(t *testing.T, srv *secretsstoretest.Server, clients, goroutines int, d time.Duration) [][]worker {
	store := srv.AddStore("s")
	secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{Name: "A", Scopes: []secretsstore.Scope{"workers"}, Value: secretsstore.NewSecretValue("v")})
	// A network's time, so that calls overlap.
	srv.Inject(secretsstoretest.Fault{Latency: 10 * time.Millisecond, AnswerLatency: 10 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	workers := make([][]worker, clients)
	var wg sync.WaitGroup
	for i := range clients {
		workers[i] = make([]worker, goroutines)
		c := srv.Client()
		for g := range goroutines {
			wg.Go(func() {
				for ctx.Err() == nil {
					_, _, err := c.Secrets.Patch(ctx, store.ID, secret.ID, secretsstore.SecretPatch{Comment: secretsstore.Ptr("x")})
					var wait *secretsstore.WaitError
					switch {
					case err == nil:
						workers[i][g].done++
					case errors.As(err, &wait) && wait.Wait <= time.Minute || ctx.Err() != nil:
						<-ctx.Done() // what is left of the time is too short
					default:
						workers[i][g].failed++
						time.Sleep(time.Second)
					}
				}
			})
		}
	}
	wg.Wait()
	return workers
}

func TestRateLimitIsMetAndNotPassed(t *testing.T) {
	const goroutines = 8
	for _, s := range []struct {
		name    string
		n       int
		window  time.Duration
		windows int
		clients int
	}{
		{"the API's own limit", 1200, 5 * time.Minute, 5, 1},
		{"a small limit", 100, time.Minute, 5, 1},
		{"the API's own limit, and another process", 1200, 5 * time.Minute, 5, 2},
		{"the API's own limit, and two other processes", 1200, 5 * time.Minute, 2, 3},
		{"a small limit, and another process", 100, time.Minute, 5, 2},
	} {
		t.Run(s.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := secretsstoretest.NewServer(secretsstoretest.WithoutListener(), secretsstoretest.WithRateLimit(s.n, s.window))
				began := time.Now()
				clients := saturate(t, srv, s.clients, goroutines, time.Duration(s.windows)*s.window)

				used, refusedLater := 0, 0
				for _, r := range srv.Requests() {
					switch {
					case !r.RateLimited:
						used++
					case r.Time.Sub(began) >= s.window:
						refusedLater++
					}
				}
				assert.Zero(t, refusedLater, "429s after the first window")
				share := 100 * float64(used) / float64(s.windows*s.n)
				assert.GreaterOrEqual(t, share, 98., "percent of the allowed requests")
				t.Logf("%.2f %% of the allowed requests", share)
				for i, workers := range clients {
					total := 0
					for _, w := range workers {
						assert.Zero(t, w.failed, "calls that would have had to wait longer than a minute")
						total += w.done
					}
					mean := float64(total) / goroutines
					for _, w := range workers {
						// One has a call more than the others in a window that they don't share evenly.
						assert.InDelta(t, mean, w.done, max(mean/10, float64(s.windows)), "goroutines of client %d: %v", i, workers)
					}
				}
			})
		})
	}
}
