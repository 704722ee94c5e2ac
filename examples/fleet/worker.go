package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/redislimit"
)

// workerEnv has the program be a worker.
const workerEnv = "SECRETSSTORE_FLEET_WORKER"

// settings is what a worker must know. It gets them as the first line of its
// standard input: arguments and environment can be seen by others.
type settings struct {
	Socket                   string
	URL, AccountID, APIToken string
	Limit                    int
	Window                   time.Duration
}

// work does tasks until its standard input ends, as it also does when the program
// that started it is gone.
func work(leash io.Reader) error {
	signal.Ignore(syscall.SIGINT) // Ctrl-C is for the program that started it
	in := bufio.NewReader(leash)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("reading the settings: %w", err)
	}
	var s settings
	if err := json.Unmarshal(line, &s); err != nil {
		return fmt.Errorf("reading the settings: %w", err)
	}

	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: s.Socket})
	defer rdb.Close()
	// The Secrets Store was started with this Redis, so that nothing of its limit can
	// have been used before. Against the real API that can't be known: leave
	// WithFreshStart away.
	limiter := redislimit.New(rdb, "secretsstore", s.Limit, s.Window, redislimit.WithFreshStart())
	client, err := secretsstore.NewClient(
		secretsstore.WithBaseURL(s.URL),
		secretsstore.WithAccountID(s.AccountID),
		secretsstore.WithAPIToken(s.APIToken),
		secretsstore.WithUserAgent("secretsstore-example-fleet"),
		secretsstore.WithLimiter(limiter),
	)
	if err != nil {
		return err
	}
	srv := asynq.NewServer(redisOptions(s.Socket), asynq.Config{
		Concurrency:              concurrency,
		Queues:                   map[string]int{queueName: 1},
		LogLevel:                 asynq.WarnLevel,
		RetryDelayFunc:           retryDelay,
		DelayedTaskCheckInterval: time.Second,
		// A task for which there was no room in the limit is not one that has failed.
		IsFailure: func(err error) bool { return err != nil && !errors.Is(err, secretsstore.ErrRateLimited) },
	})
	handler := asynq.NewServeMux()
	handler.HandleFunc(taskType, func(ctx context.Context, t *asynq.Task) error { return patch(ctx, client, t) })
	if err := srv.Start(handler); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, in)
	srv.Shutdown()
	return nil
}

// retryDelay is how long a task rests: not at all where the worker that had it was
// killed.
func retryDelay(n int, err error, _ *asynq.Task) time.Duration {
	if errors.Is(err, asynq.ErrLeaseExpired) {
		return 0
	}
	return time.Duration(n+1) * time.Second
}

// patch does one task. What will not get better is not tried again.
func patch(ctx context.Context, client *secretsstore.Client, queued *asynq.Task) error {
	var t task
	if err := json.Unmarshal(queued.Payload(), &t); err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	_, _, err := client.Secrets.Patch(ctx, t.StoreID, t.SecretID, t.patch())
	for _, final := range []error{secretsstore.ErrInvalidArgument, secretsstore.ErrInvalidRequest, secretsstore.ErrNotFound, secretsstore.ErrUnauthorized, secretsstore.ErrForbidden} {
		if errors.Is(err, final) {
			return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
		}
	}
	return err
}
