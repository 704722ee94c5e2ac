package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/hibiken/asynq"

	"github.com/seed-57d84f87/secretsstore-go"
)

const (
	queueName = "patches"
	taskType  = "secret:patch"
)

// task is a patch as it lies in the queue, where everybody who may look at Redis can
// read it: it has no field for a value.
type task struct {
	StoreID  string               `json:"store_id"`
	SecretID string               `json:"secret_id"`
	Comment  *string              `json:"comment,omitempty"`
	Scopes   []secretsstore.Scope `json:"scopes,omitempty"`
}

func (t task) patch() secretsstore.SecretPatch {
	return secretsstore.SecretPatch{Comment: t.Comment, Scopes: t.Scopes}
}

// queue is what the program that has the patches sees of it.
type queue struct {
	client    *asynq.Client
	inspector *asynq.Inspector
}

func redisOptions(socket string) asynq.RedisClientOpt {
	return asynq.RedisClientOpt{Network: "unix", Addr: socket}
}

func newQueue(socket string) *queue {
	return &queue{client: asynq.NewClient(redisOptions(socket)), inspector: asynq.NewInspector(redisOptions(socket))}
}

func (q *queue) close() {
	_ = q.client.Close()
	_ = q.inspector.Close()
}

// add puts a task into the queue. It is done within a time that is long enough to
// wait for the limit, or else it is tried again.
func (q *queue) add(ctx context.Context, t task, window time.Duration) error {
	payload, err := json.Marshal(t)
	if err != nil {
		return err
	}
	_, err = q.client.EnqueueContext(ctx, asynq.NewTask(taskType, payload),
		asynq.Queue(queueName),
		asynq.TaskID(t.SecretID), // one patch of a secret at a time
		asynq.Timeout(window+time.Minute),
		asynq.MaxRetry(10),
	)
	return err
}

// state says how many tasks wait, are in the hands of a worker, alive or not, and
// have been given up.
func (q *queue) state() (waiting, inHand, failed int, err error) {
	info, err := q.inspector.GetQueueInfo(queueName)
	if errors.Is(err, asynq.ErrQueueNotFound) {
		return 0, 0, 0, nil
	}
	if err != nil {
		return 0, 0, 0, err
	}
	return info.Pending + info.Scheduled + info.Retry, info.Active, info.Archived, nil
}
