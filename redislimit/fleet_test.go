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

// workerEnv has the test's binary be a process of a fleet instead.
const workerEnv = "REDISLIMIT_WORKER"

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

// quiet is a log for go-redis, which has much to say of a server that is killed.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// job is what a process of the fleet has to do: ask for as many calls as it can get
// from so many goroutines, and write down when it got them.
type job struct {
	Socket     string
	Limit      int
	Window     time.Duration
	Goroutines int
}

// work does it until its standard input is closed, which it is when its parent
// ends, too.
func work(encoded string) error {
	var j job
	if err := json.Unmarshal([]byte(encoded), &j); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: j.Socket})
	defer rdb.Close()
	l := New(rdb, "fleet", j.Limit, j.Window, WithLogger(nil))
	var mu sync.Mutex
	out := bufio.NewWriter(os.Stdout)
	var wg sync.WaitGroup
	for range j.Goroutines {
		wg.Go(func() {
			for ctx.Err() == nil {
				at, err := l.wait(ctx)
				seen := time.Now().UnixMicro()
				switch {
				case err == nil:
					mu.Lock()
					fmt.Fprintln(out, at, seen)
					out.Flush()
					mu.Unlock()
				case !errors.Is(err, context.Canceled):
					time.Sleep(20 * time.Millisecond) // Redis is down
				}
			}
		})
	}
	wg.Wait()
	return nil
}

// grant is a call that a process of the fleet was granted, in microseconds: at by
// Redis, when it decided, and seen when the process knew.
type grant struct {
	at, seen int64
	process  int
}

// runFleet lets a fleet of processes ask until there were so many grants, and tells
// seen of their number. It returns them in the order in which they were granted.
func runFleet(t *testing.T, processes int, j job, grants int, seen func(n int)) []grant {
	encoded, err := json.Marshal(j)
	require.NoError(t, err)
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	all := make(chan grant)
	var fleet []*exec.Cmd
	var leashes []io.Closer
	var readers sync.WaitGroup
	for i := range processes {
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), workerEnv+"="+string(encoded))
		cmd.Stderr = os.Stderr
		leash, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		fleet, leashes = append(fleet, cmd), append(leashes, leash)
		readers.Go(func() {
			g := grant{process: i}
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if _, err := fmt.Sscan(lines.Text(), &g.at, &g.seen); assert.NoError(t, err) {
					all <- g
				}
			}
		})
	}
	go func() {
		readers.Wait()
		close(all)
	}()
	var got []grant
	for g := range all {
		got = append(got, g)
		if seen != nil {
			seen(len(got))
		}
		if len(got) == grants {
			for _, leash := range leashes {
				leash.Close()
			}
		}
	}
	for _, cmd := range fleet {
		assert.NoError(t, cmd.Wait(), "a process of the fleet has crashed")
	}
	require.GreaterOrEqual(t, len(got), grants)
	slices.SortFunc(got, func(a, b grant) int { return int(a.at - b.at) })
	return got
}

// most is the largest number of times that lie in one window, wherever it begins.
func most(times []int64, window time.Duration) int {
	most, first := 0, 0
	for i, at := range times {
		for times[first] <= at-window.Microseconds() {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// checkLimit checks the grants by the time at which Redis decided, and that nobody
// knew before. When a process knows is up to how busy the machine is.
func checkLimit(t *testing.T, got []grant, j job) {
	var at, seen []int64
	for _, g := range got {
		at, seen = append(at, g.at), append(seen, g.seen)
		require.GreaterOrEqual(t, g.seen, g.at, "was known before it was granted")
	}
	slices.Sort(seen)
	assert.LessOrEqual(t, most(at, j.Window), j.Limit)
	t.Logf("of %d in %v: at most %d granted in a window, at most %d seen by the processes in one", j.Limit, j.Window, most(at, j.Window), most(seen, j.Window))
}

// Eight processes want more than there is. The first window is full, since the Redis
// is empty: that they do not start at the same moment makes no difference.
func TestFleetSharesTheLimit(t *testing.T) {
	const processes, windows, tries = 8, 5, 3
	j := job{Socket: startRedis(t).socket, Limit: 1200, Window: 3 * time.Second, Goroutines: 16}
	for try := 1; ; try++ {
		got := runFleet(t, processes, j, windows*j.Limit+1, nil)
		checkLimit(t, got, j)

		// The first grant of window n can't be before n windows are over.
		took := time.Duration(got[windows*j.Limit].at-got[0].at) * time.Microsecond
		used := float64(windows*j.Window) / float64(took)
		var counts [processes]int
		for _, g := range got[:windows*j.Limit] {
			counts[g.process]++
		}
		mean := float64(windows*j.Limit) / processes
		apart := float64(slices.Max(counts[:])-slices.Min(counts[:])) / mean
		t.Logf("used %.2f %%; between the processes %.2f %%: %v", used*100, apart*100, counts)
		// A machine that is busy with something else for long can't be fair; the limit
		// it has to keep all the same.
		if used >= 0.97 && apart <= 0.10 || try == tries {
			assert.GreaterOrEqual(t, used, 0.97)
			assert.LessOrEqual(t, apart, 0.10)
			return
		}
	}
}

// Redis is killed while calls are granted and others wait, and comes back empty.
func TestFleetOutlivesARestart(t *testing.T) {
	srv := startRedis(t)
	j := job{Socket: srv.socket, Limit: 1200, Window: 2 * time.Second, Goroutines: 16}
	var killed, back time.Time
	got := runFleet(t, 8, j, 3*j.Limit, func(n int) {
		if n == j.Limit*3/2 {
			srv.kill()
			killed = time.Now()
			srv.start()
			back = time.Now()
		}
	})
	checkLimit(t, got, j)
	first := slices.IndexFunc(got, func(g grant) bool { return g.at > back.UnixMicro() })
	require.Positive(t, first)
	pause := time.Duration(got[first].at-killed.UnixMicro()) * time.Microsecond
	assert.GreaterOrEqual(t, pause, j.Window, "the window starts full")
	t.Logf("no grant for %v after Redis was killed", pause)
}
