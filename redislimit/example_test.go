package redislimit_test

import (
	"context"
	"log"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-57d84f87/secretsstore-go"
	"github.com/seed-57d84f87/secretsstore-go/redislimit"
)

// Each of a fleet's 8 processes does this; each has at most 8 calls in flight.
func Example() {
	rdb := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
	defer rdb.Close()
	limiter := redislimit.New(rdb, "cloudflare", 1200-8*8, 5*time.Minute)
	client, err := secretsstore.NewClient(secretsstore.WithLimiter(limiter))
	if err != nil {
		log.Fatal(err)
	}
	_, _, err = client.Secrets.Patch(context.Background(), "023e105f4ecef8ad9ca31a8372d0c353", "3fd85f74b32742f1bff64a85009dda07",
		secretsstore.SecretPatch{Comment: secretsstore.Ptr("info about my secret")})
	if err != nil {
		log.Fatal(err)
	}
}
