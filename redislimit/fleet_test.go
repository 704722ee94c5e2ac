package redislimit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// longEnv, if set, measures with windows of 30 s instead of 3 s. That takes 5 minutes.
	longEnv = "REDISLIMIT_LONG"

	// workerEnv makes the test binary a process of a fleet.
	workerEnv = "REDISLIMIT_WORKER"
)

func TestMain(m *testing.M) {
	redis.SetLogger(quiet{})
	if job := os.Getenv(workerEnv); job != "" {
		if err := work(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// quiet discards the log of go-redis.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// A job describes the processes of a fleet. Each makes as many calls as it is granted.
type job struct {
	Socket     string
	Limit      int
	Window     time.Duration
	Goroutines int
}

func newJob(s *server) job {
	j := job{Socket: s.socket, Limit: 1200, Window: 3 * time.Second, Goroutines: 16}
	if os.Getenv(longEnv) != "" {
		j.Window = 30 * time.Second
	}
	return j
}

func (j job) limiter(rdb redis.UniversalClient) (*Limiter, error) {
	return New(rdb, "fleet", j.Limit, j.Window)
}

// work makes calls from the first byte of standard input to its end, and writes the time
// of each one.
func work(encoded string) error {
	var j job
	if err := json.Unmarshal([]byte(encoded), &j); err != nil {
		return err
	}
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: j.Socket})
	defer rdb.Close()
	limiter, err := j.limiter(rdb)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range j.Goroutines {
		wg.Go(func() {
			for ctx.Err() == nil {
				switch err := limiter.Wait(ctx); {
				case err == nil:
					mu.Lock()
					fmt.Println(time.Now().UnixMicro())
					mu.Unlock()
				case !errors.Is(err, context.Canceled):
					time.Sleep(5 * time.Millisecond) // Redis is down
				}
			}
		})
	}
	wg.Wait()
	return nil
}

// A grant is a call that a process made.
type grant struct {
	at      time.Time
	process int
}

// runFleet runs processes until they have made calls for so many windows. It calls seen
// with the number of calls so far. It returns the calls in their order.
func runFleet(t *testing.T, j job, processes, windows int, seen func(n int)) []grant {
	encoded, err := json.Marshal(j)
	require.NoError(t, err)
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	all := make(chan grant)
	var fleet []*exec.Cmd
	var inputs []io.WriteCloser
	var ready, readers sync.WaitGroup
	ready.Add(processes)
	for i := range processes {
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), workerEnv+"="+string(encoded))
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		fleet, inputs = append(fleet, cmd), append(inputs, in)
		readers.Go(func() {
			lines := bufio.NewScanner(out)
			lines.Scan()
			ready.Done()
			for lines.Scan() {
				var micros int64
				if _, err := fmt.Sscan(lines.Text(), &micros); assert.NoError(t, err) {
					all <- grant{time.UnixMicro(micros), i}
				}
			}
		})
	}
	ready.Wait()
	for _, in := range inputs {
		_, err := in.Write([]byte{1})
		require.NoError(t, err)
	}
	go func() {
		readers.Wait()
		close(all)
	}()
	var got []grant
	var end time.Time
	for g := range all {
		if end.IsZero() {
			end = g.at.Add(time.Duration(windows) * j.Window)
		}
		if got = append(got, g); seen != nil {
			seen(len(got))
		}
		if g.at.After(end) {
			for _, in := range inputs {
				in.Close()
			}
		}
	}
	for _, cmd := range fleet {
		assert.NoError(t, cmd.Wait(), "a process failed")
	}
	got = slices.DeleteFunc(got, func(g grant) bool { return g.at.After(end) })
	slices.SortFunc(got, func(a, b grant) int { return a.at.Compare(b.at) })
	return got
}

// times returns when the calls were made.
func times(got []grant) []time.Time {
	times := make([]time.Time, len(got))
	for i, g := range got {
		times[i] = g.at
	}
	return times
}

// most returns the largest number of times in one window, wherever it starts.
func most(times []time.Time, window time.Duration) int {
	most, first := 0, 0
	for i, at := range times {
		for at.Sub(times[first]) >= window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func TestFleet(t *testing.T) {
	const processes, windows = 8, 4
	for n := 1; ; n++ {
		srv := startRedis(t)
		j := newJob(srv)
		limiter, err := j.limiter(srv.client())
		require.NoError(t, err)
		monitor := srv.monitor(limiter)
		made := runFleet(t, j, processes, windows, nil)
		granted := monitor.stop()

		// This holds on every machine: Redis grants no more than the limit, and no call is
		// made before it is due.
		assert.LessOrEqual(t, most(granted, j.Window), j.Limit)
		require.GreaterOrEqual(t, len(granted), len(made))
		for i, at := range times(made) {
			require.False(t, at.Before(granted[i].Add(-time.Millisecond)), "call %d was made %v early", i, granted[i].Sub(at))
		}

		used := float64(len(made)) / float64(windows*j.Limit)
		counts := make([]int, processes)
		for _, g := range made {
			counts[g.process]++
		}
		fairness := float64(slices.Max(counts)) / float64(slices.Min(counts))
		scripts := float64(monitor.scripts) / float64(len(granted))
		t.Logf("%d processes, %d per %v, %d windows: at most %d granted and %d made in a window, %.1f %% used, fairness %.3f %v, %.4f scripts per call",
			processes, j.Limit, j.Window, windows, most(granted, j.Window), most(times(made), j.Window), used*100, fairness, counts, scripts)
		if used >= 0.95 && fairness <= 1.1 && scripts <= 1.1 || n == 3 { // a busy machine can delay processes
			assert.GreaterOrEqual(t, used, 0.95)
			assert.LessOrEqual(t, fairness, 1.1)
			assert.LessOrEqual(t, scripts, 1.1)
			return
		}
	}
}

// Redis is killed in the middle and started again at once.
func TestFleetWhenRedisRestarts(t *testing.T) {
	const processes, windows = 8, 3
	for _, appendonly := range []string{"no", "yes"} {
		t.Run("appendonly "+appendonly, func(t *testing.T) {
			srv := startRedis(t, "--appendonly", appendonly)
			j := newJob(srv)
			limiter, err := j.limiter(srv.client())
			require.NoError(t, err)
			monitor := srv.monitor(limiter)
			var granted []time.Time
			var killed, back time.Time
			made := runFleet(t, j, processes, windows, func(n int) {
				if n == j.Limit*3/2 {
					killed = time.Now()
					srv.kill()
					granted = monitor.stop()
					srv.start()
					back = time.Now()
					monitor = srv.monitor(limiter)
				}
			})
			granted = append(granted, monitor.stop()...)
			slices.SortFunc(granted, time.Time.Compare)

			gap := time.Duration(0)
			for i := range made[1:] {
				gap = max(gap, made[i+1].at.Sub(made[i].at))
			}
			t.Logf("%d processes, %d per %v: at most %d granted and %d made in a window, longest gap %v, Redis was down for %v",
				processes, j.Limit, j.Window, most(granted, j.Window), most(times(made), j.Window), gap, back.Sub(killed))
			if appendonly == "yes" {
				assert.LessOrEqual(t, most(granted, j.Window), j.Limit)
			}
			assert.LessOrEqual(t, most(times(made), j.Window), j.Limit+j.Limit/20+processes*j.Goroutines)
			assert.Less(t, gap, j.Window/2)
		})
	}
}
