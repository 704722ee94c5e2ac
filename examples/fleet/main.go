// Command fleet patches many secrets with many processes that share one account's
// rate limit: workers take patches from a queue (hibiken/asynq) on Redis, and a
// limiter (redislimit) on the same Redis lets no more of them go than the API
// allows. It starts all that by itself: a redis-server, a Secrets Store in memory
// that refuses what is past the limit, and the workers, which are processes of this
// same program.
//
// # At least once
//
// A queue like asynq's hands a task out at least once: a worker that is killed
// between a patch and saying that it is done leaves a task that another worker does
// again. That is safe here, since a patch sets a state: comment and scopes are
// what the task says, however often it is done. What would not be safe is two
// patches of the same secret in the queue, of which the older may be done last; so a
// task is named after its secret, and asynq takes no second one while the first is
// there.
//
// A task holds ids, a comment and scopes. It never holds a value: what is in a queue
// is in Redis in plain, in its snapshots, and on the screen of who looks at the
// queue. A worker that has to set values would get them where it runs.
//
// # How long a killed worker's tasks take
//
// asynq gives a worker a lease of 30 s on a task and renews it every 5 s. Each
// worker looks once a minute, and when it starts, for leases that have been over for
// 30 s. None of this can be set. So the tasks of a worker that was killed, and that
// was replaced at once as a supervisor does it, are done about a minute later.
//
// # The limit
//
// The limiter is told less than the API's limit, by the number of calls that the
// fleet can have in flight: what the API counts in a window was either granted in
// that window or in flight when it began. That leaves no way to a 429, however long
// a call takes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = `Usage: fleet [flags]

Patches secrets of a Secrets Store in memory with several worker processes, which
take the patches from a queue on Redis and share the rate limit over it. It needs a
redis-server on the machine, and starts and stops it.

`

func main() {
	if os.Getenv(workerEnv) != "" {
		if err := work(os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, "fleet worker:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "fleet:", err)
		stop()
		os.Exit(1)
	}
}

// plan is what the flags say.
type plan struct {
	patches, workers int
	kill             bool
	limit            int
	window           time.Duration
}

// concurrency is how many tasks a worker has in hand, and how many calls in flight.
const concurrency = 8

// grants is how much of the limit is given out. One worker more than there are may
// be at work while one that was killed is replaced.
func (p plan) grants() int { return p.limit - (p.workers+1)*concurrency }

func parse(args []string, stderr io.Writer) (plan, error) {
	var p plan
	flags := flag.NewFlagSet("fleet", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.IntVar(&p.patches, "patches", 2000, "`number` of secrets to patch")
	flags.IntVar(&p.workers, "workers", 4, "`number` of worker processes")
	flags.BoolVar(&p.kill, "kill", false, "kill one worker in the middle; it takes a minute until its tasks are done by others")
	flags.IntVar(&p.limit, "limit", 1200, "`number` of requests that the API takes in a window")
	flags.DurationVar(&p.window, "window", 10*time.Second, "the window's `length`, in whole seconds; the API's own is 5m")
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	switch {
	case flags.NArg() > 0:
		return p, fmt.Errorf("unexpected argument %q (-h explains)", flags.Arg(0))
	case p.patches < 1:
		return p, errors.New("-patches: there is nothing to do")
	case p.workers < 1:
		return p, errors.New("-workers: there is nobody to do it")
	case p.window < time.Second || p.window%time.Second != 0:
		return p, fmt.Errorf("-window: %v is no number of whole seconds", p.window)
	case p.grants() < 1:
		return p, fmt.Errorf("-limit: %d leaves no room for %d workers with %d calls in flight each, and one more", p.limit, p.workers, concurrency)
	}
	return p, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	p, err := parse(args, stderr)
	if err != nil {
		return err
	}
	redis, err := startRedis(ctx)
	if err != nil {
		return err
	}
	defer redis.stop()
	store := newStore(p)
	defer store.srv.Close()
	queue := newQueue(redis.socket)
	defer queue.close()

	fmt.Fprintf(stdout, "The Secrets Store is in memory at %s and takes %d requests in %v; %d are given out.\n", store.srv.URL, p.limit, p.window, p.grants())
	for _, t := range store.tasks {
		if err := queue.add(ctx, t, p.window); err != nil {
			return err
		}
	}
	fmt.Fprintf(stdout, "%d patches are in the queue.\n", p.patches)

	f := &fleet{stderr: stderr, settings: settings{
		Socket: redis.socket, URL: store.srv.URL, AccountID: store.srv.AccountID, APIToken: store.srv.APIToken,
		Limit: p.grants(), Window: p.window,
	}}
	defer f.stop()
	for range p.workers {
		if err := f.start(); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := watch(ctx, stdout, p, store, queue, f); err != nil {
		return err
	}
	f.stop()
	return store.summary(stdout, p, time.Since(began))
}

// watch reports the progress, and kills a worker if it is to, until nothing is left
// in the queue.
func watch(ctx context.Context, stdout io.Writer, p plan, store *store, queue *queue, f *fleet) error {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	began, shown, shownAt := time.Now(), -1, time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-f.failed():
			return err
		case <-ticker.C:
		}
		waiting, inHand, failed, err := queue.state()
		if err != nil {
			return err
		}
		done := store.patched()
		elapsed := time.Since(shownAt)
		if elapsed > 10*time.Second || done != shown && elapsed >= time.Second || waiting+inHand == 0 {
			fmt.Fprintf(stdout, "%6.1fs  %d of %d patched, %d in the queue, %d in hand\n", time.Since(began).Seconds(), done, p.patches, waiting, inHand)
			shown, shownAt = done, time.Now()
		}
		if failed > 0 {
			return fmt.Errorf("%d tasks have failed too often", failed)
		}
		if waiting+inHand == 0 {
			return nil
		}
		if p.kill && done >= p.patches/2 {
			p.kill = false
			killed, err := f.replace()
			if err != nil {
				return err
			}
			fmt.Fprintf(stdout, "Killed a worker, process %d, and started another. What it had in hand is done in about a minute.\n", killed)
		}
	}
}
