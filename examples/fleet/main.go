// Command fleet patches 2,000 secrets of an emulated Secrets Store with four processes, which
// share a rate limit through redislimit and take the patches from an asynq queue. Workers that
// end are replaced; their tasks are given to others when their leases expire, about a minute
// later. Tasks have no secret values, because everyone with access to Redis can read them.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/redislimit"
	"github.com/seed-57d84f87/secretsstore-go/secretsstoretest"
)

const (
	patches, workers, concurrency = 2000, 4, 8
	limit, window                 = 1200, 10 * time.Second // the API's window is 5 minutes
)

func main() {
	addr := flag.String("redis", "", "`ADDR` of Redis; by default, redis-server is started")
	worker := flag.Bool("worker", false, "take tasks; the command starts its workers with this flag")
	flag.Parse()
	command := run
	if *worker {
		command = work
	}
	if err := command(*addr); err != nil {
		log.Fatal("fleet: ", err)
	}
}

// work takes tasks until it fails or receives a signal.
func work(addr string) error {
	fmt.Println("worker", os.Getpid(), "started")
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	limiter, err := redislimit.New(rdb, "fleet", limit-(workers+1)*concurrency, window) // +1: one may be replaced
	if err != nil {
		return err
	}
	client, err := secretsstore.NewClient(secretsstore.WithLimiter(limiter))
	if err != nil {
		return err
	}
	delay := func(int, error, *asynq.Task) time.Duration { return time.Second }
	config := asynq.Config{Concurrency: concurrency, Queues: map[string]int{"fleet": 1}, RetryDelayFunc: delay, LogLevel: asynq.ErrorLevel}
	return asynq.NewServerFromRedisClient(rdb, config).Run(asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		storeID, secretID, _ := strings.Cut(string(t.Payload()), "/")
		_, _, err := client.Secrets.Patch(ctx, storeID, secretID, secretsstore.SecretPatch{Comment: secretsstore.Ptr("reviewed")})
		if _, ok := secretsstore.Retryable(err); err != nil && !ok {
			return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
		}
		return err
	}))
}

// run fills the queue, keeps the workers running, and returns when all patches are made.
func run(addr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	if addr == "" {
		addr = fmt.Sprintf("%s/fleet-%d.sock", os.TempDir(), os.Getpid())
		server := exec.Command("redis-server", "--port", "0", "--unixsocket", addr, "--save", "")
		if err := server.Start(); err != nil {
			return fmt.Errorf("%w: install Redis (Debian: apt-get install redis-server, macOS: brew install redis) or pass -redis", err)
		}
		defer func() { server.Process.Signal(os.Interrupt); server.Wait() }()
	}
	rdb := redis.NewClient(&redis.Options{Addr: addr, DialerRetries: 100}) // every 100 ms
	queue, inspector := asynq.NewClientFromRedisClient(rdb), asynq.NewInspectorFromRedisClient(rdb)
	srv := secretsstoretest.NewServer(secretsstoretest.WithRateLimit(limit, window))
	defer srv.Close()
	store, scopes := srv.AddStore("production"), []secretsstore.Scope{secretsstore.ScopeWorkers}
	for i := range patches {
		secret := srv.AddSecret(store.ID, secretsstore.SecretCreate{Name: fmt.Sprint("SECRET_", i), Scopes: scopes, Value: secretsstore.NewSecretValue("value")})
		if _, err := queue.EnqueueContext(ctx, asynq.NewTask("patch", []byte(store.ID+"/"+secret.ID)), asynq.Queue("fleet")); err != nil {
			return err
		}
	}
	var running sync.WaitGroup
	defer func() { stop(); running.Wait() }()
	for range workers {
		running.Go(func() {
			for ; ctx.Err() == nil; time.Sleep(time.Second) {
				cmd := exec.CommandContext(ctx, os.Args[0], "-worker", "-redis", addr)
				cmd.Env = append(os.Environ(), "CLOUDFLARE_BASE_URL="+srv.URL, "CLOUDFLARE_API_TOKEN="+srv.APIToken, "CLOUDFLARE_ACCOUNT_ID="+srv.AccountID)
				cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
				cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
				fmt.Println("worker ended:", cmd.Run())
			}
		})
	}
	for ; ctx.Err() == nil; time.Sleep(time.Second) {
		info, err := inspector.GetQueueInfo("fleet")
		if err != nil {
			return err
		}
		statuses := make(map[int]int)
		for _, r := range srv.Requests() {
			statuses[r.Status]++
		}
		fmt.Printf("%d of %d patches left, %d failed, responses by status: %v\n", info.Size-info.Archived, patches, info.Archived, statuses)
		if info.Size == info.Archived {
			break
		}
	}
	return ctx.Err()
}
